"""Following the log: what is stored from now on, as it arrives."""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from zero.application.ports import Clock, LogReader, Scope
from zero.application.search import Search, SearchRequest
from zero.domain.batch_id import batch_id, batch_id_ms
from zero.domain.entry import parse_entry_id
from zero.domain.errors import InvalidInput
from zero.domain.instant import NANOSECONDS_PER_MILLISECOND
from zero.domain.stored import StoredEntry


@dataclass(frozen=True, slots=True)
class TailOptions:
    """How closely to follow.

    An entry is stored a little after it was accepted, and not in the order of acceptance. So each look covers the
    ``overlap_seconds`` before the newest entry seen, at most ``window_entries`` of them, and leaves out those already shown.
    """

    poll_seconds: float = 0.5
    overlap_seconds: int = 60
    window_entries: int = 20_000
    batch_entries: int = 10_000
    load_max: float = 0.2

    def pause(self, look_seconds: float) -> float:
        """Return how long to wait after a look that took so long: following costs at most ``load_max`` of a query slot."""
        return max(self.poll_seconds, look_seconds / self.load_max)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Entries that arrived since the last look, oldest first. ``gap`` says that more arrived than are shown."""

    entries: Sequence[StoredEntry]
    gap: bool = False


class Tail:
    """Follows searches. Entries come at most once for each follower."""

    def __init__(self, search: Search, reader: LogReader, clock: Clock, options: TailOptions | None = None) -> None:
        self._search = search
        self._reader = reader
        self._clock = clock
        self._options = options or TailOptions()

    def follow(self, request: SearchRequest, after: str | None = None) -> AsyncGenerator[Arrivals]:
        """Yield arrivals for ever, empty ones too, so that the caller notices time.

        ``after`` is the id of the last entry a returning follower has seen: it gets what was accepted since. Raises
        InvalidInput at once.
        """
        scope = self._search.scope(request)
        return self._follow(scope, _identity(after) if after else None)

    async def _follow(self, scope: Scope, after: tuple[int, int] | None) -> AsyncGenerator[Arrivals]:
        now_ms = self._clock.now_ns() // NANOSECONDS_PER_MILLISECOND
        window = _Window(batch_id_ms(after[0]) if after else now_ms, self._options)
        earlier = await self._arrivals(scope, window)
        window.admit([identity for identity in earlier if after is None or identity <= after])
        while True:
            began = self._clock.monotonic()
            yield await self._look(scope, window)
            await self._clock.sleep(self._options.pause(self._clock.monotonic() - began))

    async def _look(self, scope: Scope, window: "_Window") -> Arrivals:
        fresh, gap = window.admit(await self._arrivals(scope, window))
        return Arrivals(await self._reader.entries(scope.tenant, fresh), gap)

    async def _arrivals(self, scope: Scope, window: "_Window") -> Sequence[tuple[int, int]]:
        return await self._reader.arrivals(scope, window.since(), self._options.window_entries)


class _Window:
    """The identities seen of late; holds as many as two looks can bring."""

    def __init__(self, now_ms: int, options: TailOptions) -> None:
        self._newest_ms = now_ms
        self._options = options
        self._seen: OrderedDict[tuple[int, int], None] = OrderedDict()

    def since(self) -> int:
        """Return the batch id to look from."""
        return batch_id(max(0, self._newest_ms - self._options.overlap_seconds * 1000), 0, 0)

    def admit(self, identities: Sequence[tuple[int, int]]) -> tuple[Sequence[tuple[int, int]], bool]:
        """Return those not seen before, the newest ``batch_entries`` of them, and whether some had to be left out."""
        fresh = [identity for identity in identities if identity not in self._seen]
        overrun = len(fresh) == self._options.window_entries
        for identity in reversed(identities):
            self._seen[identity] = None
            self._seen.move_to_end(identity)
        while len(self._seen) > 2 * self._options.window_entries:
            self._seen.popitem(last=False)
        if identities:
            self._newest_ms = max(self._newest_ms, batch_id_ms(identities[0][0]))
        return fresh[: self._options.batch_entries], overrun or len(fresh) > self._options.batch_entries


def _identity(text: str) -> tuple[int, int]:
    try:
        return parse_entry_id(text)
    except ValueError as error:
        raise InvalidInput(str(error), field="Last-Event-ID") from error
