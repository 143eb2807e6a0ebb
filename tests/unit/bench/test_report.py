"""The README's figures are those of the result files, and the report shows them beside their targets."""

import json
import xml.etree.ElementTree as xml

import pytest

report = pytest.importorskip("bench.report", reason="the benchmarks live in a clone")
charts = pytest.importorskip("bench.charts")
page = pytest.importorskip("bench.page")

HEAD = {
    "commit": "abc",
    "measured_at": "2026-11-22T10:00:00+00:00",
    "command": "zero bench",
    "machine": {"cpu": "A <fast> one", "cores": 2, "memory_gib": 23.5},
}


def spread(value):
    return {"median": value, "min": value * 0.9, "max": value * 1.1}


def case(entries, rate, lost=0, name=""):
    return {
        "case": name or f"requests of {entries}",
        "entries_a_request": entries,
        "requests_per_second": spread(rate / entries),
        "entries_per_second_stored": spread(rate),
        "latency": {"p50_ms": spread(1.0), "p99_ms": spread(4.0), "p999_ms": spread(9.0)},
        "entries_accepted": 1000,
        "entries_stored": 1000 - lost,
        "entries_lost": lost,
        "peak_memory_mib": {"ingest-1": 70.0, "drain-2": 150.0},
    }


def stage(number, rate, lost=0):
    return HEAD | {
        "stage": number,
        "name": f"name {number}",
        "pipeline": "direct",
        "changes": "It changes something.",
        "bottleneck": "Then something else was slow.",
        "cases": [case(1, rate / 10, lost), case(1000, rate, lost)],
        "crash": {"processes_killed": 1, "entries_accepted": 50, "entries_stored": 50 - lost, "entries_lost": lost},
        "profiles": {
            "requests of 1": {
                "cores_busy": {"ingest": 0.9, "valkey": 0.2},
                "of": "ingest",
                "self_percent": {"decode (codec.py)": 60.0},
            }
        },
    }


@pytest.fixture
def results(tmp_path):
    names = (
        "batches of 1000 NDJSON",
        "batches of 1000 LogBatch",
        "single entries, 64 connections",
        "single entries, 256 connections",
    )
    cases = [
        case(entries, 400_000 if entries > 1 else 50_000, 0, name)
        for entries, name in zip((1000, 1000, 1, 1), names, strict=True)
    ]
    found = {"ingest": HEAD | {"cases": cases}, "stage-1": stage(1, 2_000), "stage-2": stage(2, 3_000, lost=400)}
    for name, result in found.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
    return tmp_path


def test_the_measured_table_of_the_readme_is_made_from_the_results():
    shown = report.README.read_text().partition(report.BEGIN)[2].partition(report.END)[0]
    assert shown == report.table(), "run: zero bench report"


def test_figures_stand_beside_their_targets_and_missed_ones_are_marked(results):
    rows = report.table(results).splitlines()
    assert "| batches of 1000 NDJSON, stored | 400,000 entries/s | ≥ 350,000 entries/s | yes |" in rows
    assert "| batches of 1000 LogBatch, stored | 400,000 entries/s | ≥ 600,000 entries/s | **no** |" in rows
    assert "| single entries, 64 connections | 50,000 requests/s, p99 4.0 ms | ≥ 40,000, p99 ≤ 5 ms | yes |" in rows
    assert "| peak memory, drain process | 150 MiB | ≤ 400 MiB | yes |" in rows


def test_a_stage_that_loses_entries_says_how_many(results):
    (row,) = [row for row in report.table(results).splitlines() if row.startswith("| 2 name 2")]
    assert "**800** of 2,000 (40 %)" in row
    assert "**400** of 50 (800 %)" in row
    assert "| 1.5 |" in row


def test_the_page_needs_nothing_but_itself_and_shows_what_the_markdown_shows(results):
    html = report.write(results).read_text()
    assert html.count("<svg") == 3
    assert not [word for word in ("<script", "src=", "href=", "@import", "url(") if word in html]
    assert "A &lt;fast&gt; one" in html
    text = (results / "report.md").read_text()
    for part in ("Then something else was slow.", "decode (codec.py)", "400,000 entries/s"):
        assert part in html
        assert part in text
    for line in text.splitlines():
        if line.startswith("!["):
            assert (results / line.partition("(")[2].rstrip(")")).exists()


def test_charts_are_well_formed_whatever_they_show():
    for rows in ([("a & b", 1234.5), ("<nothing>", 0.0)], [("one", 5.0)], []):
        xml.fromstring(charts.bars("Title", rows, "entries/s"))
    xml.fromstring(charts.lines("Title", [1, 10, 1000], [("a", [1, 0, 1e6]), ("b", [2, 2, 2])], "entries/s"))
    xml.fromstring(charts.lines("Title", [5], [("a", [3])], "ms"))


@pytest.mark.parametrize(("value", "text"), [(1_234_567, "1.23 M"), (350_000, "350 k"), (47, "47"), (0.5, "0.5")])
def test_numbers_in_charts_are_short(value, text):
    assert charts.short(value) == text


def test_tables_are_the_same_in_both_forms():
    table = page.Table(("a", "b"), [("`x`", "**1**")])
    assert table.markdown() == ["| a | b |", "|---|---|", "| `x` | **1** |"]
    assert "<td><code>x</code></td><td><b>1</b></td>" in "".join(table.html())
