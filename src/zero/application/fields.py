"""What a query can be completed with: names of fields and metadata keys, and their values."""

from collections.abc import Sequence
from dataclasses import dataclass

from zero.application.ports import FieldReader
from zero.application.search import Search, SearchRequest
from zero.domain.entry import Level
from zero.domain.errors import InvalidInput
from zero.domain.query_fields import QUERY_FIELDS, field_named

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
        fields = [FieldName(name, is_key=False) for name in QUERY_FIELDS if name.startswith(prefix.lower())]
        keys = await self._reader.keys(self._search.scope(request), prefix, limit)
        # A key with the name of a field has to be told from it.
        named = [FieldName(f"metadata.{key}" if key in QUERY_FIELDS else key, is_key=True) for key, _ in keys]
        return [*fields, *named][:limit]

    async def values(self, request: SearchRequest, name: str, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Return the most frequent values that begin with the prefix, and how often the entries looked at have them."""
        _check(prefix, limit)
        if name == "level":
            return [(level.name, 0) for level in Level if level.name.startswith(prefix.upper())]
        field = field_named(name)
        if field is None:
            return []
        return await self._reader.values(self._search.scope(request), field, prefix, limit)


def _check(prefix: str, limit: int) -> None:
    if len(prefix) > PREFIX_CHARS_MAX:
        raise InvalidInput(f"prefix is longer than {PREFIX_CHARS_MAX} characters", field="prefix")
    if not 1 <= limit <= COMPLETIONS_MAX:
        raise InvalidInput(f"limit is {limit}; it must lie between 1 and {COMPLETIONS_MAX}", field="limit")
