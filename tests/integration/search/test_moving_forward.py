"""A store that the first version made, moved forward through every later one with its data in place.

PostgreSQL's first release had all of its tables: what came later, ``tests/integration/postgres/test_migrations.py`` tries.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import zero.infrastructure.clickhouse.migrations as releases
from tests.integration.clickhouse_cluster import CLUSTER, DATABASE
from tests.integration.clickhouse_server import ClickHouseServer
from tests.integration.search.catalogue import embedded
from tests.integration.search.conftest import CODEC, ClickHouseLogs
from zero.application.meaning.embedders import Embedders
from zero.application.meaning.search import MeaningSearch
from zero.application.patterns.catalogue import Catalogue
from zero.application.ports import Mode, PatternQuery, Scope
from zero.application.search import Search, SearchRequest
from zero.domain.batch_id import batch_id
from zero.domain.entry import Level, LogEntry
from zero.domain.query import Everything
from zero.domain.stored import StoredEntry
from zero.infrastructure.clickhouse.connection import connect_writer
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.embedding.bundled import BundledEmbedder
from zero.infrastructure.lucene.parser import LuceneParser
from zero.infrastructure.memory import MemoryTelemetry
from zero.infrastructure.system.clock import SystemClock

START_S = 1_795_341_600
METADATA = {"user": "anna", "attempt": 3, "share": 0.5, "paid": True, "größe": "ß", "list": '[1,"a"]', "big": 2**63}
ALL = Scope("default", Everything())
LATEST = len(releases.migrations(ClickHouseOptions("http://h")))
WITH_PATTERNS = 3
"""The first version with a catalogue that has words and vectors."""


class Installation(ClickHouseLogs):
    """A data folder whose version goes up: ``migrate`` knows the migrations up to that one, as its release did."""

    def __init__(self, path: Path, cluster: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
        module = "tests.integration.clickhouse_cluster" if cluster else "zero.embedded.clickhouse"
        self.server = ClickHouseServer(path, module=module).start()
        self._cluster, self._monkeypatch, self._every = cluster, monkeypatch, releases.migrations
        try:
            assert self.migrate(1) == ["0001_logs"]
            self.writer = connect_writer(self.options("default"))
        except BaseException:
            self.server.close()
            raise

    def options(self, user: str) -> ClickHouseOptions:
        return replace(self.server.options(DATABASE, user), cluster=self._cluster)

    def migrate(self, version: int) -> list[str]:
        self._monkeypatch.setattr(releases, "migrations", lambda options: self._every(options)[:version])
        self._monkeypatch.setattr(releases, "_KEPT_AS_LONG_AS_LOGS", ("logs", "patterns")[:version])
        return releases.migrate(self.options("default"))

    def restart(self) -> None:
        self.close()
        self.server.start()
        self.writer = connect_writer(self.options("default"))


@pytest.fixture(params=[None, CLUSTER], ids=["one server", "two shards"])
def installation(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """A store of the first version."""
    made = Installation(tmp_path, request.param, monkeypatch)
    yield made
    made.close()


def batch(version: int) -> list[StoredEntry]:
    """What was stored while the store had this version: entries over three days."""
    identity, trace = batch_id((START_S + version) * 1000, 1, 0), f"{version:02x}" * 16
    entries = [
        LogEntry(
            f"version {version} could not pay order {index}",
            (START_S + version + index * 20_000) * 10**9,
            Level.ERROR if index % 2 else Level.INFO,
            f"app{version % 2}",
            trace_id=trace,
            metadata=METADATA,
        )
        for index in range(12)
    ]
    return [StoredEntry(identity, index, entry) for index, entry in enumerate(entries)]


async def keep_patterns(logs: Installation) -> None:
    """Do at once what the api does in the background."""
    patterns = logs.pattern_store()
    await Catalogue(patterns, CODEC.mask, SystemClock(), MemoryTelemetry()).look()
    await patterns.close()
    await embedded(logs, BundledEmbedder())


async def everything_is_found(logs: Installation, expected: Sequence[StoredEntry]) -> None:
    reader = logs.reader()
    found = [replace(stored, pattern_id=0) for stored in await reader.latest(ALL, 1000)]
    assert found == sorted(expected, key=lambda one: one.key, reverse=True)
    search = Search(LuceneParser(), reader, SystemClock())
    for query, count in (
        ("level:error AND pay AND attempt:3 AND größe:ß", len(expected) // 2),
        ('"version 1"', 12),
        (f"trace_id:{'01' * 16}", 12),
    ):
        assert len((await search.find(SearchRequest("default", query), 1000)).entries) == count, query
    assert sum(tally.count for tally in await reader.histogram(ALL, 300)) == len(expected)
    assert dict((await reader.facets(ALL, ("level",), 5))["level"]) == {"ERROR": len(expected) // 2, "INFO": len(expected) // 2}
    await keep_patterns(logs)
    counted = await logs.pattern_reader(reader).count(PatternQuery(ALL, limit=100))
    assert sum(pattern.count for pattern in counted) == len(expected)
    shelf = Embedders(BundledEmbedder.name, {BundledEmbedder.name: BundledEmbedder})
    meaning = MeaningSearch(search, logs.meaning_reader(reader), reader, shelf, SystemClock(), MemoryTelemetry())
    assert await meaning.patterns(SearchRequest("default", "orders that could not be paid"), Mode.HYBRID, 10)
    await reader.close()


async def test_what_was_stored_under_every_version_is_found_under_the_latest(installation: Installation) -> None:
    stored = batch(1)
    installation.store(stored)
    for version in range(2, LATEST + 1):
        assert len(installation.migrate(version)) == 1
        installation.store(batch(version))
        stored += batch(version)
        if version == WITH_PATTERNS:
            await keep_patterns(installation)
    installation.restart()
    assert installation.migrate(LATEST) == []
    await everything_is_found(installation, stored)


@pytest.mark.parametrize("installation", [None], ids=["one server"], indirect=True)
async def test_a_data_folder_of_the_first_version_moves_to_the_latest_at_once(installation: Installation) -> None:
    """And once more when nothing says that it has: a run that was cut off is completed by the next."""
    installation.store(batch(1))
    installation.restart()
    assert len(installation.migrate(LATEST)) == LATEST - 1
    installation.writer.command("TRUNCATE TABLE zero_migrations")
    assert len(installation.migrate(LATEST)) == LATEST
    await everything_is_found(installation, batch(1))
