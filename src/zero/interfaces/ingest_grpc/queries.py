"""Searching over gRPC: one page, or a stream of entries."""

import asyncio
from collections.abc import Callable
from typing import Any

from zero.application.identity import Identity
from zero.application.limits import check_limit
from zero.application.ports import Decompressor
from zero.application.search import Search, SearchRequest
from zero.domain.entry import MetadataValue
from zero.domain.errors import InvalidInput, Unavailable
from zero.domain.key import KeyScope
from zero.domain.stored import StoredEntry
from zero.interfaces.ingest_grpc.call import Call, Share
from zero.interfaces.ingest_grpc.coding import plain
from zero.interfaces.ingest_grpc.messages import encoded, message, parsed
from zero.interfaces.ingest_grpc.options import IngestGrpcOptions

PAGE_ENTRIES = 100
LIMIT_MAX = 10_000
_TEXTS = ("app_id", "message", "source", "environment", "trace_id", "span_id", "user_id")
_INT64_MAX = (1 << 63) - 1


class Queries:
    """The reading RPCs of ``zero.v1.LogService``. ``make_search`` is called, in a thread, when the first query comes."""

    def __init__(
        self, make_search: Callable[[], Search] | None, decompressor: Decompressor, options: IngestGrpcOptions
    ) -> None:
        self._make_search = make_search
        self._decompressor = decompressor
        self._made: asyncio.Task[Search] | None = None
        self._options = options
        self._share = Share(options.searches_max, max(1, options.searches_max // 2), options.wait_seconds)

    async def by_app_id(self, call: Call) -> bytes:
        """Answer with one page, newest first."""
        identity = call.authorise(KeyScope.QUERY)
        search = await self._search()
        request = parsed("zero.v1.GetLogsByAppIdRequest", await self._message(call, identity))
        if not request.app_id:
            raise InvalidInput("app_id is missing", field="app_id")
        async with self._share.room(identity.tenant):
            page = await search.find(_asked(request, identity), request.limit or PAGE_ENTRIES, request.cursor or None)
        logs = [stored_log(entry) for entry in page.entries]
        return encoded("zero.v1.GetLogsByAppIdResponse", logs=logs, next_cursor=page.next_cursor or "")

    async def search(self, call: Call) -> None:
        """Answer with a stream, page after page, as fast as the client reads."""
        identity = call.authorise(KeyScope.QUERY)
        search = await self._search()
        asked = parsed("zero.v1.SearchRequest", await self._message(call, identity))
        left = asked.limit or PAGE_ENTRIES
        check_limit(left, LIMIT_MAX)
        request, cursor = _asked(asked, identity), None
        while left:
            async with self._share.room(identity.tenant):
                page = await search.find(request, min(left, PAGE_ENTRIES), cursor)
            for entry in page.entries:
                await call.write(stored_log(entry).SerializeToString())
            left -= len(page.entries)
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _message(self, call: Call, identity: Identity) -> bytes:
        return plain(await call.only_message(self._share, identity.tenant, self._options), self._decompressor)

    async def _search(self) -> Search:
        if self._make_search is None:
            raise Unavailable("this ingest process knows no store to search: set the URL of the store, or ask the api")
        if self._made is None or (self._made.done() and self._made.exception() is not None):
            self._made = asyncio.create_task(asyncio.to_thread(self._make_search))
        return await asyncio.shield(self._made)


def _asked(request: Any, identity: Identity) -> SearchRequest:
    times = (getattr(request, "from") or None, request.to or None)
    return SearchRequest(identity.tenant, request.query, request.app_id or None, tuple(request.levels), *times)


def stored_log(stored: StoredEntry) -> Any:
    """Return the entry as ``zero.v1.StoredLog``."""
    entry = stored.entry
    metadata = [{"key": key, "value": _value(value)} for key, value in entry.metadata.items()]
    texts = {name: getattr(entry, name) for name in _TEXTS}
    fields = {**texts, "timestamp_ns": entry.timestamp_ns, "level": int(entry.level), "metadata": metadata}
    return message("zero.v1.StoredLog", id=stored.id, entry=fields)


def _value(value: MetadataValue) -> dict[str, MetadataValue]:
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, float):
        return {"float": value}
    return {"uint" if value > _INT64_MAX else "int": value}
