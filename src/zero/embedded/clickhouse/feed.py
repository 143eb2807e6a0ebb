"""How a request's body gets from the event loop to the thread that works on it, a bounded number of pieces at a time."""

import asyncio
import queue
from collections.abc import Iterator

PIECE_BYTES = 1 << 20
_SLOTS = 4
KILLED = "killed"


class BodyAborted(Exception):
    """The body will not be complete: the client left, the query was killed, or the server stops."""


class Feed:
    """A bounded queue of body pieces: ``put`` and ``end`` on the event loop, iteration in the thread, ``abort`` anywhere.

    Holds at most ``_SLOTS`` pieces of ``PIECE_BYTES``. An abort overtakes what is queued, so nothing of a doomed body is used.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pieces: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._slots = asyncio.Semaphore(_SLOTS)
        self._closed = False
        self.aborted: str | None = None
        self.complete = False

    async def put(self, piece: bytes) -> None:
        """Queue a piece once there is room; drops it when nobody reads any more."""
        if not self._closed:
            await self._slots.acquire()
        if not self._closed:
            self._pieces.put(piece)

    def end(self) -> None:
        """Say that the body is complete."""
        self._pieces.put(None)

    def abort(self, reason: str) -> None:
        """Say that the body will never be complete, or must not be used."""
        if self.aborted is None:
            self.aborted = reason
        self._pieces.put(None)

    def close(self) -> None:
        """Say, in the thread, that nothing more will be read: later pieces are dropped."""
        self._closed = True
        for _ in range(_SLOTS):
            self._loop.call_soon_threadsafe(self._slots.release)

    def __iter__(self) -> Iterator[bytes]:
        while not self.complete:
            piece = self._pieces.get()
            if self.aborted is not None:
                raise BodyAborted(self.aborted)
            if piece is None:
                self.complete = True
                return
            self._loop.call_soon_threadsafe(self._slots.release)
            yield piece
