"""Words and vectors of patterns, as the one who makes them sees them: all tenants, with all rights of the writer."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from zero.application.ports import PatternText, Vector
from zero.infrastructure.clickhouse.cluster import on_cluster
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.clickhouse.worker import ClickHouseWorker, insert_rows, look_up, new_version, query_rows

_GONE = "(tenant, pattern_id) GLOBAL NOT IN (SELECT tenant, pattern_id FROM patterns)"
_CHARS_MAX = 4096
_GONE_MAX = 10_000  # in one deletion; the rest has its turn the next time


class ClickHouseMeaningStore:
    """Implements MeaningStore over a worker of its own.

    More than ``indexed_min`` vectors get an index.
    """

    def __init__(self, options: ClickHouseOptions, indexed_min: int = 100_000) -> None:
        self._options = options
        self._indexed_min = indexed_min
        self._worker = ClickHouseWorker(options, "clickhouse-meaning")

    async def without_words(self, limit: int) -> Sequence[PatternText]:
        """Compare with the catalogue."""
        return await self._worker.run(
            _missing, "SELECT tenant, pattern_id FROM pattern_words WHERE word = ''", {"limit": limit}
        )

    async def without_vector(self, embedder: str, limit: int) -> Sequence[PatternText]:
        """Compare with the catalogue."""
        known = "SELECT tenant, pattern_id FROM pattern_vectors WHERE embedder = {embedder:String}"
        return await self._worker.run(_missing, known, {"embedder": embedder, "limit": limit})

    async def put_words(self, patterns: Sequence[PatternText], words: Sequence[Sequence[str]]) -> None:
        """Insert a row for each word, and one for the pattern, whose word is empty."""
        version = new_version()
        rows = [
            json.dumps([one.tenant, stem, one.pattern_id, len(stems), version])
            for one, stems in zip(patterns, words, strict=True)
            for stem in ("", *stems)
        ]
        await self._worker.run(insert_rows, "pattern_words", ("tenant", "word", "pattern_id", "words", "version"), rows)

    async def put_vectors(self, embedder: str, patterns: Sequence[PatternText], vectors: Sequence[Vector]) -> None:
        """Insert a version of each that replaces the former ones."""
        columns = ("tenant", "embedder", "pattern_id", "vector", "version")
        version = new_version()
        rows = [
            f"[{json.dumps(one.tenant)},{json.dumps(embedder)},{one.pattern_id},[{_numbers(vector)}],{version}]"
            for one, vector in zip(patterns, vectors, strict=True)
        ]
        await self._worker.run(self._put_vectors, columns, rows, len(vectors[0]) if vectors else 0)

    async def forget_all_but(self, embedder: str) -> None:
        """Delete where there is something to delete: a deletion rewrites parts."""
        await self._worker.run(self._forget, "pattern_vectors", "embedder != {embedder:String}", {"embedder": embedder})
        for table in ("pattern_vectors", "pattern_words"):
            await self._worker.run(self._forget_gone, table)

    async def index_vectors(self) -> None:
        """Add the vector index once there are many, all of one length. A server that has no such index goes on without."""
        await self._worker.run(self._index)

    async def close(self) -> None:
        """Close the connection once the running call has ended."""
        await self._worker.close()

    def _forget(self, client: Client, table: str, condition: str, parameters: Mapping[str, Any]) -> None:
        if query_rows(client, f"SELECT 1 FROM {table} WHERE {condition} LIMIT 1", parameters):
            client.command(f"DELETE FROM {self._place(table)} WHERE {condition}", dict(parameters))

    def _forget_gone(self, client: Client, table: str) -> None:
        """Delete by explicit ids: a subquery would run on each replica by itself, and could find something else on each."""
        sql = f"SELECT DISTINCT tenant, pattern_id FROM {table} WHERE {_GONE} LIMIT {_GONE_MAX}"
        gone: dict[str, list[int]] = {}
        for tenant, identity in query_rows(client, sql, {}):
            gone.setdefault(str(tenant), []).append(int(identity))
        for tenant, patterns in gone.items():
            condition = "tenant = {tenant:String} AND pattern_id IN {patterns:Array(UInt64)}"
            self._forget(client, table, condition, {"tenant": tenant, "patterns": patterns})

    def _index(self, client: Client) -> None:
        lengths = query_rows(client, "SELECT length(vector), count() FROM pattern_vectors GROUP BY 1", {})
        if len(lengths) != 1 or int(lengths[0][1]) <= self._indexed_min or _index_kind(client):
            return
        place, kind = (
            self._place("pattern_vectors"),
            f"vector_similarity('hnsw', 'cosineDistance', {int(lengths[0][0])}, 'bf16', 16, 64)",
        )
        client.command(f"ALTER TABLE {place} APPLY DELETED MASK SETTINGS mutations_sync = 2")  # those of other lengths
        try:
            client.command(f"ALTER TABLE {place} ADD INDEX IF NOT EXISTS near vector TYPE {kind}")
        except DatabaseError:
            return
        client.command(f"ALTER TABLE {place} MATERIALIZE INDEX near SETTINGS mutations_sync = 0")

    def _put_vectors(self, client: Client, columns: Sequence[str], rows: Sequence[str], dimensions: int) -> None:
        """Insert; the index takes vectors of one length, so it goes when those of another embedder come."""
        kind = _index_kind(client)
        if kind and f", {dimensions}," not in kind:
            client.command(
                f"ALTER TABLE {self._place('pattern_vectors')} DROP INDEX IF EXISTS near SETTINGS mutations_sync = 2"
            )
        insert_rows(client, "pattern_vectors", columns, rows)

    def _place(self, table: str) -> str:
        """Return what a statement that changes the table itself names: in a cluster, the local ones of all servers."""
        return f"{table}_local{on_cluster(self._options)}" if self._options.cluster else table


def _missing(client: Client, known: str, parameters: Mapping[str, Any]) -> list[PatternText]:
    sql = (
        f"SELECT tenant, pattern_id, substringUTF8(text, 1, {_CHARS_MAX}), first_bid, first_idx FROM patterns FINAL"
        f" WHERE (tenant, pattern_id) GLOBAL NOT IN ({known}) LIMIT {{limit:UInt32}}"
    )
    rows = query_rows(client, sql, parameters)
    apps = look_up(client, "app_id", [(int(row[3]), int(row[4])) for row in rows]) if rows else {}
    return [PatternText(row[0], int(row[1]), row[2], apps.get((row[0], int(row[3]), int(row[4])), "")) for row in rows]


def _index_kind(client: Client) -> str:
    """Return how the vector index was made, '' when there is none."""
    sql = (
        "SELECT type_full FROM system.data_skipping_indices WHERE database = currentDatabase()"
        " AND table IN ('pattern_vectors', 'pattern_vectors_local') AND name = 'near'"
    )
    return "".join(str(row[0]) for row in query_rows(client, sql, {}))


def _numbers(vector: Vector) -> str:
    """Return the numbers as JSON, exact enough to compare."""
    return ",".join([f"{value:.4g}" for value in vector])
