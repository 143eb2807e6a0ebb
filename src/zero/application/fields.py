"""What a query can be completed with: names of fields and metadata keys, and their values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zero.application.limits import check_limit
from zero.application.ports import FieldReader
from zero.application.search import Search, SearchRequest
from zero.domain.entry import Level
from zero.domain.errors import InvalidInput, QueryTooExpensive
from zero.domain.query import Field
from zero.domain.query_fields import ALIASES, HOST, METADATA_PREFIX, QUERY_FIELDS, field_named, key_name

COMPLETIONS_MAX = 100
PREFIX_CHARS_MAX = 256


@dataclass(frozen=True, slots=True)
class FieldName:
    """A name that a query may use; ``is_key`` for a metadata key."""

    name: str
    is_key: bool


class FieldSearch:
    """Completes queries of one tenant at a time, from what its newest entries hold."""

    def __init__(self, search: Search, reader: FieldReader) -> None:
        self._search = search
        self._reader = reader

    async def names(self, request: SearchRequest, prefix: str, limit: int) -> Sequence[FieldName]:
        """Return the names that begin with the prefix: fields first, then metadata keys, the most frequent first."""
        _check(prefix, limit)
        if prefix.lower().startswith(METADATA_PREFIX):
            keys = await self._reader.keys(self._search.scope(request), prefix[len(METADATA_PREFIX) :], limit)
            return [FieldName(METADATA_PREFIX + key, is_key=True) for key, _ in keys]
        keys = await self._reader.keys(self._search.scope(request), prefix, limit)
        named = [FieldName(key_name(key), is_key=True) for key, _ in keys]
        if prefix and HOST.startswith(prefix.lower()) and HOST not in [one.name for one in named]:
            named.append(FieldName(HOST, is_key=False))
        return [*(FieldName(name, is_key=False) for name in _fields(prefix.lower())), *named][:limit]

    async def values(self, request: SearchRequest, name: str, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Return the most frequent values that begin with the prefix, and how often the entries looked at have them."""
        _check(prefix, limit)
        if ALIASES.get(name, name) == "level":
            return await self._levels(request, prefix, limit)
        field = field_named(name)
        if field is None:
            return []
        found = await self._reader.values(self._search.scope(request), field, prefix, limit)
        if found or name != HOST:
            return found
        return await self._reader.values(self._search.scope(request), Field("source"), prefix, limit)

    async def _levels(self, request: SearchRequest, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Return every level, for all of them are known; without counts where counting is too expensive."""
        try:
            counts = dict((await self._search.facets(request, len(Level), ("level",)))["level"])
        except QueryTooExpensive:
            counts = {}
        found = [(level.name, counts.get(level.name, 0)) for level in Level if level.name.startswith(prefix.upper())]
        return sorted(found, key=lambda one: -one[1])[:limit]


def _fields(prefix: str) -> Iterable[str]:
    """Return the fields that begin with the prefix, or those that have a short form that does."""
    named = [name for name in QUERY_FIELDS if name.startswith(prefix)]
    return named or dict.fromkeys(name for alias, name in ALIASES.items() if alias.startswith(prefix))


def _check(prefix: str, limit: int) -> None:
    if len(prefix) > PREFIX_CHARS_MAX:
        raise InvalidInput(f"prefix is longer than {PREFIX_CHARS_MAX} characters", field="prefix")
    check_limit(limit, COMPLETIONS_MAX)
