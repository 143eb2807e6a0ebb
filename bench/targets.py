"""What was measured beside what it was to be: one row for each figure with a target, from the files of bench/results."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Result = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A figure, its target, and whether it is met (None: there is no target)."""

    what: str
    measured: str
    target: str
    met: bool | None

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """Return the row as texts."""
        return self.what, self.measured, self.target, {True: "yes", False: "**no**", None: ""}[self.met]


def load(folder: Path) -> dict[str, Result]:
    """Return the results of a folder by name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def number(value: float) -> str:
    """Return a number with thousands set apart."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.1f}"


def _least(what: str, value: float, unit: str, target: float) -> Row:
    return Row(what, f"{number(value)} {unit}", f"≥ {number(target)} {unit}", value >= target)


def _most(what: str, value: float, unit: str, target: float) -> Row:
    return Row(
        what, f"{number(value)} {unit}".strip(), f"≤ {number(target)} {unit}".strip() if target else "0", value <= target
    )


BATCHES = (("batches of 1000 NDJSON", 350_000), ("batches of 1000 LogBatch", 600_000))
SINGLES = (("single entries, 64 connections", 40_000, 5), ("single entries, 256 connections", 60_000, 15))


def ingest_rows(result: Result) -> Iterator[Row]:
    """Yield the rows of ``zero bench ingest``."""
    cases = {case["case"]: case for case in result["cases"]}
    for name, target in BATCHES:
        if name in cases:
            yield _least(f"{name}, stored", cases[name]["entries_per_second_stored"]["median"], "entries/s", target)
    for name, rate, p99 in SINGLES:
        found, slow = cases[name]["requests_per_second"]["median"], cases[name]["latency"]["p99_ms"]["median"]
        text = f"{number(found)} requests/s, p99 {slow:.1f} ms"
        yield Row(name, text, f"≥ {number(rate)}, p99 ≤ {p99} ms", found >= rate and slow <= p99)
    yield _most("accepted and not stored, all of these", sum(case["entries_lost"] for case in cases.values()), "", 0)
    for role, limit in (("ingest", 200), ("drain", 400)):
        peaks = [mib for case in cases.values() for name, mib in case["peak_memory_mib"].items() if name.startswith(role)]
        yield _most(f"peak memory, {role} process", max(peaks), "MiB", limit)


def http2_rows(result: Result) -> Iterator[Row]:
    """Yield the row of ``zero bench http2`` that has a target."""
    case = result["cases"][0]
    yield _least(f"HTTP/2: {case['case']}", case["requests_per_second"]["median"], "requests/s", 25_000)


def grpc_rows(result: Result) -> Iterator[Row]:
    """Yield the rows of ``zero bench grpc``; there are no targets."""
    for case in result["cases"]:
        stored = case["entries_per_second_stored"]["median"]
        yield Row(f"gRPC: {case['case']}, stored", f"{number(stored)} entries/s", "", None)


def drain_rows(result: Result) -> Iterator[Row]:
    """Yield the row of ``zero bench drain``."""
    yield _least("drain alone, stream → stored, one process", result["entries_per_second"]["median"], "entries/s", 600_000)


def native_rows(result: Result) -> Iterator[Row]:
    """Yield the rows of ``zero bench native``."""
    rates = result["entries_per_second"]
    cases = (
        ("JSON → frame, one core", "json_to_frame", 1_800_000),
        ("LogBatch → frame, one core", "log_batch_to_frame", 4_000_000),
        ("frame → Native block, one core", "frame_to_block", 2_500_000),
    )
    for what, key, target in cases:
        yield _least(what, rates[key]["median"], "entries/s", target)


def serialize_rows(result: Result) -> Iterator[Row]:
    """Yield the rows of ``zero bench serialize``."""
    sizes, rates = result["bytes_an_entry"], result["parse_entries_per_second"]
    smaller = sizes["protobuf_smaller_percent"]
    text = f"{smaller:g} % smaller ({sizes['protobuf']:g} against {sizes['json']:g} bytes)"
    yield Row("protobuf against JSON, size", text, "≥ 50 %", smaller >= 50)
    for name, target in (("protobuf for Python (upb)", None), ("zero native, protozero (validated frame)", 9.4)):
        ratio, simdjson = rates[name]["to_standard_library"], rates[name]["to_simdjson"]
        text = f"{ratio:.1f} times json of the standard library, {simdjson:.1f} times our simdjson decoder"
        met = None if target is None else ratio >= target
        yield Row(f"parsing protobuf: {name}", text, f"≥ {target} times" if target else "", met)


SEARCHED = 3_000_000
SEARCHES = (
    ("rare word", "rare_word", 10),
    ("latest 100 errors of an app", "latest_100_errors_of_an_app", 20),
    ("histogram per minute by level", "histogram_per_minute_by_level", 40),
    ("top sources", "top_sources", 20),
    ("metadata filter", "metadata_key", 15),
    ("trace id", "trace_id", 5),
)


def search_rows(result: Result) -> Iterator[Row]:
    """Yield the rows of ``zero bench search``."""
    if "stored" in result:
        size = result["stored"]["wholly_merged"]["bytes_an_entry"]
        yield _most("stored size, all indexes, merged", size, "bytes an entry", 36)
    entries = f"{result['entries_stored'] / 1e6:g} M entries"
    for what, key, target in SEARCHES:
        if key not in result["cases"]:
            continue
        case = result["cases"][key]
        text = f"{case['warm_median_ms']:.1f} ms warm, {case['cold_median_ms']:.1f} ms cold"
        met = case["warm_median_ms"] <= target if result["entries_stored"] <= SEARCHED else None
        yield Row(f"{what}, {entries}", text, f"≤ {target} ms warm for 3 M", met)


PAGE_MS, QUESTION_MS = 300, 200
FOUND = (
    ("page, first lines", "page_lines", PAGE_MS),
    ("page, histogram", "page_histogram", PAGE_MS),
    ("page, facets", "page_facets", PAGE_MS),
    ("page, patterns", "page_patterns", PAGE_MS),
    ("question by meaning, patterns", "patterns_hybrid", QUESTION_MS),
    ("question by meaning, patterns of a day", "patterns_hybrid_of_a_day", QUESTION_MS),
    ("question by meaning, lines", "lines_hybrid", QUESTION_MS),
    ("question by meaning, lines of a day", "lines_hybrid_of_a_day", QUESTION_MS),
)
RECALLS = (("bundled", "wordllama", 0.60), ("MiniLM", "minilm", 0.72))


def finding_rows(result: Result) -> Iterator[Row]:
    """Yield the rows of ``zero bench search --entries 10000000``: what the page asks, questions, and their quality."""
    entries = f"{result['entries_stored'] / 1e6:g} M entries"
    for what, key, target in FOUND:
        case = result["cases"][key]
        text = f"{case['warm_median_ms']:.0f} ms warm, {case['cold_max_ms']:.0f} ms cold"
        yield Row(f"{what}, {entries}", text, f"≤ {target} ms", case["warm_median_ms"] <= target)
    for name, prefix, least in RECALLS:
        for embedder, recalls in result["quality"]["recall_at_10"].items():
            if prefix in embedder.lower():
                found = recalls["hybrid"]
                text = f"{found:.2f} of {result['quality']['examples']}"
                yield Row(f"recall@10, hybrid, {name}", text, f"≥ {least}", found >= least)


def client_rows(result: Result) -> Iterator[Row]:
    """Yield the rows of ``zero bench client``."""
    cost = result["call_us"]["zero_handler"]
    yield _most(f"`logger.info` with zero.client ({cost['cpu_to_null_handler']:g} times NullHandler)", cost["median"], "µs", 8)
    yield _least("zero.client, logged → receipt", result["through"]["records_per_second"]["median"], "records/s", 100_000)


def idle_rows(result: Result) -> Iterator[Row]:
    """Yield the rows of ``zero bench idle``."""
    yield _most("idle `zero up`, memory in all", result["memory_mib"], "MiB", 600)
    yield _most("idle `zero up`, processor", result["cpu_percent"], "% of the machine", 1)


TABLES: dict[str, Callable[[Result], Iterator[Row]]] = {
    "ingest": ingest_rows,
    "http2": http2_rows,
    "grpc": grpc_rows,
    "drain": drain_rows,
    "native": native_rows,
    "serialize": serialize_rows,
    "search": search_rows,
    "search-10m": finding_rows,
    "client": client_rows,
    "idle": idle_rows,
}


def rows(results: dict[str, Result]) -> list[Row]:
    """Return all rows for which there are results."""
    return [row for name, table in TABLES.items() if name in results for row in table(results[name])]
