"""``zero bench report``: the measured table of the README, made from the files under ``bench/results``."""

import json
from pathlib import Path
from typing import Any

from bench.record import RESULTS, ROOT

README = ROOT / "README.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->"
MIB_MAX = {"ingest": 200, "drain": 400}

Row = tuple[str, str, str]


def _result(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def _number(value: float) -> str:
    return f"{value:,.0f}"


def native_rows() -> list[Row]:
    """Return the rows of ``zero bench native``."""
    rates = _result("native")["entries_per_second"]
    cases = (("JSON → frame", "json_to_frame", 1_000_000), ("LogBatch → frame", "log_batch_to_frame", 2_500_000))
    return [
        (f"{title}, one core", f"{_number(rates[key]['median'])} entries/s", f"≥ {_number(target)}")
        for title, key, target in (*cases, ("frame → Native block", "frame_to_block", 1_500_000))
    ]


def ingest_rows() -> list[Row]:
    """Return the rows of ``zero bench ingest``."""
    batches, *singles = _result("ingest")["cases"]
    rows = [(f"{batches['case']}, stored", f"{_number(batches['entries_per_second_stored'])} entries/s", "≥ 150,000")]
    for case, target in zip(singles, (25_000, 35_000), strict=True):
        text = f"{_number(case['requests_per_second'])} requests/s, p99 {case['p99_ms']:.1f} ms"
        rows.append((case["case"], text, f"≥ {_number(target)}"))
    rows.append(("accepted and not stored, all of these", str(sum(c["entries_lost"] for c in (batches, *singles))), "0"))
    for role, limit in MIB_MAX.items():
        peak = max(mib for c in (batches, *singles) for name, mib in c["peak_memory_mib"].items() if name.startswith(role))
        rows.append((f"peak memory, {role} process", f"{peak:.0f} MiB", f"≤ {limit} MiB"))
    return rows


def search_rows() -> list[Row]:
    """Return the rows of ``zero bench search``."""
    result = _result("search")
    entries = f"{result['entries_stored'] / 1e6:g} M entries"
    cases = (("rare word", "rare_word"), ("latest 100 errors of an app", "latest_100_errors_of_an_app"))
    rows = []
    for title, key in cases:
        case = result["cases"][key]
        text = f"{case['warm_median_ms']:.0f} ms warm, {case['cold_median_ms']:.0f} ms cold"
        rows.append((f"{title}, {entries}", text, "≤ 150 ms"))
    return rows


def table() -> str:
    """Return the section between the README's markers."""
    machine = _result("ingest")["machine"]
    lines = [
        f"{machine['cores']} shared cores ({machine['cpu']}, {machine['memory_gib']:.0f} GiB), load generator included, every",
        "acknowledgement after an fsync. Commit and versions are in the files.",
        "",
        "| what | measured | target |",
        "|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in (*ingest_rows(), *native_rows(), *search_rows())),
    ]
    return "\n".join(lines) + "\n"


def run() -> Path:
    """Write the table into the README."""
    head, _, rest = README.read_text().partition(BEGIN)
    README.write_text(head + BEGIN + table() + END + rest.partition(END)[2])
    return README
