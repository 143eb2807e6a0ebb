"""``zero bench scale``: how many machines so many entries a second need, from the results that are kept, and where that ends.

Processor time of a role is fitted as ``a + b / n`` microseconds an entry, n entries a request, to the cases of a stage; disk,
network and memory are those of ``zero bench footprint``. What is not measured is in ``Assumed``, and nowhere else.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.record import RESULTS, ROOT

PAGE = ROOT / "docs" / "scale.md"
BEGIN, END = "<!-- tables: begin -->\n", "<!-- tables: end -->"
STAGES = {"NDJSON": 6, "LogBatch": 7}
FOOTPRINTS = {"NDJSON": "batches of 1000 NDJSON", "LogBatch": "batches of 1000 LogBatch"}
ROLES = {"ingest": "ingest", "valkey": "buffer", "drain": "drain", "clickhouse": "store", "api": "api"}
"""The roles as processes are called in the stages, and as hosts are called in the footprint."""
UNIT = 100_000
RATES = (100_000, 1_000_000, 10_000_000, 100_000_000)
BATCH = 1000
SECONDS_A_DAY = 86_400
SHARDS_MAX = 256
"""Of ZERO_SHARDS."""


@dataclass(frozen=True)
class Assumed:
    """What is chosen, not measured."""

    busy: float = 0.6  # of a core, on average: the rest is for peaks and for the hosts that fail
    busy_single: float = 0.5  # of the one thread of a Valkey
    shard_share: float = 0.3  # of what one drain was measured at, which had its machine to itself
    store_cores: int = 32
    nic_gbit: float = 10.0
    nic_share: float = 0.6
    replicas: int = 1  # of each Valkey primary, and of each store server: everything there is twice
    backlog_seconds: int = 60  # of a store that is away, held in the memory of the buffer
    days: int = 30


ASSUMED = Assumed()


@dataclass(frozen=True)
class Cost:
    """Microseconds of processor an entry: ``a + b / n``; ``off`` is the worst relative error over the cases of the fit."""

    a: float
    b: float
    off: float

    def at(self, entries_a_request: int) -> float:
        """Return what an entry costs in requests of so many."""
        return self.a + self.b / entries_a_request


def fit(points: Sequence[tuple[int, float]]) -> Cost:
    """Fit a cost to (entries a request, microseconds an entry) by least squares of relative errors; no part is negative."""
    rows = [(1 / cost, 1 / (n * cost)) for n, cost in points]
    aa, ab, bb = (sum(row[i] * row[j] for row in rows) for i, j in ((0, 0), (0, 1), (1, 1)))
    ay, by = sum(row[0] for row in rows), sum(row[1] for row in rows)
    determinant = aa * bb - ab * ab
    a, b = ((ay * bb - by * ab) / determinant, (by * aa - ay * ab) / determinant) if determinant else (ay / aa, 0.0)
    if a < 0:
        a, b = 0.0, by / bb
    if b < 0:
        a, b = ay / aa, 0.0
    return Cost(a, b, max(abs(a + b / n - cost) / cost for n, cost in points))


def costs(stage: dict[str, Any]) -> dict[str, Cost]:
    """Return the cost of each role over the cases of a stage."""
    points: dict[str, list[tuple[int, float]]] = {role: [] for role in ROLES}
    for case in stage["cases"]:
        for role, found in points.items():
            seconds = sum(used for name, used in case["cpu_seconds"].items() if name.rpartition("-")[0] == role)
            found.append((case["entries_a_request"], max(seconds, 0.001) / case["entries_accepted"] * 1e6))
    return {role: fit(found) for role, found in points.items()}


@dataclass(frozen=True)
class Model:
    """What the results say, for one form of the entries."""

    form: str
    costs: dict[str, Cost]
    hosts: dict[str, dict[str, float]]
    kept_bytes: float
    drain_per_second: float
    sync_ms: float
    entries_a_block: float

    @classmethod
    def read(cls, form: str, folder: Path = RESULTS) -> "Model":
        """Return the model of the results in a folder."""

        def result(name: str) -> dict[str, Any]:
            found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
            return found

        footprint = result("footprint")
        case = next(case for case in footprint["cases"] if case["case"] == FOOTPRINTS[form])
        return cls(
            form,
            costs(result(f"stage-{STAGES[form]}")),
            {role: case["roles"][host] for role, host in ROLES.items()},
            result("search")["stored"]["wholly_merged"]["bytes_an_entry"],
            result("drain")["entries_per_second"]["median"],
            footprint["fdatasync_ms"],
            case["entries"] / max(1, case["blocks"]),
        )

    def cores(self, role: str, rate: float) -> float:
        """Return the cores that a role keeps busy."""
        return self.costs[role].at(BATCH) * rate / 1e6

    def gbit(self, role: str, rate: float, way: str) -> float:
        """Return what a role receives or sends."""
        return self.hosts[role][f"{way}_bytes_an_entry"] * rate * 8 / 1e9

    def shards(self, rate: float) -> int:
        """Return how many streams, each with one drain, keep up."""
        return math.ceil(rate / (self.drain_per_second * ASSUMED.shard_share))

    def primaries(self, rate: float) -> int:
        """Return how many Valkey primaries have the time and the network for it."""
        by_time = self.cores("valkey", rate) / ASSUMED.busy_single
        # The replica of each is sent the same again.
        sent = self.gbit("valkey", rate, "sent") + ASSUMED.replicas * self.gbit("valkey", rate, "received")
        return max(1, math.ceil(by_time), math.ceil(sent / _line()))

    def ingests(self, rate: float) -> int:
        """Return how many ingest processes of a core each."""
        return max(1, math.ceil(self.cores("ingest", rate) / ASSUMED.busy))

    def stores(self, rate: float) -> int:
        """Return how many store servers, without their replicas."""
        return max(1, math.ceil(self.cores("clickhouse", rate) / ASSUMED.busy / ASSUMED.store_cores))


def _line() -> float:
    return ASSUMED.nic_gbit * ASSUMED.nic_share


def fitted(models: Sequence[Model]) -> str:
    """Return the table of the fit."""
    rows = ["| role | form | µs an entry, fitted | worst error | at 1 | at 10 | at 1,000 |", "|---|---|---|---|---|---|---|"]
    for role in ROLES:
        for model in models:
            cost = model.costs[role]
            at = " | ".join(f"{cost.at(n):.2f}" for n in (1, 10, 1000))
            rows.append(f"| {role} | {model.form} | {cost.a:.2f} + {cost.b:.1f} / n | {cost.off:.0%} | {at} |")
    return "\n".join(rows) + "\n"


def a_unit(models: Sequence[Model]) -> str:
    """Return the table of what 100,000 entries a second take."""
    head = "| role | form | cores busy | memory of the process | written to disk | received | sent |"
    rows = [head, "|---|---|---|---|---|---|---|"]
    for role in ROLES:
        for model in models:
            host = model.hosts[role]
            network = " | ".join(f"{model.gbit(role, UNIT, way) * 1000:,.0f} Mbit/s" for way in ("received", "sent"))
            disk, memory = f"{host['disk_bytes_an_entry'] * UNIT / 1e6:.1f} MB/s", f"{host['peak_memory_mib']:,.0f} MiB"
            rows.append(f"| {role} | {model.form} | {model.cores(role, UNIT):.3f} | {memory} | {disk} | {network} |")
    return "\n".join(rows) + "\n"


def extrapolated(model: Model) -> str:
    """Return the table of what the rates need."""
    lines: list[tuple[str, list[str]]] = [
        ("ingest processes of a core", [f"{model.ingests(rate):,}" for rate in RATES]),
        ("into all of ingest", [f"{model.gbit('ingest', rate, 'received'):,.1f} Gbit/s" for rate in RATES]),
        ("shards, each with a drain", [f"{model.shards(rate):,}" for rate in RATES]),
        ("cores of all drains", [_cores(model.cores("drain", rate)) for rate in RATES]),
        ("Valkey primaries (as many replicas)", [f"{model.primaries(rate):,}" for rate in RATES]),
        ("memory of all primaries, backlog", [_size(_backlog(model, rate)) for rate in RATES]),
        ("written by all primaries", [_rate(model, "valkey", rate) for rate in RATES]),
        ("ClickHouse servers (as many replicas)", [f"{model.stores(rate):,}" for rate in RATES]),
        ("cores of all ClickHouse servers", [_cores(model.cores("clickhouse", rate)) for rate in RATES]),
        ("blocks a second, all together", [f"{rate / model.entries_a_block:,.0f}" for rate in RATES]),
        ("written by all ClickHouse servers", [_rate(model, "clickhouse", rate) for rate in RATES]),
        ("kept a day, merged", [_size(model.kept_bytes * rate * SECONDS_A_DAY) for rate in RATES]),
        (f"kept {ASSUMED.days} days", [_size(model.kept_bytes * rate * SECONDS_A_DAY * ASSUMED.days) for rate in RATES]),
    ]
    head = "| entries/s | " + " | ".join(f"{rate:,}" for rate in RATES) + " |"
    return (
        "\n".join([head, "|---" * (len(RATES) + 1) + "|", *(f"| {name} | {' | '.join(row)} |" for name, row in lines)]) + "\n"
    )


def limits(models: Sequence[Model]) -> str:
    """Return the table of what one of each can take."""
    card, servers = ASSUMED.nic_gbit * 1e9 / 8, f"ClickHouse server of {ASSUMED.store_cores} cores"

    def once(model: Model, role: str, entries: int) -> float:
        return 1e6 / model.costs[role].at(entries)

    def passing(model: Model, role: str, received: int, sent: int) -> float:
        host = model.hosts[role]
        return card / (received * host["received_bytes_an_entry"] + sent * host["sent_bytes_an_entry"])

    takes: dict[str, Callable[[Model], float]] = {
        f"ingest core, requests of {BATCH:,}": lambda model: once(model, "ingest", BATCH),
        "ingest core, requests of 1": lambda model: once(model, "ingest", 1),
        f"Valkey thread, requests of {BATCH:,}": lambda model: once(model, "valkey", BATCH),
        "Valkey thread, requests of 1": lambda model: once(model, "valkey", 1),
        "Valkey disk, if each flush held one entry": lambda model: 1000 / model.sync_ms,
        "shard and its drain, as measured": lambda model: model.drain_per_second,
        f"network card of {ASSUMED.nic_gbit:g} Gbit/s at ingest": lambda model: passing(model, "ingest", 1, 0),
        "the same at a primary with its replica": lambda model: passing(model, "valkey", ASSUMED.replicas, 1),
        servers: lambda model: once(model, "clickhouse", BATCH) * ASSUMED.store_cores * ASSUMED.busy,
        f"installation of {SHARDS_MAX} shards": lambda model: SHARDS_MAX * model.drain_per_second * ASSUMED.shard_share,
    }
    rows = ["| one … | " + " | ".join(model.form for model in models) + " |", "|---" * (len(models) + 1) + "|"]
    for what, take in takes.items():
        rows.append(f"| {what} | " + " | ".join(f"{_round(take(model)):,} entries/s" for model in models) + " |")
    return "\n".join(rows) + "\n"


def _round(value: float) -> int:
    """Return the number to three digits: more is not known."""
    step: int = 10 ** max(0, int(math.log10(value)) - 2)
    return round(value / step) * step


def _cores(busy: float) -> str:
    return f"{max(1, math.ceil(busy / ASSUMED.busy)):,}"


def _backlog(model: Model, rate: float) -> float:
    return model.hosts["valkey"]["received_bytes_an_entry"] * rate * ASSUMED.backlog_seconds


def _rate(model: Model, role: str, rate: float) -> str:
    return f"{_size(model.hosts[role]['disk_bytes_an_entry'] * rate)}/s"


def _size(count: float) -> str:
    for unit in ("MB", "GB", "TB"):
        count /= 1e6 if unit == "MB" else 1e3
        if count < 1000:
            return f"{count:,.1f} {unit}"
    return f"{count / 1e3:,.1f} PB"


def tables(folder: Path = RESULTS) -> str:
    """Return every table, with the results that they are from."""
    models = [Model.read(form, folder) for form in STAGES]
    names = [f"stage-{number}" for number in STAGES.values()] + ["footprint", "drain", "search"]
    origins = []
    for name in names:
        result = json.loads((folder / f"{name}.json").read_text())
        origins.append(f"`{name}.json` (`{result['commit']}`, {result['measured_at'][:10]})")
    parts = (
        f"From {', '.join(origins)}; {BATCH:,} entries a request where nothing else is said.\n",
        "### What an entry costs\n",
        fitted(models),
        f"### What {UNIT:,} entries a second take\n",
        a_unit(models),
        f"### What more take, {models[0].form}\n",
        extrapolated(models[0]),
        "### What one of each can take\n",
        limits(models),
    )
    return "\n".join(parts)


def publish(folder: Path = RESULTS, page: Path = PAGE) -> str:
    """Write the tables into the page, and return them."""
    found = tables(folder)
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    page.write_text(f"{before}{begin}{found}{end}{after}")
    return found
