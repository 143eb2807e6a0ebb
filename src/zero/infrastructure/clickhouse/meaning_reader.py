"""Ranking the patterns of one tenant by a question, where they lie: vectors by cosineDistance, words by their stems."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zero.application.meaning.scoring import LENGTH_SHARE, WordWeights, own_stems, word_weights
from zero.application.ports import Mode, Question, Ranked, RankedTexts, Scope
from zero.infrastructure.clickhouse.counts import counted
from zero.infrastructure.clickhouse.reader import ClickHouseReader
from zero.infrastructure.clickhouse.rows import read_json_rows

_OF_TENANT = "WHERE tenant = {tenant:String}"
_DISTANCE = "cosineDistance(vector, {vector:Array(Float32)})"
_OF_EMBEDDER = f"{_OF_TENANT} AND embedder = {{embedder:String}}"
_SCORES = {
    Mode.TEXT: "textual",
    Mode.SEMANTIC: "cosine",
    Mode.HYBRID: "(cosine + {weight:Float64} * textual) / (1 + {weight:Float64})",
}


@dataclass(frozen=True, slots=True)
class MeaningReaderOptions:
    """Of a tenant with more than ``compared_max`` patterns only the ``nearest`` by vectors and as many by words are ranked,
    unless a filter or a time narrows the search. More than 1,000 the vector index does not give.
    """

    compared_max: int = 100_000
    nearest: int = 1_000


class ClickHouseMeaningReader:
    """Implements MeaningReader over the queries, and within the bounds, of a ClickHouseReader."""

    def __init__(self, reader: ClickHouseReader, options: MeaningReaderOptions | None = None) -> None:
        self._reader = reader
        self._options = options or MeaningReaderOptions()

    async def embedded(self, tenant: str) -> Mapping[str, int]:
        """Count the vectors."""
        sql = f"SELECT embedder, count() FROM pattern_vectors {_OF_TENANT} GROUP BY embedder"
        rows = list(read_json_rows(await self._reader.ask(sql, {"tenant": tenant})))
        if len(rows) > 1:  # now it matters that rows may be there twice until they are merged
            sql = sql.replace("count()", "uniqExact(pattern_id)")
            rows = list(read_json_rows(await self._reader.ask(sql, {"tenant": tenant})))
        return {name: int(count) for name, count in rows}

    async def rank(self, scope: Scope, question: Question, limit: int) -> Sequence[Ranked]:
        """Weigh the words, then score every pattern with entries in the scope."""
        weighed = await self._weights(scope.tenant, question)
        many = weighed.patterns > self._options.compared_max and scope.is_everything
        sql, parameters = _ranking(scope, question, weighed.weights, self._options.nearest if many else 0)
        parameters |= {"limit": limit, "words_mean": weighed.words_mean}
        rows = read_json_rows(await self._reader.ask(sql, parameters))
        return [Ranked(int(row[0]), int(row[1]), int(row[2]), *(round(float(value), 4) for value in row[3:])) for row in rows]

    async def texts(self, tenant: str, pattern_ids: Sequence[int]) -> Mapping[int, RankedTexts]:
        """Look them up in the catalogue."""
        if not pattern_ids:
            return {}
        sql = (
            f"SELECT pattern_id, text, group_text, example FROM patterns FINAL {_OF_TENANT}"
            " AND pattern_id IN {patterns:Array(UInt64)}"
        )
        rows = read_json_rows(await self._reader.ask(sql, {"tenant": tenant, "patterns": list(pattern_ids)}))
        return {int(row[0]): RankedTexts(row[1], row[2], row[3]) for row in rows}

    async def _weights(self, tenant: str, question: Question) -> WordWeights:
        own = own_stems(question)
        sql = (
            "SELECT word, uniqExact(pattern_id), avg(words) FROM pattern_words"
            f" {_OF_TENANT} AND word IN {{own:Array(String)}} GROUP BY word"
        )
        rows = read_json_rows(await self._reader.ask(sql, {"tenant": tenant, "own": ["", *own]}))
        return word_weights(own, {word: (int(count), float(mean)) for word, count, mean in rows})


def _ranking(scope: Scope, question: Question, weights: Sequence[float], nearest: int) -> tuple[str, dict[str, Any]]:
    """Return the query of (pattern, group, entries of the group, score, text score, cosine), and its parameters.

    With ``nearest``, so many by vectors and so many by words are ranked; one by words alone is as near as the last by vectors.
    """
    patterns, parameters = _patterns(scope)
    matched, of_words = _matched(question, weights)
    parameters |= of_words
    if nearest:
        parameters["nearest"] = nearest
        matched += " ORDER BY textual DESC LIMIT {nearest:UInt32}"
    vectors, cosine = "", "0."
    if question.mode is not Mode.TEXT:
        parameters |= {"embedder": question.embedder, "vector": list(question.vector), "weight": question.text_weight}
        cosine = "near.cosine"
        if nearest and question.mode is Mode.HYBRID:
            farthest = "minIf(near.cosine, near.cosine != 0) OVER ()"
            cosine = f"if(near.cosine = 0 AND answering.textual > 0, {farthest}, near.cosine)"
        vectors = f" GLOBAL LEFT JOIN ({_near(nearest)}) AS near USING (pattern_id)"
    sql = (
        f"SELECT pattern_id, group_id, entries, {_SCORES[question.mode]} AS score, textual, cosine FROM ("
        "SELECT pattern_id, group_id, sum(counted) OVER (PARTITION BY group_id) AS entries, answering.textual AS textual,"
        f" {cosine} AS cosine FROM ({patterns}) AS patterns"
        f" GLOBAL LEFT JOIN ({matched}) AS answering USING (pattern_id){vectors})"
        " WHERE score > 0 ORDER BY score DESC, entries DESC, pattern_id"
        f"{' LIMIT 1 BY group_id' if question.by_group else ''} LIMIT {{limit:UInt32}}"
    )
    return sql, parameters


def _near(nearest: int) -> str:
    """Return SQL for (pattern_id, cosine) of all vectors, or of the nearest: a form that the store's vector index answers."""
    if not nearest:
        return f"SELECT pattern_id, max(1 - {_DISTANCE}) AS cosine FROM pattern_vectors {_OF_EMBEDDER} GROUP BY pattern_id"
    found = f"SELECT pattern_id, {_DISTANCE} AS distance FROM pattern_vectors {_OF_EMBEDDER}"
    found += " ORDER BY distance LIMIT {nearest:UInt32}"
    return f"SELECT pattern_id, max(1 - distance) AS cosine FROM ({found}) GROUP BY pattern_id"


def _patterns(scope: Scope) -> tuple[str, dict[str, Any]]:
    """Return SQL for (pattern_id, group_id, counted): the catalogue alone knows when nothing narrows the search."""
    known = f"SELECT pattern_id, group_id, count AS counted FROM patterns FINAL {_OF_TENANT}"
    if scope.is_everything:
        return known, {"tenant": scope.tenant}
    counts, parameters = counted(scope, {"pattern_id": "pattern_id"}, {"counted": ("count()", "sum")})
    groups = f"SELECT pattern_id, group_id FROM patterns FINAL {_OF_TENANT}"
    return (
        f"SELECT pattern_id, group_id, counts.counted AS counted FROM ({counts}) AS counts"
        f" GLOBAL INNER JOIN ({groups}) AS groups USING (pattern_id)",
        parameters,
    )


def _matched(question: Question, weights: Sequence[float]) -> tuple[str, dict[str, Any]]:
    """Return SQL for (pattern_id, textual): how much of the question's weight the words of a pattern answer, the best for each.

    Only the rows of words that answer something are read: they are sorted by word.
    """
    total = sum(weights) or 1.0
    parameters: dict[str, Any] = {"stems": sorted({stem for asked in question.words for stem in asked.stems})}
    wanted, parts = ["word IN {stems:Array(String)}"], ["0."]
    for number, (asked, weight) in enumerate(zip(question.words, weights, strict=True)):
        parameters |= {f"t{number}": list(asked.stems), f"w{number}": list(asked.stems.values()), f"i{number}": weight / total}
        best = f"transform(word, {{t{number}:Array(String)}}, {{w{number}:Array(Float64)}}, 0.)"
        if asked.prefix:
            parameters[f"q{number}"] = asked.prefix
            wanted.append(f"startsWith(word, {{q{number}:String}})")
            best = f"greatest({best}, if(startsWith(word, {{q{number}:String}}), {asked.prefix_weight}, 0.))"
        parts.append(f"{{i{number}:Float64}} * max({best})")
    length = f"({1 - LENGTH_SHARE} + {LENGTH_SHARE} * any(words) / {{words_mean:Float64}})"
    sql = (
        f"SELECT pattern_id, ({' + '.join(parts)}) / {length} AS textual FROM pattern_words {_OF_TENANT}"
        f" AND word != '' AND ({' OR '.join(wanted)}) GROUP BY pattern_id"
    )
    return sql, parameters
