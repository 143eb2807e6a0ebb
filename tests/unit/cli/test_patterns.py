"""``zero patterns`` and ``zero anomalies`` against the api over HTTP, its store in memory."""

import io
import json
import sys
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from tests.unit.cli.test_search import Served
from zero.cli import main
from zero.cli.anomalies import anomalies
from zero.cli.patterns import patterns, sparkline

HOUR = 3600


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


def run(served: Served, *arguments: str, command=patterns) -> Result:
    return CliRunner(env={"ZERO_API": f"127.0.0.1:{served.port}"}).invoke(command, list(arguments))


def test_patterns_are_listed_with_their_counts(served: Served) -> None:
    for index in range(3):
        served.store("served", index=index, app_id="shop")
    served.store("failed \x1b[31m", index=3, app_id="shop")
    found = run(served)
    assert found.exit_code == 0, found.output
    first, second = found.stdout.splitlines()
    assert first.endswith("shop served") and " 3 " in first
    assert "\x1b" not in second
    (only,) = [
        json.loads(line) for line in run(served, "--json", "--sort", "rare", "--limit", "1", "fail*").stdout.splitlines()
    ]
    assert (only["count"], only["apps"], only["levels"], sum(only["sparkline"])) == (1, ["shop"], {"INFO": 1}, 1)
    assert len(only["id"]) == 16
    assert 1 <= len(only["sparkline"]) <= 30  # fewer than 30 where all was seen within some nanoseconds
    assert run(served, "list", "served").stdout == first + "\n"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_terminal_that_lacks_characters_shows_question_marks(served: Served, monkeypatch, form: list[str]) -> None:
    served.store("caf\u00e9 \u4e2d served \U0001f600")
    shown = io.TextIOWrapper(io.BytesIO(), "latin-1")
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setattr(sys, "argv", ["zero", "patterns", "--url", f"127.0.0.1:{served.port}", *form])
    with pytest.raises(SystemExit) as ended:
        main()
    shown.flush()
    assert not ended.value.code
    assert "caf\u00e9 ? served ?" in shown.buffer.getvalue().decode("latin-1")  # type: ignore[attr-defined]


def test_exit_codes_tell_what_happened(served: Served) -> None:
    assert run(served, "nothing").exit_code == 1
    wrong = run(served, "app_id:(")
    assert wrong.exit_code == 2 and "^" in wrong.stderr
    assert run(served, "--new-since", "soon").exit_code == 2
    assert run(served, "--url", "http://127.0.0.1:9").exit_code == 3
    assert run(served, command=anomalies).exit_code == 1
    assert run(served, "--from", "now", "--to", "-1h", command=anomalies).exit_code == 2


def test_anomalies_come_with_their_evidence(served: Served) -> None:
    for hour in range(1, 12):
        for index in range(20):
            served.store("usual", -hour * HOUR - 60, index)
    served.store("new \x1b]0;x\x07 thing", -60)
    found = run(served, command=anomalies)
    assert found.exit_code == 0, found.output
    assert "vanished" in found.stdout and "\x1b" not in found.stdout
    rows = [json.loads(line) for line in run(served, "--json", command=anomalies).stdout.splitlines()]
    assert [(row["kind"], row["observed"], row["expected"]) for row in rows] == [("vanished", 0, 20.0), ("new", 1, 0.0)]


def test_lines_get_ids_without_any_server(tmp_path) -> None:
    file = tmp_path / "lines"
    file.write_text("took 5 ms\ntook 6 ms\nlost")
    whole = CliRunner().invoke(patterns, ["assign", str(file)])
    piped = CliRunner().invoke(patterns, ["assign", "--mask-only", "-"], input=file.read_bytes())
    assert whole.exit_code == piped.exit_code == 0
    first, second, third = whole.stdout.split()
    assert first == second != third
    assert whole.stdout == piped.stdout


def test_counts_become_bars() -> None:
    assert sparkline([0, 1, 50, 100]) == " ▁▄█"
    assert sparkline([0, 0]) == "  "
    assert sparkline([]) == ""
