"""The harness itself: the oracle sees what is wrong, the shrinker finds the fault that matters, results add up."""

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.torture.harness import load
from tests.torture.harness.campaign import judged
from tests.torture.harness.doors import Answer, Told
from tests.torture.harness.entries import Entry, as_json, make_entries
from tests.torture.harness.nemesis import Fault, unstruck
from tests.torture.harness.oracle import Batch, Oracle, Status, StoredEntry, judge, read_ledger
from tests.torture.harness.platform import Place
from tests.torture.harness.proxy import Proxy
from tests.torture.harness.results import (
    BEGIN,
    END,
    Summary,
    as_line,
    conservation_line,
    keep,
    publish,
    read,
    summed,
    table_line,
)
from tests.torture.harness.shrink import shrink
from tests.torture.harness.trial import TRIALS, Outcome, Plan, trial
from tests.torture.trials import soak
from tests.torture.trials.buffer_down import hanging
from tests.torture.trials.network import disturb

ONE, TWO = b"11111111", b"22222222"


def batch(number: int, status: Status) -> Batch:
    return Batch(number, "http1", None, ONE + TWO, status)


def found(status: Status, *rows: tuple[int, int, bytes], dead: tuple[tuple[int, int], ...] = ()) -> dict[str, int]:
    return dict(judge({7: batch(7, status)}, rows, dead).wrong)


WHOLE = ((7, 0, ONE), (7, 1, TWO))


@pytest.mark.parametrize(
    ("status", "rows", "wrong"),
    [
        (Status.ACKNOWLEDGED, WHOLE, {}),
        (Status.ACKNOWLEDGED, WHOLE[:1], {"lost": 1}),
        (Status.ACKNOWLEDGED, (*WHOLE, WHOLE[1]), {"double": 1}),
        (Status.ACKNOWLEDGED, ((7, 0, ONE), (7, 1, ONE)), {"corrupt": 1}),
        (Status.ACKNOWLEDGED, (*WHOLE, (7, 2, ONE)), {"phantom": 1}),
        (Status.ACKNOWLEDGED, (*WHOLE, (8, 0, ONE)), {"phantom": 1}),
        (Status.REFUSED, (), {}),
        (Status.REFUSED, WHOLE, {"phantom": 2}),
        (Status.UNKNOWN, (), {}),
        (Status.UNKNOWN, WHOLE, {}),
        (Status.UNKNOWN, WHOLE[:1], {"lost": 1}),
        (Status.UNKNOWN, (*WHOLE, *WHOLE), {"double": 2}),
        (Status.SENT, WHOLE[1:], {"lost": 1}),
    ],
)
def test_the_oracle_tells_lost_double_phantom_and_corrupt(status, rows, wrong):
    assert found(status, *rows) == wrong


def test_a_dead_letter_is_not_lost_but_must_not_be_stored_too():
    assert found(Status.ACKNOWLEDGED, *WHOLE[:1], dead=((7, 1),)) == {}
    assert found(Status.ACKNOWLEDGED, *WHOLE, dead=((7, 1),)) == {"double": 1}


async def test_the_ledger_on_disk_says_what_the_oracle_knows(tmp_path: Path):
    oracle = Oracle(tmp_path / "ledger")
    await oracle.sent(batch(1, Status.SENT))
    assert len(read_ledger(tmp_path / "ledger")) == 1, "it is on disk before the batch is sent"
    await oracle.sent(batch(2, Status.SENT))
    oracle.answered(oracle.batches[1], Status.ACKNOWLEDGED)
    oracle.close()
    with (tmp_path / "ledger").open("a") as torn:
        torn.write('{"batch": 3, "dig')
    assert read_ledger(tmp_path / "ledger") == oracle.batches


def test_the_shrinker_finds_the_two_faults_that_make_it_fail():
    tried = []

    def fails(only: frozenset[int]) -> bool:
        tried.append(only)
        return {3, 17} <= only

    assert shrink(range(25), fails) == [3, 17]
    assert len(tried) < 60


def test_parts_add_up_and_one_that_is_run_again_counts_once(tmp_path: Path):
    about = trial("R2")
    for seed, lost in ((1, 0), (2, 3), (2, 0)):
        outcome = Outcome(25, problems=["lost"] * bool(lost))
        outcome.counts["lost"], outcome.hits["drain"] = lost, 1
        path = keep(as_line(Plan(seed, 25, tmp_path), about, outcome), tmp_path)
    summary = summed(read(path))
    assert (summary.amount, summary.counts["lost"], summary.problems, summary.seeds) == (50, 0, [], [1, 2])


def test_the_table_says_how_much_was_done_and_what_failed(tmp_path: Path):
    for seed, problems in ((1, []), (2, []), (4, ["2 lost"])):
        outcome = Outcome(25, problems=problems, samples={"ready_seconds": [1.0]})
        outcome.hits["drain"] = 1
        keep(as_line(Plan(seed, 25, tmp_path), trial("R2"), outcome), tmp_path)
    page = tmp_path / "page.md"
    page.write_text(f"above\n{BEGIN}\nan earlier table\n{END}\nbelow\n")
    publish(tmp_path, page)
    text = page.read_text()
    assert "75 of 500 kills (seeds 1-2, 4)" in text
    assert "**failed**: seed 4: 2 lost" in text
    assert "| R12 |" in text
    assert "earlier" not in text
    assert text.startswith("above\n")
    assert text.endswith("below\n")


@pytest.mark.parametrize(
    ("counts", "problems", "verdict"),
    [
        ({}, [], "passed"),
        ({"lost": 2}, ["2 lost, such as 7 (http1, 18 of 20 stored)"], "**failed**: R2: 2 lost"),
        ({"corrupt": 1}, [], "**failed**: R2: 1 corrupt"),
        ({}, ["it did not settle: 20"], "**failed**: R2: seed 1: it did not settle"),
    ],
)
def test_the_balance_is_that_of_parts_that_asked_for_it(counts, problems, verdict, tmp_path: Path):
    lines = []
    for row, seed in (("R1", 1), ("R2", 1), ("R2", 2), ("R9", 1)):
        outcome = Outcome(1, problems=problems if (row, seed) == ("R2", 1) else [])
        outcome.counts.update({"stored": 10, **(counts if row == "R2" and seed == 1 else {})})
        lines.append(as_line(Plan(seed, 1, tmp_path), trial(row), outcome))
    lines.append(as_line(Plan(3, 1, tmp_path), trial("R2"), Outcome(problems=["RuntimeError: it did not start"])))
    line = conservation_line({row: summed(one for one in lines if one["row"] == row) for row in ("R1", "R2", "R9")})
    assert "every row but R1 and R9" in line
    assert "| 2 parts | 20 entries |" in line
    assert verdict in line


def test_what_some_part_did_not_look_for_is_not_said(tmp_path: Path):
    looked = dict.fromkeys(("stored", "lost", "double", "phantom", "corrupt"), 0)
    lines = []
    for seed, counts in ((1, looked), (2, {"stored": 5, "lost": 0, "double": 0})):
        outcome = Outcome(1)
        outcome.counts.update(counts)
        lines.append(as_line(Plan(seed, 1, tmp_path), trial("R1"), outcome))
    assert summed(lines[:1]).found() == "0 entries stored, 0 lost, 0 double, 0 phantom, 0 corrupt"
    assert summed(lines).found() == "5 entries stored, 0 lost, 0 double"


class Gate:
    """A door that answers when both copies of a body are there, each as it is told."""

    name = "gate"

    def __init__(self, *told: Told) -> None:
        self.keys: list[str | None] = []
        self._told, self._both = iter(told), asyncio.Event()

    def body(self, entries: list[Entry]) -> bytes:
        return as_json(entries)

    async def send(self, body: bytes, key: str | None) -> Answer:
        self.keys.append(key)
        if len(self.keys) == 2:
            self._both.set()
        await self._both.wait()
        return Answer(next(self._told), 0, 0.0)

    async def close(self) -> None:
        return


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ((Told.UNKNOWN, Told.ACCEPTED), Status.ACKNOWLEDGED),
        ((Told.LATER, Told.ACCEPTED), Status.ACKNOWLEDGED),
        ((Told.LATER, Told.UNKNOWN), Status.UNKNOWN),
        ((Told.LATER, Told.LATER), Status.REFUSED),
    ],
)
async def test_a_key_is_sent_twice_at_the_same_time_and_one_promise_holds(told, status, tmp_path: Path):
    oracle, gate = Oracle(tmp_path / "ledger"), Gate(*told)
    options = load.LoadOptions(entries=2, keyed_share=1.0, twice_share=1.0, insist_seconds_max=0.0)
    await load.Load(oracle, 1, options).send_one(gate, random.Random(1))
    oracle.close()
    assert gate.keys == [gate.keys[0]] * 2
    assert [batch.status for batch in oracle.batches.values()] == [status]


class LatePlace(Place):
    """A store in which rows come to light when everything was judged and an entry is sent to see whether it works."""

    def __init__(self, folder: Path, late: tuple[StoredEntry, ...]) -> None:
        super().__init__(folder)
        self._rows, self._late = list(WHOLE), late

    async def settled(self, seconds_max: float = 0.0) -> dict[str, Any]:
        tenant = {"accepted": 2, "stored": 2, "dead_lettered": 0, "rows": 2, "expired": 0}
        return {"in_buffer": 0, "balanced": True, "missing": 0, "tenants": {"default": tenant}}

    def rows(self) -> Iterator[StoredEntry]:
        return iter(self._rows)

    def count(self) -> int:
        return len(self._rows)

    def accepts_and_stores(self) -> bool:
        self._rows += self._late
        return True


@pytest.mark.parametrize(("late", "doubles"), [((), 0), ((WHOLE[1],), 1)])
async def test_rows_that_come_after_the_judgement_are_judged(late, doubles, tmp_path: Path):
    oracle = Oracle(tmp_path / "ledger")
    oracle.batches[7] = batch(7, Status.ACKNOWLEDGED)
    sent = load.Load(oracle, 1)
    sent.seen.note("http1", Answer(Told.ACCEPTED, 200, 0.0), False)
    outcome = await judged(Plan(1, 1, tmp_path), LatePlace(tmp_path, late), oracle, sent, ())
    oracle.close()
    assert outcome.counts["double"] == doubles
    assert any("double" in problem for problem in outcome.problems) == bool(doubles)


def test_a_digest_covers_every_field():
    (entry,) = make_entries(1, 1, "http1", random.Random(1))
    changed = {name: "other" if isinstance(value, str) else value + 1 for name, value in asdict(entry).items()}
    assert all(replace(entry, **{name: value}).digest != entry.digest for name, value in changed.items())
    assert make_entries(1, 1, "otlp-grpc", random.Random(1))[0].user_id == "", "OTLP has no field for it"


@pytest.mark.parametrize(("a_core", "said"), [(1.0, "**failed**: ready again"), (9.0, "so far; times not judged")])
def test_times_are_judged_only_where_the_machine_had_time(a_core: float, said: str, tmp_path: Path):
    outcome = Outcome(25, samples={"ready_seconds": [20.0]})
    outcome.hits["drain"] = 1
    line = as_line(Plan(1, 25, tmp_path), trial("R2"), outcome) | {"load_per_core": a_core}
    assert said in table_line(trial("R2"), summed([line]))


@pytest.mark.parametrize("kind", ["refused", "cut", "half_open"])
async def test_what_begins_or_ends_a_fault_on_a_way_is_no_hit_of_it(kind: str):
    """The fault lasts until somebody feels it, and only that counts."""
    server = await asyncio.start_server(lambda reader, writer: writer.write(b"hello"), "127.0.0.1", 0)
    link = await Proxy(("127.0.0.1", free_port()), server.sockets[0].getsockname()).start()
    if kind != "cut":
        reader, idle = await asyncio.open_connection(*link.listen)
        assert await reader.read(5) == b"hello"
    struck = asyncio.create_task(disturb(link, Fault(0, kind, "somewhere", 0.0, 0.05)))
    await asyncio.sleep(0.3)
    assert not struck.done(), "nobody felt anything so far"
    _, writer = await asyncio.open_connection(*link.listen)
    assert await struck == 1
    writer.close()
    if kind != "cut":
        idle.close()
    await link.close()
    server.close()


def test_answers_that_were_forgotten_fail_who_asks_for_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(load, "SAMPLES_MAX", 3)
    seen, began = load.Seen(), time.monotonic()
    for _ in range(3):
        seen.note("http1", Answer(Told.ACCEPTED, 200, 0.0), False)
    assert len(seen.since(began)) == 3
    moment = time.monotonic()
    seen.note("http1", Answer(Told.UNKNOWN, 503, 0.0), False)
    assert [sample.status for sample in seen.since(moment)] == [503], "the latest are there, however many came before"
    with pytest.raises(RuntimeError, match="forgotten"):
        seen.since(began)


def test_a_request_that_hangs_through_an_outage_is_seen():
    assert hanging([90.0, 103.0, 109.7], began=100.0, healed=110.0) == [10.0, 7.0]


def test_a_soak_in_which_a_process_was_started_again_is_a_failure():
    outcome = Outcome()
    soak.figures({f"drain-{pid}": [(5.0 * look, 100.0, 20) for look in range(100)] for pid in (7, 8)}, {"drain": 1}, outcome)
    assert outcome.worst["slope drain"] == 0.0
    assert outcome.problems == ["drain was started again, 1 times"]


def test_a_soak_judges_what_is_held_and_tells_what_was_there_before_it_was_given_back():
    outcome = Outcome(amount=120)
    kept, held = [(5.0 * look, 400.0 + look / 20, 0) for look in range(900)], [(5.0 * look, 300.0, 20) for look in range(900)]
    soak.figures({f"{soak.BEFORE_PURGE}-7": kept, "clickhouse-7": held}, {}, outcome)
    assert outcome.worst[f"slope {soak.BEFORE_PURGE}"] == pytest.approx(36, rel=0.01)
    summary = Summary(amount=120, parts=1, worst=outcome.worst)
    assert soak.judge(summary) == []
    outcome.worst["slope clickhouse"] = 1.1
    assert soak.judge(summary) == ["clickhouse grows 1.1 MiB an hour"]


def test_a_fault_has_to_strike_wherever_it_was_meant_to():
    faults = [Fault(number, "cut", way, 0.0) for number, way in enumerate(("drain-store", "api-store", "api-store"))]
    assert unstruck(faults, where=True) == {"cut drain-store": 0, "cut api-store": 0}


def test_a_part_whose_faults_never_struck_is_no_proof():
    outcome = Outcome(25)
    outcome.hits["drain"] = 0
    assert not outcome.passed
    assert not Outcome(25).passed


@pytest.mark.parametrize("row", TRIALS)
def test_a_part_that_broke_off_is_a_line_of_the_table_too(row: str, tmp_path: Path):
    line = as_line(Plan(1, 1, tmp_path), trial(row), Outcome(problems=["RuntimeError: it did not start"]))
    assert "**failed**: seed 1: RuntimeError" in table_line(trial(row), summed([line | {"load_per_core": 0.0}]))


def test_every_row_has_its_trial():
    assert all(trial(row).row == row for row in TRIALS)
