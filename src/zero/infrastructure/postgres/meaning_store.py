"""Words and vectors of patterns, as the one who makes them sees them: all tenants, with all rights of the writer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from zero.application.ports import PatternText, Vector
from zero.infrastructure.postgres.options import PostgresOptions
from zero.infrastructure.postgres.values import from_text, signed, to_text, unsigned
from zero.infrastructure.postgres.worker import PostgresWorker

NUMBERS = numpy.dtype("<f4")
"""What a stored vector is made of."""
_CHARS_MAX = 4096
_GONE = "NOT EXISTS (SELECT FROM patterns WHERE patterns.tenant = {0}.tenant AND patterns.pattern_id = {0}.pattern_id)"


class PostgresMeaningStore:
    """Implements MeaningStore over a worker of its own."""

    def __init__(self, options: PostgresOptions) -> None:
        self._worker = PostgresWorker(options)

    async def without_words(self, limit: int) -> Sequence[PatternText]:
        """Compare with the catalogue."""
        return await self._missing("pattern_words AS made WHERE made.word = ''", {"limit": limit})

    async def without_vector(self, embedder: str, limit: int) -> Sequence[PatternText]:
        """Compare with the catalogue."""
        known = "pattern_vectors AS made WHERE made.embedder = %(embedder)s"
        return await self._missing(known, {"embedder": to_text(embedder), "limit": limit})

    async def put_words(self, patterns: Sequence[PatternText], words: Sequence[Sequence[str]]) -> None:
        """Insert a row for each word, and one for the pattern, whose word is empty."""
        rows = {
            (to_text(one.tenant), to_text(stem), signed(one.pattern_id)): len(stems)
            for one, stems in zip(patterns, words, strict=True)
            for stem in ("", *stems)
        }
        sql = "INSERT INTO pattern_words VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"
        await self._worker.run_many(sql, [(*key, count) for key, count in sorted(rows.items())])

    async def put_vectors(self, embedder: str, patterns: Sequence[PatternText], vectors: Sequence[Vector]) -> None:
        """Put the numbers, 4 bytes each."""
        sql = (
            "INSERT INTO pattern_vectors VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (tenant, embedder, pattern_id) DO UPDATE SET vector = excluded.vector"
        )
        rows = [
            (to_text(one.tenant), to_text(embedder), signed(one.pattern_id), numpy.asarray(vector, NUMBERS).tobytes())
            for one, vector in zip(patterns, vectors, strict=True)
        ]
        await self._worker.run_many(sql, sorted(rows))

    async def forget_all_but(self, embedder: str) -> None:
        """Delete what nothing will ask for again."""
        gone = _GONE.format("pattern_vectors")
        await self._worker.run(f"DELETE FROM pattern_vectors WHERE embedder <> %(one)s OR {gone}", {"one": to_text(embedder)})
        await self._worker.run(f"DELETE FROM pattern_words WHERE {_GONE.format('pattern_words')}", {})

    async def index_vectors(self) -> None:
        """Vectors are compared where numpy is, all of them: there is nothing to index."""

    async def close(self) -> None:
        """Close the connection."""
        await self._worker.close()

    async def _missing(self, known: str, parameters: Mapping[str, Any]) -> list[PatternText]:
        sql = (
            f"SELECT tenant, pattern_id, left(text, {_CHARS_MAX}), coalesce((SELECT app_id FROM logs"
            " WHERE bid = first_bid AND idx = first_idx AND logs.tenant = patterns.tenant LIMIT 1), '') FROM patterns"
            f" WHERE NOT EXISTS (SELECT FROM {known} AND made.tenant = patterns.tenant"
            " AND made.pattern_id = patterns.pattern_id) LIMIT %(limit)s"
        )
        rows = await self._worker.run(sql, parameters)
        return [
            PatternText(from_text(tenant), unsigned(one), from_text(text), from_text(app)) for tenant, one, text, app in rows
        ]
