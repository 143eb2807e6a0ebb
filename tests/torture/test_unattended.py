"""Running unattended: what is missing is run, in turns, until the time is up, and nothing is run twice."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.torture.harness import unattended
from tests.torture.harness.command import Wish
from tests.torture.harness.results import as_line, keep, read
from tests.torture.harness.trial import Outcome, Plan, Trial, trial

NOW = datetime(2026, 5, 4, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize(("text", "hours"), [("23:30", 1.5), ("22:00", 24.0), ("06:00", 8.0), ("+90m", 1.5), ("+2h", 2.0)])
def test_a_time_is_the_next_one_and_a_while_begins_now(text: str, hours: float) -> None:
    assert (unattended.when(text, NOW) - NOW).total_seconds() == hours * 3600


@pytest.mark.parametrize("text", ["", "25:00", "90", "+1d"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        unattended.when(text, NOW)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, int, int]]:
    """Which parts were run: each is over at once, and a second of a clock of our own."""
    parts: list[tuple[str, int, int]] = []

    def run_part(about: Trial, seed: int, wish: Wish, say: object) -> dict[str, Any]:
        parts.append((about.row, seed, wish.amount))
        line = kept(tmp_path, about.row, seed, wish.amount)
        time.sleep(0.01)
        return line

    monkeypatch.setattr(unattended, "FOLDER", tmp_path)
    monkeypatch.setattr(unattended, "run_part", run_part)
    return parts


def kept(folder: Path, row: str, seed: int, amount: int, **more: Any) -> dict[str, Any]:
    outcome = Outcome(amount)
    outcome.hits["any"] = 1
    line = as_line(Plan(seed, amount, folder), trial(row), outcome)
    line |= {"load_per_core": 0.0, "seconds": 0.0, **more}
    keep(line, folder)
    return line


def run(rows: Sequence[str], seconds: float = 3600.0) -> int:
    return unattended.run_until(time.time() + seconds, Wish(rows=rows, keep=False), lambda line: None)


def test_rows_take_turns_until_nothing_is_missing(ran: list[tuple[str, int, int]], tmp_path: Path) -> None:
    kept(tmp_path, "R12", 2, 10)
    assert run(("R3", "R12")) == 0
    assert ran[:4] == [("R3", 1, 5), ("R12", 1, 10), ("R3", 2, 5), ("R12", 3, 10)]
    assert sum(line["amount"] for line in read(tmp_path / "R3.jsonl")) == trial("R3").wanted
    assert len({(row, seed) for row, seed, _ in ran}) == len(ran)
    before = len(ran)
    run(("R3", "R12"))
    assert len(ran) == before


def test_a_part_that_would_not_be_over_in_time_is_not_begun(ran: list[tuple[str, int, int]], tmp_path: Path) -> None:
    kept(tmp_path, "R3", 1, 5, seconds=60.0)
    run(("R3", "R11"), seconds=50.0)
    assert not ran


def test_points_follow_those_of_earlier_parts_of_the_same_size(ran: list[tuple[str, int, int]], tmp_path: Path) -> None:
    for seed in (1, 2, 4):
        kept(tmp_path, "R1", seed, 24)
    assert (part := unattended.missing(trial("R1"))) is not None
    assert (part.seed, part.amount) == (3, 24)


@pytest.mark.parametrize(("seconds", "others_share", "seed"), [(60.0, 0.9, 1), (60.0, 0.1, 3), (1.0, 0.9, 3)])
def test_a_part_whose_times_say_little_is_run_again(
    ran: list[tuple[str, int, int]], tmp_path: Path, seconds: float, others_share: float, seed: int
) -> None:
    kept(tmp_path, "R12", 1, 10, others_share=others_share, samples={"stop_seconds": [seconds]})
    kept(tmp_path, "R12", 2, 10, others_share=0.1)
    assert (part := unattended.missing(trial("R12"))) is not None
    assert (part.seed, part.amount) == (seed, 10)


def test_beside_a_part_whose_times_are_not_judged_the_simulator_runs(ran: list[tuple[str, int, int]], tmp_path: Path) -> None:
    kept(tmp_path, "R9", 1, 995_000)
    for seed in range(1, 10):
        kept(tmp_path, "R3", seed, 5)
    run(("R3", "R9"))
    assert sorted(ran) == [("R3", 10, 5), ("R9", 2, 995_000)]
