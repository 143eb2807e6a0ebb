"""``zero bench patterns``: how right and how fast lines get their patterns, and how fast the patterns of a store are listed."""

import asyncio
import csv
import io
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import corpus, record
from bench.measure import say
from bench.search import LINES, api, ask, fill, measure, merged, store
from zero.application.patterns.assignment import group_ids, masked_ids
from zero.application.patterns.catalogue import Catalogue
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.clickhouse.patterns import ClickHousePatternStore
from zero.infrastructure.memory import MemoryTelemetry
from zero.infrastructure.native.codec import NativeCodec
from zero.infrastructure.system.clock import SystemClock

MESSAGES = 1_000_000
RUNS = 5
CODEC = NativeCodec()
LABELLED = Path(__file__).parents[2] / "shared" / "data" / "loghub"


def labelled(folder: Path) -> dict[str, tuple[list[str], list[str]]]:
    """Return messages and labels of each system in the folder; none when it is not there."""
    found = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            rows = list(csv.DictReader(file))
        if rows and {"Content", "EventId"} <= rows[0].keys() and "LineId" in rows[0]:
            found[path.stem] = [row["Content"] for row in rows], [row["EventId"] for row in rows]
    return found


def assigned(messages: Sequence[str], *, groups: bool) -> list[bytes]:
    """Return the id of each message as ``zero patterns assign`` prints it."""
    text = "".join(message.replace("\n", " ") + "\n" for message in messages).encode()
    return b"".join((group_ids if groups else masked_ids)(io.BytesIO(text), CODEC.pattern_lines)).split()


def accuracy(predicted: Sequence[object], truth: Sequence[str]) -> float:
    """Return the fraction of lines whose predicted group is their true group, line by line (Zhu et al., 2019)."""
    by_prediction, by_truth = defaultdict(set), defaultdict(set)
    for line, (guess, label) in enumerate(zip(predicted, truth, strict=True)):
        by_prediction[guess].add(line)
        by_truth[label].add(line)
    right = sum(len(lines) for lines in by_prediction.values() if by_truth[truth[min(lines)]] == lines)
    return round(right / len(truth), 4)


def accuracies(folder: Path) -> dict[str, Any]:
    """Return the accuracy by system, of masks alone and of groups."""
    figures = {
        name: {kind: accuracy(assigned(messages, groups=kind == "groups"), labels) for kind in ("masks", "groups")}
        for name, (messages, labels) in labelled(folder).items()
    }
    kinds = ("masks", "groups") if figures else ()
    return {**figures, "average": {kind: round(sum(one[kind] for one in figures.values()) / len(figures), 4) for kind in kinds}}


def throughput(messages: Sequence[str]) -> dict[str, Any]:
    """Return messages a second of processor time, the messages round and round."""
    many = (list(messages) * (MESSAGES // len(messages) + 1))[:MESSAGES]
    text = "".join(message.replace("\n", " ") + "\n" for message in many).encode()
    rates = {}
    for kind, ids in (("masks", masked_ids), ("groups", group_ids)):
        seconds = []
        for _ in range(RUNS):
            began = time.process_time()
            for _ in ids(io.BytesIO(text), CODEC.pattern_lines):
                pass
            seconds.append(time.process_time() - began)
        rates[kind] = {"best": round(MESSAGES / min(seconds)), "median": round(MESSAGES / sorted(seconds)[RUNS // 2])}
    return {"messages": MESSAGES, "bytes": len(text), "distinct_masks": len(CODEC.pattern_lines(text)[1]), **rates}


def catalogued(options: ClickHouseOptions) -> dict[str, Any]:
    """Make the catalogue of what is stored; return how long that took and how many patterns there are."""

    async def make() -> tuple[int, float]:
        kept = ClickHousePatternStore(options)
        began = time.perf_counter()
        catalogue = Catalogue(kept, CODEC.mask, SystemClock(), MemoryTelemetry())
        await catalogue.count()
        took = time.perf_counter() - began
        patterns, _ = await kept.known(0, 1_000_000)
        await kept.close()
        return len({pattern.id for pattern in patterns}), took

    patterns, seconds = asyncio.run(make())
    return {"patterns": patterns, "seconds": round(seconds, 2)}


def listing(path: Path | None, entries: int) -> dict[str, Any]:
    """Return how long the doors of patterns take over a store of so many entries."""
    lines = corpus.lines(path, min(LINES, entries))
    with store() as stored:
        say(f"patterns: storing {entries:,} entries")
        fill(stored.writer, lines, entries)
        merged(stored.writer, wholly=False)
        catalogue = catalogued(stored.writer)
        with api(stored) as url:
            common = measure(url, [""], "/api/patterns", limit="1")
            cases = {
                "all": measure(url, [""], "/api/patterns", limit="100"),
                "rare": measure(url, [""], "/api/patterns", sort="rare", limit="100"),
                "errors": measure(url, ["level:error"], "/api/patterns", limit="100"),
                "last_15_minutes": measure(url, [""], "/api/patterns", limit="100", **{"from": "-15m"}),
                "lines_of_the_first": measure(url, [f"pattern_id:{first_id(url)}"]),
                "anomalies_of_the_last_hour": measure(url, [""], "/api/anomalies"),
            }
        return {"entries": entries, "catalogue": catalogue, "first": common, "cases": cases}


def first_id(url: str) -> str:
    """Return the id of the most frequent pattern."""
    return str(ask(url, "/api/patterns", {"limit": "1"})[1]["patterns"][0]["id"])


def run(path: Path | None, entries: int, folder: Path | None = None) -> Path:
    """Measure, and write bench/results/patterns.json. Without a folder of labelled logs, those beside the clone are taken."""
    folder = folder or LABELLED
    messages = [message for texts, _ in labelled(folder).values() for message in texts]
    has_labels = bool(messages)
    if not messages:
        messages = [json.loads(line)["message"] for line in corpus.lines(path, 20_000)]
    say("patterns: assigning")
    figures: dict[str, Any] = {"accuracy": accuracies(folder) if has_labels else "no labelled logs here"}
    figures["messages_per_cpu_second"] = throughput(messages)
    if entries:
        figures["listing"] = listing(path, entries)
    return record.write("patterns", figures)
