"""``zero dead-letters`` against the api over HTTP."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from tests.unit.cli.test_search import Served
from zero.application.ports import Append, DeadLetter, Settlement
from zero.cli import cli
from zero.domain.entry import LogEntry
from zero.domain.frame import pack_frame, unpack_frame
from zero.infrastructure.codec.log_batch import write_log_batch
from zero.infrastructure.native.codec import NativeCodec

TENANT = "default"


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


def listed(served: Served, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["dead-letters", "list", "--url", served.url, *arguments])


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["dead-letters", *arguments])


async def bury(served: Served, *reasons: str) -> None:
    buffer = served.buffer
    payload = write_log_batch([LogEntry("hostile \x1b[31m text", 1)])
    data = pack_frame(77, 1, 1, "default", [payload], NativeCodec().crc32c)
    await buffer.append([Append(0, b"frame", TENANT, 1) for _ in reasons])
    lease = await buffer.acquire(0, "me")
    assert lease is not None
    found = await buffer.read(lease, len(reasons), 0)
    letters = [DeadLetter(one.position, reason, TENANT, 1, data, 7) for one, reason in zip(found, reasons, strict=True)]
    await buffer.settle(lease, Settlement([one.position for one in found], dead_letters=letters))


def test_dead_letters_are_listed_oldest_first_with_their_reason(served: Served) -> None:
    asyncio.run(bury(served, "refused one", "refused \x1b[31mtwo", "refused three"))
    found = listed(served, "--limit", "2")
    assert found.exit_code == 0
    first, second = found.output.splitlines()
    assert first.endswith("default  entry 7 of its frame, 85 bytes  refused one")
    assert second.endswith("refused [31mtwo")  # without the escape character


def test_a_script_reads_one_object_a_line_across_pages(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zero.cli.dead_letters._PAGE_LETTERS_MAX", 2)
    asyncio.run(bury(served, "a", "b", "c"))
    found = listed(served, "--json")
    assert [json.loads(line)["reason"] for line in found.output.splitlines()] == ["a", "b", "c"]


def test_no_dead_letters_is_no_failure(served: Served) -> None:
    found = listed(served)
    assert (found.exit_code, found.stdout, found.stderr) == (0, "", "no dead letters\n")
    assert listed(served, "--json").output == ""


def test_an_api_that_does_not_answer_has_an_exit_code_of_its_own() -> None:
    found = CliRunner().invoke(cli, ["dead-letters", "list", "--url", "http://127.0.0.1:1"])
    assert found.exit_code == 3
    assert "no answer from the api" in found.output


def test_one_letter_is_shown_with_its_entry_and_without_its_escapes(served: Served) -> None:
    asyncio.run(bury(served, "refused"))
    found = run("show", "1", "--url", served.url)
    assert found.exit_code == 0
    assert "hostile" in found.output and "\x1b" not in found.output
    log = json.loads(run("show", "1", "--url", served.url, "--json").output)["logs"][0]
    assert (log["id"], log["message"]) == (f"{77:016x}{7:08x}", "hostile \x1b[31m text")


def test_letters_are_replayed_under_their_identity_and_the_ledger_follows(served: Served) -> None:
    asyncio.run(bury(served, "a", "b", "c"))
    assert run("replay", "2", "--url", served.url).exit_code == 0
    again = run("replay", "2", "--url", served.url)
    assert (again.exit_code, again.stdout) == (1, "") and "no dead letter '2'" in again.stderr
    append = next(iter(served.buffer._shards[0].stream.values()))
    frame = unpack_frame(append.frame, NativeCodec().crc32c)
    assert (frame.batch_id, frame.first_index, frame.count) == (77, 7, 1)
    ledger = asyncio.run(served.buffer.ledger())[TENANT]
    assert (ledger.accepted, ledger.dead_lettered, ledger.in_buffer) == (3, 2, 1)
    assert run("replay", "--all", "--url", served.url).output.count("\n") == 2
    assert asyncio.run(served.buffer.dead_letters("", 10)) == []


def test_a_drop_asks_first_and_is_accounted_for(served: Served) -> None:
    asyncio.run(bury(served, "a", "b"))
    assert run("drop", "1", "--url", served.url).exit_code == 1
    assert len(asyncio.run(served.buffer.dead_letters("", 10))) == 2
    assert run("drop", "1", "--yes", "--url", served.url).exit_code == 0
    assert run("drop", "--all", "--yes", "--url", served.url).exit_code == 0
    ledger = asyncio.run(served.buffer.ledger())[TENANT]
    assert (ledger.accepted, ledger.dead_lettered, ledger.dropped, ledger.in_buffer) == (2, 2, 2, 0)
    acts = [(act.act, act.subject) for _, act in asyncio.run(served.key_store.audit("", 10))]
    assert acts == [("dead_letter.drop", "2"), ("dead_letter.drop", "1")]


@pytest.mark.parametrize("arguments", [["replay"], ["drop", "--yes"], ["replay", "1", "--all"]])
def test_letters_are_named_or_all_of_them_are_meant(served: Served, arguments: list[str]) -> None:
    assert run(*arguments, "--url", served.url).exit_code == 2
