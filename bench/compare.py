"""``zero bench compare A B``: two result files, or two folders of them, figure by figure."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOTABLE_PERCENT = 5.0
SURROUNDINGS = ("measured_at", "command", "commit", "machine", "versions", "corpus", "runs", "profile", "profiles", "queries")
LOWER_IS_BETTER = ("_ms", "seconds", "_mib", "lost", "errors", "refused", "bytes_an_entry", "_us", "cores_busy", "latency")
NEUTRAL = (
    "entries_a_request",
    "entries_a_frame",
    "connections",
    "found",
    "stage",
    "streams",
    "entries_accepted",
    "acknowledged",
)

Figure = tuple[str, float, float]


def figures(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Yield path and number of every figure; members of lists are named by their ``case``, processes by their role."""
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield path, float(value)
    elif isinstance(value, dict):
        for key, member in value.items():
            role, _, pid = key.rpartition("-")
            name = role if pid.isdigit() and role else key
            if key not in SURROUNDINGS and key != "case":
                yield from figures(member, f"{path} / {name}" if path else name)
    elif isinstance(value, list):
        for number, member in enumerate(value):
            name = member.get("case", number) if isinstance(member, dict) else number
            yield from figures(member, f"{path} / {name}" if path else str(name))


def compared(before: dict[str, Any], after: dict[str, Any]) -> list[Figure]:
    """Return what both results hold. Figures of several processes of a role are summed."""
    sums: list[dict[str, float]] = []
    for result in (before, after):
        summed: dict[str, float] = {}
        for path, value in figures(result):
            summed[path] = summed.get(path, 0.0) + value
        sums.append(summed)
    return [(path, value, sums[1][path]) for path, value in sums[0].items() if path in sums[1]]


def lines(before: dict[str, Any], after: dict[str, Any], everything: bool = False) -> list[str]:
    """Return a table of the figures that differ by more than the noise of such measurements."""
    rows = []
    for path, old, new in compared(before, after):
        percent = (new / old - 1) * 100 if old else (0.0 if new == old else float("inf"))
        if everything or (abs(percent) >= NOTABLE_PERCENT and not path.endswith(("min", "max"))):
            rows.append((path, f"{old:,.6g}", f"{new:,.6g}", f"{percent:+.1f} %", verdict(path, percent)))
    if not rows:
        return [f"no figure differs by {NOTABLE_PERCENT:g} % or more"]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]:>{widths[3]}}  {row[4]}".rstrip()
        for row in rows
    ]


def verdict(path: str, percent: float) -> str:
    """Return ``better`` or ``worse`` for a change that is one."""
    if abs(percent) < NOTABLE_PERCENT or any(word in path for word in NEUTRAL):
        return ""
    lower = any(word in path for word in LOWER_IS_BETTER) and not path.endswith("per_second")
    return "better" if (percent < 0) == lower else "worse"


def run(first: Path, second: Path, everything: bool) -> str:
    """Return the comparison of two files, or of the files of the same name in two folders."""
    if first.is_dir() != second.is_dir():
        raise ValueError("compare two files or two folders")
    if not first.is_dir():
        return "\n".join(_head(first, second) + lines(_read(first), _read(second), everything))
    parts = []
    for path in sorted(first.glob("*.json")):
        if (other := second / path.name).exists():
            parts += ["", *_head(path, other), *lines(_read(path), _read(other), everything)]
    return "\n".join(parts[1:]) or "no result is in both folders"


def _head(first: Path, second: Path) -> list[str]:
    found = [_read(path) for path in (first, second)]
    notes = [f"{first} ({found[0].get('commit')}) → {second} ({found[1].get('commit')})"]
    if found[0].get("machine") != found[1].get("machine"):
        notes.append("measured on different machines: only ratios within each say something")
    return notes


def _read(path: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(path.read_text())
    return result
