"""Ranking the patterns of one tenant by a question, where they lie: vectors by cosineDistance, words by their stems."""

from collections.abc import Mapping, Sequence
from typing import Any

from zero.application.ports import Mode, Question, Ranked, Scope
from zero.domain.query import Everything, TimeBetween
from zero.infrastructure.clickhouse.reader import ClickHouseReader, scope_condition
from zero.infrastructure.clickhouse.rows import read_json_rows

_OF_TENANT = "WHERE tenant = {tenant:String}"
# Long patterns answer many words by chance: how much of a pattern's length, in averages, counts against it.
_LENGTH_SHARE = 0.15
_LENGTH = f"({1 - _LENGTH_SHARE} + {_LENGTH_SHARE} * length(words) / avg(length(words)) OVER ())"
# Where a vector stands between the average pattern (0) and the nearest one (1).
_NEARNESS = "greatest(0, (cosine - avg(cosine) OVER ()) / greatest(1e-6, max(cosine) OVER () - avg(cosine) OVER ()))"
_SCORES = {
    Mode.TEXT: "textual",
    Mode.SEMANTIC: "cosine",
    Mode.HYBRID: "(near + {weight:Float64} * textual / greatest(1e-6, max(textual) OVER ())) / (1 + {weight:Float64})",
}


class ClickHouseMeaningReader:
    """Implements MeaningReader over the queries, and within the bounds, of a ClickHouseReader."""

    def __init__(self, reader: ClickHouseReader) -> None:
        self._reader = reader

    async def embedded(self, tenant: str) -> Mapping[str, int]:
        """Count the vectors of patterns that the catalogue has."""
        sql = (
            f"SELECT embedder, uniqExact(pattern_id) FROM pattern_vectors {_OF_TENANT} AND pattern_id GLOBAL IN"
            f" (SELECT pattern_id FROM patterns {_OF_TENANT}) GROUP BY embedder"
        )
        return {name: int(count) for name, count in read_json_rows(await self._reader.ask(sql, {"tenant": tenant}))}

    async def rank(self, scope: Scope, question: Question, limit: int) -> Sequence[Ranked]:
        """Score every pattern with entries in the scope, then fetch the texts of the best."""
        sql, parameters = _ranking(scope, question)
        rows = list(read_json_rows(await self._reader.ask(sql, {**parameters, "limit": limit})))
        texts = await self._texts(scope.tenant, [int(row[0]) for row in rows])
        found = []
        for row in rows:
            identity, group_id, count = int(row[0]), int(row[1]), int(row[2])
            if identity in texts:
                score, words, cosine = (round(float(value), 4) for value in row[3:])
                found.append(Ranked(identity, group_id, *texts[identity], count, score, words, cosine))
        return found

    async def _texts(self, tenant: str, pattern_ids: Sequence[int]) -> dict[int, tuple[str, str, str]]:
        if not pattern_ids:
            return {}
        sql = (
            f"SELECT pattern_id, text, group_text, example FROM patterns FINAL {_OF_TENANT}"
            " AND pattern_id IN {patterns:Array(UInt64)}"
        )
        rows = read_json_rows(await self._reader.ask(sql, {"tenant": tenant, "patterns": list(pattern_ids)}))
        return {int(row[0]): (row[1], row[2], row[3]) for row in rows}


def _ranking(scope: Scope, question: Question) -> tuple[str, dict[str, Any]]:
    """Return the query of (pattern, group, entries of the group, score, text score, cosine), and its parameters."""
    patterns, parameters = _patterns(scope)
    matched, textual, of_words = _textual(question)
    parameters |= of_words
    vectors, cosine = "", "0."
    if question.mode is not Mode.TEXT:
        parameters |= {"embedder": question.embedder, "vector": list(question.vector), "weight": question.text_weight}
        cosine = "cosine"
        vectors = (
            " GLOBAL LEFT JOIN (SELECT pattern_id, 1 - cosineDistance(vector, {vector:Array(Float32)}) AS cosine"
            f" FROM pattern_vectors FINAL {_OF_TENANT} AND embedder = {{embedder:String}}) AS vectors USING (pattern_id)"
        )
    sql = (
        "SELECT * FROM ("
        f"SELECT pattern_id, group_id, entries, {_SCORES[question.mode]} AS score, textual, cosine FROM ("
        f"SELECT pattern_id, group_id, sum(counted) OVER (PARTITION BY group_id) AS entries, {textual} / {_LENGTH} AS textual,"
        f" {_NEARNESS} AS near, cosine FROM ("
        f"SELECT pattern_id, group_id, counted, words, {cosine} AS cosine{matched} FROM ({patterns}) AS patterns"
        f" GLOBAL LEFT JOIN (SELECT pattern_id, words FROM pattern_words FINAL {_OF_TENANT}) AS stems USING (pattern_id)"
        f"{vectors}))) WHERE score > 0 ORDER BY score DESC, entries DESC, pattern_id LIMIT {{limit:UInt32}}"
    )
    return sql, parameters


def _patterns(scope: Scope) -> tuple[str, dict[str, Any]]:
    """Return SQL for (pattern_id, group_id, counted): the catalogue alone knows when nothing narrows the search."""
    known = f"SELECT pattern_id, group_id, count AS counted FROM patterns FINAL {_OF_TENANT}"
    if scope.query == Everything() and scope.from_ns is None and scope.to_ns is None:
        return known, {"tenant": scope.tenant}
    condition, parameters = scope_condition(scope, TimeBetween(scope.from_ns, scope.to_ns))
    counts = f"SELECT pattern_id, count() AS counted FROM logs WHERE {condition} GROUP BY pattern_id"
    groups = f"SELECT pattern_id, group_id FROM patterns FINAL {_OF_TENANT}"
    return (
        f"SELECT pattern_id, group_id, counts.counted AS counted FROM ({counts}) AS counts"
        f" GLOBAL INNER JOIN ({groups}) AS groups USING (pattern_id)",
        parameters,
    )


def _textual(question: Question) -> tuple[str, str, dict[str, Any]]:
    """Return the columns ``m0``, ``m1``, … (how well a pattern answers each word), their weighted mean, and the parameters.

    Words weigh by how rare they are among the patterns (BM25's inverse document frequency); one that none has weighs most, so
    that a question half answered scores half.
    """
    columns, parts, weights = [], [], []
    parameters: dict[str, Any] = {}
    for number, asked in enumerate(question.words):
        parameters |= {f"t{number}": list(asked.stems), f"w{number}": list(asked.stems.values())}
        best = f"transform(toString(x), {{t{number}:Array(String)}}, {{w{number}:Array(Float64)}}, 0.)"
        if asked.prefix:
            parameters[f"q{number}"] = asked.prefix
            best = f"greatest({best}, if(startsWith(x, {{q{number}:String}}), {asked.prefix_weight}, 0.))"
        columns.append(f", arrayMax(x -> {best}, words) AS m{number}")
        having = f"countIf(m{number} = 1) OVER ()"
        weight = f"log(1 + (count() OVER () - {having} + 0.5) / ({having} + 0.5))"
        weights.append(weight)
        parts.append(f"{weight} * m{number}")
    if not parts:
        return "", "0.", {}
    return "".join(columns), f"({' + '.join(parts)}) / ({' + '.join(weights)})", parameters
