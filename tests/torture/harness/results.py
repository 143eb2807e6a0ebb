"""Results: a JSON line for each part, under bench/results/torture, and the table that sums them up."""

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from bench.record import RESULTS, ROOT, surroundings
from tests.torture.harness.trial import TRIALS, Outcome, Plan, Trial, trial

FOLDER = RESULTS / "torture"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
CONSERVATION = "R10"
WRONG = ("lost", "double", "phantom", "corrupt")
OTHERS_SHARE_MAX = 0.25
"""How much of the processors others may use right before or after a part whose times are judged."""
CROWDED_PER_CORE = 4.0
"""The same where that was not looked at: runnable threads a core; our own load makes about two."""


@dataclass(slots=True)
class Summary:
    """All parts of a trial together."""

    amount: int = 0
    parts: int = 0
    seeds: list[int] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    worst: dict[str, float] = field(default_factory=dict)
    samples: dict[str, list[float]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)
    judged: int = 0
    unjudged: set[str] = field(default_factory=set)
    load_per_core: float = 0.0
    crowded: bool = False

    def found(self) -> str:
        """Say what every trial says: how much was stored, and what is wrong with it, as far as every part looked for it."""
        wrong = (f"{self.counts[kind]} {kind}" for kind in WRONG if kind not in self.unjudged)
        return f"{self.counts['stored']:,} entries stored, {', '.join(wrong)}"

    def percentile(self, name: str, share: float) -> float:
        """Return a percentile of the samples under a name; 0 without any."""
        values = sorted(self.samples.get(name, []))
        return values[min(len(values) - 1, math.ceil(share * len(values)) - 1)] if values else 0.0

    def most(self, name: str) -> float:
        """Return the greatest sample under a name; 0 without any."""
        return max(self.samples.get(name, []), default=0.0)

    def least(self, name: str) -> float:
        """Return the least sample under a name; 0 without any."""
        return min(self.samples.get(name, []), default=0.0)

    def add(self, line: dict[str, Any]) -> None:
        """Take a part in."""
        if line["skipped"]:
            self.skipped.append(line["skipped"])
            return
        self.parts += 1
        self.amount += line["amount"]
        self.seeds.append(line["seed"])
        self.load_per_core = max(self.load_per_core, line.get("load_per_core", 0.0))
        if line["counts"]:  # none: it broke off before it was judged
            self.judged += 1
            self.unjudged.update(kind for kind in WRONG if kind not in line["counts"])
        self.counts.update(line["counts"])
        self.hits.update(line["hits"])
        self.worst = {name: max(line["worst"].get(name, 0), self.worst.get(name, 0)) for name in line["worst"] | self.worst}
        for name, values in line["samples"].items():
            self.samples.setdefault(name, []).extend(values)
        self.problems += [f"seed {line['seed']}: {problem}" for problem in line["problems"]]
        self.problems += [f"seed {line['seed']}: the fault {kind!r} never struck" for kind in line["missed"]]


def as_line(plan: Plan, about: Trial, outcome: Outcome) -> dict[str, Any]:
    """Return the line of a part: enough to run it again, and to judge it."""
    return {
        "row": about.row,
        "seed": plan.seed,
        "asked": plan.amount,
        "passed": outcome.passed,
        "missed": outcome.missed if not outcome.skipped else [],
        **{item.name: getattr(outcome, item.name) for item in fields(outcome)},
        "only": sorted(plan.only) if plan.only is not None else None,
        "seconds": plan.at(),
        "load_per_core": round(os.getloadavg()[0] / (os.cpu_count() or 1), 1),
        **surroundings(),
    }


def keep(line: dict[str, Any], folder: Path = FOLDER) -> Path:
    """Append a line to the file of its row. A part that is run again takes the place of the earlier one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{line['row']}.jsonl"
    others = [one for one in read(path) if (one["seed"], one["asked"]) != (line["seed"], line["asked"])]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in (*others, line)))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file of results; none if there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def summed(lines: Iterable[dict[str, Any]]) -> Summary:
    """Return the sum of parts; of times, those that say something, if there are any."""
    summary, lines = Summary(), list(lines)
    ran = [line for line in lines if not line["skipped"]]
    summary.crowded = bool(ran) and all(timeless(line) for line in ran)
    for line in lines:
        empty = timeless(line) and not summary.crowded
        summary.add(line | {"samples": {}, "worst": {}, "load_per_core": 0.0} if empty else line)
    return summary


def timeless(line: dict[str, Any]) -> bool:
    """Say whether the times of a part say little of the platform: they do not hold, and others used the machine."""
    judge = trial(line["row"]).judge
    if judge is None or not crowded(line):
        return False
    alone = Summary()
    alone.add(line)
    return bool(judge(alone))


def crowded(line: dict[str, Any]) -> bool:
    """Say whether others used so much of the machine around a part that bad times may be theirs."""
    share = line.get("others_share")
    return bool(line.get("load_per_core", 0.0) > CROWDED_PER_CORE if share is None else share > OTHERS_SHARE_MAX)


def table(folder: Path = FOLDER) -> str:
    """Return the table of every row, in Markdown."""
    sums = {row: summed(read(folder / f"{row}.jsonl")) for row in TRIALS}
    lines = {number_of(row): table_line(trial(row), found) for row, found in sums.items()}
    lines[number_of(CONSERVATION)] = conservation_line(sums)
    head = ("| | fault | must hold | done | found | |", "|---|---|---|---|---|---|")
    return "\n".join([*head, *(lines[number] for number in sorted(lines))]) + "\n"


def number_of(row: str) -> int:
    """Return the number of a row: 2 of ``R2``."""
    return int(row[1:])


def conservation_line(sums: Mapping[str, Summary]) -> str:
    """Return the line of the row that the parts of the others judge, by the summaries of their rows."""
    asked = {row: one for row, one in sums.items() if trial(row).ledger}
    parts, stored = sum(one.judged for one in asked.values()), sum(one.counts["stored"] for one in asked.values())
    wrong = [f"{row}: {one.counts[kind]} {kind}" for row, one in sums.items() for kind in WRONG if one.counts[kind]]
    wrong += [f"{row}: {text}" for row, one in sums.items() for text in one.problems if "ledger" in text or "settle" in text]
    others = " and ".join(sorted(sums.keys() - asked.keys(), key=number_of))
    fault = f"after every part of every row but {others}, which have no `/api/ledger` and compare with the buffer's own"
    promise = "`accepted = stored + dead-lettered + in buffer`, by `/api/ledger` and by ids and digests"
    verdict = f"**failed**: {wrong[0]}" if wrong else "passed" if parts else ""
    return f"| {CONSERVATION} | {fault} | {promise} | {parts} parts | {stored:,} entries | {verdict} |"


def publish(folder: Path = FOLDER, page: Path = PAGE) -> None:
    """Write the table beside the results, and into docs/reliability.md."""
    found = table(folder)
    (folder / "table.md").write_text(found)
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    page.write_text(f"{before}{begin}\n{found}{end}{after}")


def table_line(about: Trial, summary: Summary) -> str:
    """Return the line of one row."""
    if not summary.parts:
        why = f"skipped: {summary.skipped[-1]}" if summary.skipped else "not run"
        return f"| {about.row} | {about.fault} | {about.promise} | {why} | | |"
    slow = about.judge(summary) if about.judge else []
    excused = slow and summary.crowded
    problems = summary.problems if excused else [*summary.problems, *slow]
    done = f"{summary.amount:,} of {about.wanted:,} {about.unit} (seeds {_ranges(summary.seeds)})"
    verdict = "**failed**: " + "; ".join(problems[:3]) if problems else "passed" if summary.amount >= about.wanted else "so far"
    if excused:
        verdict += f"; times not judged, the machine had too much other work (load {summary.load_per_core:g} a core): {slow[0]}"
    return f"| {about.row} | {about.fault} | {about.promise} | {done} | {about.told(summary)} | {verdict} |"


def _ranges(seeds: list[int]) -> str:
    """Write 1, 2, 3, 7 as ``1-3, 7``."""
    parts: list[list[int]] = []
    for seed in sorted(set(seeds)):
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
