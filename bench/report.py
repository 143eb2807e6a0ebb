"""``zero bench report``: the README's tables, and a report with charts as Markdown and HTML, made from bench/results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import charts, scale, targets
from bench.page import Section, Table, html, markdown
from bench.record import RESULTS, ROOT
from bench.targets import Result, number

README = ROOT / "README.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->"
STAGES = range(1, 8)
PROFILE_SHOWN = 4


def stages_of(results: dict[str, Result]) -> list[Result]:
    """Return the results of the stages, in order."""
    return [results[f"stage-{number}"] for number in STAGES if f"stage-{number}" in results]


def _case(stage: Result, entries: int) -> dict[str, Any]:
    """Return the case with that many entries a request, or the nearest below."""
    cases = [case for case in stage["cases"] if case["entries_a_request"] <= entries]
    found: dict[str, Any] = max(cases, key=lambda case: case["entries_a_request"])
    return found


def _best(stage: Result) -> float:
    return max(float(case["entries_per_second_stored"]["median"]) for case in stage["cases"])


def stage_table(stages: Sequence[Result]) -> Table:
    """Return what each stage gives, and its ratio to the first."""
    head = (
        "stage",
        "single entries",
        "p99",
        "batches of 1000, stored",
        "ratio to stage 1",
        "accepted and not stored",
        "after a crash",
    )
    rows = []
    for stage in stages:
        single, batch = _case(stage, 1), _case(stage, 1000)
        lost, accepted = (sum(case[key] for case in stage["cases"]) for key in ("entries_lost", "entries_accepted"))
        crash = stage["crash"]
        rows.append(
            (
                f"{stage['stage']} {stage['name']}",
                f"{number(single['requests_per_second']['median'])}/s",
                f"{single['latency']['p99_ms']['median']:.0f} ms",
                f"{number(batch['entries_per_second_stored']['median'])} entries/s",
                f"{_best(stage) / _best(stages[0]):.1f}" if stages[0]["stage"] == 1 else "",
                _share(lost, accepted),
                _share(crash["entries_lost"], crash["entries_accepted"]),
            )
        )
    return Table(head, rows)


def _share(lost: int, accepted: int) -> str:
    return "0" if not lost else f"**{number(lost)}** of {number(accepted)} ({100 * lost / accepted:.0f} %)"


def target_table(results: dict[str, Result]) -> Table:
    """Return every figure that has a target, beside it."""
    return Table(("what", "measured", "target", "met"), [row.cells for row in targets.rows(results)])


def _machine(results: dict[str, Result]) -> str:
    any_result = results.get("ingest") or next(iter(results.values()))
    machine = any_result["machine"]
    return (
        f"{machine['cores']} shared cores ({machine['cpu']}, {machine['memory_gib']:.0f} GiB), load generator included, every\n"
        "acknowledgement after an fsync (except in stage 2). Commit and versions are in the files."
    )


def table(folder: Path = RESULTS) -> str:
    """Return the section between the README's markers."""
    results = targets.load(folder)
    stages = stages_of(results)
    lines = [_machine(results), "", *target_table(results).markdown()]
    if stages:
        lines += ["", "The seven stages of the platform's history, each a setting of today's (`docs/benchmarks.md`):", ""]
        lines += stage_table(stages).markdown()
    return "\n".join(lines) + "\n"


def _stage_charts(stages: Sequence[Result]) -> dict[str, str]:
    sizes = [case["entries_a_request"] for case in stages[0]["cases"]]
    names = [f"{stage['stage']} {stage['name']}" for stage in stages]
    stored = [[case["entries_per_second_stored"]["median"] for case in stage["cases"]] for stage in stages]
    singles = [_case(stage, 1)["latency"]["p99_ms"]["median"] for stage in stages]
    ends = zip(names, (row[-1] for row in stored), strict=True)
    return {
        "stages-stored.svg": charts.bars(f"Stored, requests of {sizes[-1]}", list(ends), "entries/s"),
        "stages-sizes.svg": charts.lines(
            "Stored by entries a request", sizes, list(zip([name[:1] for name in names], stored, strict=True)), "entries/s"
        ),
        "stages-p99.svg": charts.bars("p99 of single entries", list(zip(names, singles, strict=True)), "ms"),
    }


def _stage_section(stage: Result) -> Section:
    head = (
        "entries a request",
        "requests/s (least to most)",
        "stored, entries/s",
        "p50",
        "p99",
        "p99.9",
        "accepted",
        "stored",
        "lost",
    )
    rows = []
    for case in stage["cases"]:
        rate, latency = case["requests_per_second"], case["latency"]
        rows.append(
            (
                str(case["entries_a_request"]),
                f"{number(rate['median'])} ({number(rate['min'])} to {number(rate['max'])})",
                number(case["entries_per_second_stored"]["median"]),
                *(f"{latency[key]['median']:.1f} ms" for key in ("p50_ms", "p99_ms", "p999_ms")),
                number(case["entries_accepted"]),
                number(case["entries_stored"]),
                number(case["entries_lost"]),
            )
        )
    crash = stage["crash"]
    crashed = (
        f"Killed under load ({crash['processes_killed']} ingest processes): {number(crash['entries_accepted'])} accepted, "
        f"{number(crash['entries_stored'])} stored, {number(crash['entries_lost'])} lost."
    )
    title = f"Stage {stage['stage']}: {stage['name']} (`ZERO_PIPELINE={stage['pipeline']}`)"
    texts = [f"{stage['changes']} {stage['bottleneck']}", *_evidence(stage), crashed, _memory(stage)]
    return Section(title, texts, Table(head, rows))


def _memory(stage: Result) -> str:
    """Return the most that a process of each role held."""
    peaks: dict[str, float] = {}
    for case in stage["cases"]:
        for name, mib in case["peak_memory_mib"].items():
            role = name.rpartition("-")[0]
            peaks[role] = max(mib, peaks.get(role, 0))
    return "Peak memory of a process: " + ", ".join(f"{role} {number(mib)} MiB" for role, mib in sorted(peaks.items())) + "."


def _evidence(stage: Result) -> list[str]:
    """Return what the profiles of this run say, so that the sentence above can be checked."""
    return [_profile(name, found) for name, found in stage["profiles"].items()]


def _profile(name: str, found: dict[str, Any]) -> str:
    cores = ", ".join(f"{role} {busy:.2f}" for role, busy in sorted(found["cores_busy"].items(), key=lambda pair: -pair[1]))
    shares = list(found.get("self_percent", {}).items())[:PROFILE_SHOWN]
    where = "; ".join(f"`{function}` {share:g} %" for function, share in shares)
    samples = f" Samples of the busiest Python process ({found['of']}): {where}." if where else ""
    return f"Profile, {name}: cores busy {cores}.{samples}"


def _serialize_section(result: Result) -> Section:
    head = ("parser", "entries/s", "MB/s", "to the standard library", "to our simdjson decoder")
    rows = [
        (
            name,
            number(each["best"]),
            number(each["megabytes_per_second"]),
            f"{each['to_standard_library']:.1f}",
            f"{each['to_simdjson']:.2f}",
        )
        for name, each in result["parse_entries_per_second"].items()
    ]
    sizes = result["bytes_an_entry"]
    smaller = f"{sizes['protobuf_smaller_percent']:g} % less"
    text = f"An entry has {sizes['json']:g} bytes as JSON and {sizes['protobuf']:g} as LogBatch: {smaller}."
    return Section("JSON against protobuf", [text], Table(head, rows))


def sections(folder: Path = RESULTS) -> list[Section]:
    """Return the whole report."""
    results = targets.load(folder)
    stages = stages_of(results)
    found = [Section("", [_machine(results)]), Section("Targets", table=target_table(results))]
    if stages:
        found.append(Section("The seven stages", table=stage_table(stages), charts=_stage_charts(stages)))
        found += [_stage_section(stage) for stage in stages]
    if "serialize" in results:
        found.append(_serialize_section(results["serialize"]))
    origin = [(name, each["commit"], each["measured_at"], f"`{each['command']}`") for name, each in results.items()]
    found.append(Section("Where the figures come from", table=Table(("file", "commit", "measured at", "command"), origin)))
    return found


def write(folder: Path = RESULTS) -> Path:
    """Write report.md, report.html and the charts into the folder; return the page."""
    found = sections(folder)
    for section in found:
        for name, chart in section.charts.items():
            (folder / name).write_text(chart)
    (folder / "report.md").write_text(markdown("zero: what was measured", found))
    page = folder / "report.html"
    page.write_text(html("zero: what was measured", found))
    return page


def run() -> Path:
    """Write the report, the table into the README, and those of docs/scale.md."""
    head, _, rest = README.read_text().partition(BEGIN)
    scale.publish()
    README.write_text(head + BEGIN + table() + END + rest.partition(END)[2])
    return write()
