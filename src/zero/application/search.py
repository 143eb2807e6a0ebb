"""Searching: a query with its filters and times becomes a scope of one tenant, and comes back page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zero.application.cursor import Cursor, decode_cursor, encode_cursor, search_digest
from zero.application.limits import check_limit
from zero.application.ports import Clock, LogReader, QueryParser, Scope
from zero.domain.entry import Level, parse_entry_id
from zero.domain.errors import InvalidInput, NotFound
from zero.domain.instant import parse_instant
from zero.domain.query import And, Field, Is, LevelIn, Node
from zero.domain.query_fields import parse_level
from zero.domain.stored import StoredEntry

FACETS = ("app_id", "level", "environment", "source")


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """Bounds of one request."""

    page_entries: int = 1000
    facet_values: int = 100
    filter_bytes: int = 4096


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What somebody looks for, as texts. ``start`` is included, ``end`` is not; see ``parse_instant`` for their forms."""

    tenant: str
    query: str = ""
    app_id: str | None = None
    levels: Sequence[str] = ()
    start: str | None = None
    end: str | None = None

    def digest(self) -> bytes:
        """Tell this search from any other."""
        filters = [self.app_id or "", self.start or "", self.end or "", *self.levels]
        return search_digest(self.tenant, self.query, *filters)


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Entries, newest first; ``next_cursor`` is None on the last page."""

    entries: Sequence[StoredEntry]
    next_cursor: str | None


class Search:
    """Answers searches of one tenant at a time."""

    def __init__(self, parser: QueryParser, reader: LogReader, clock: Clock, limits: SearchLimits | None = None) -> None:
        self._parser = parser
        self._reader = reader
        self._clock = clock
        self._limits = limits or SearchLimits()

    def scope(self, request: SearchRequest, now_ns: int | None = None) -> Scope:
        """Return what the request asks for. Raises InvalidInput naming the field, QuerySyntaxError with the position."""
        now_ns = self._clock.now_ns() if now_ns is None else now_ns
        from_ns, to_ns = instant_of(request.start, "from", now_ns), instant_of(request.end, "to", now_ns)
        if from_ns is not None and to_ns is not None and from_ns > to_ns:
            raise InvalidInput("from lies after to", field="from")
        return Scope(request.tenant, self._node(request, now_ns), from_ns, to_ns)

    async def find(self, request: SearchRequest, limit: int = 100, cursor: str | None = None) -> SearchPage:
        """Return one page, newest first. Pages never overlap and never skip what was stored before the first of them."""
        check_limit(limit, self._limits.page_entries)
        digest = request.digest()
        earlier = decode_cursor(cursor, digest) if cursor else None
        now_ns = earlier.now_ns if earlier else self._clock.now_ns()
        entries = await self._reader.latest(self.scope(request, now_ns), limit + 1, earlier.key if earlier else None)
        if len(entries) <= limit:
            return SearchPage(entries, None)
        page = entries[:limit]
        return SearchPage(page, encode_cursor(Cursor(now_ns, page[-1].key), digest))

    async def around(self, request: SearchRequest, identity: str, limit: int = 25) -> Sequence[StoredEntry]:
        """Return the entry with up to ``limit`` of those found on either side of it, newest first.

        Its place is its key and not its time alone: a batch may share one timestamp. Raises NotFound.
        """
        most = self._limits.page_entries // 2
        check_limit(limit, most)
        try:
            wanted = parse_entry_id(identity)
        except ValueError as error:
            raise InvalidInput(str(error), field="id") from error
        scope = self.scope(request)
        found = await self._reader.entries(request.tenant, [wanted])
        if not found:
            raise NotFound(f"there is no entry {identity}: it may have expired", field="id")
        later = await self._reader.earliest(scope, limit, found[0].key)
        earlier = await self._reader.latest(scope, limit, found[0].key)
        return [*reversed(later), found[0], *earlier]

    async def facets(
        self, request: SearchRequest, limit: int = 10, fields: Sequence[str] = FACETS
    ) -> Mapping[str, Sequence[tuple[str, int]]]:
        """Return the most frequent values of the fields among the matching entries."""
        check_limit(limit, self._limits.facet_values)
        return await self._reader.facets(self.scope(request), fields, limit)

    def _node(self, request: SearchRequest, now_ns: int) -> Node:
        conditions: list[Node] = [self._parser.parse(request.query, now_ns)]
        if request.app_id:
            conditions.append(Is(Field("app_id"), self._text(request.app_id, "app_id")))
        if request.levels:
            conditions.append(LevelIn(frozenset(_level(level) for level in request.levels)))
        return conditions[0] if len(conditions) == 1 else And(tuple(conditions))

    def _text(self, text: str, field: str) -> str:
        if len(text.encode(errors="replace")) > self._limits.filter_bytes or not text.isprintable():
            raise InvalidInput(f"{field} is too long or not printable", field=field)
        return text


def instant_of(text: str | None, field: str, now_ns: int) -> int | None:
    """Return the moment that a parameter names, None when it is absent. Raises InvalidInput naming the field."""
    if not text:
        return None
    try:
        return parse_instant(text, now_ns)
    except ValueError as error:
        raise InvalidInput(f"{field}: {error}", field=field) from error


def _level(text: str) -> Level:
    try:
        return parse_level(text)
    except ValueError as error:
        raise InvalidInput(str(error), field="level") from error
