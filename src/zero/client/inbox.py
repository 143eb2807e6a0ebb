"""What waits to be sent: bounded in entries and in characters, and never in the way of whoever logs.

The usual way in is one append to a deque, without a lock. Only an entry that is heavy, or comes when the inbox is full, takes
the lock; so the inbox holds at most one entry more for each thread that logs at the same moment. The lock is reentrant and the
wake-up is a SimpleQueue, whose ``put`` is: a signal handler may log while its own thread is in here.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from queue import Empty, SimpleQueue
from typing import Callable

from zero.client.lines import Item
from zero.client.options import BLOCK, DROP_OLDEST, SenderOptions

LIGHT_CHARACTERS = 2048
"""Entries up to here are bounded by their number, those beyond by what they weigh."""
NEVER = 1 << 62
_BLOCKED_PAUSE_SECONDS = 0.002


def weight_of(item: str | Item) -> int:
    """Return about how many characters an item has."""
    return len(item) if isinstance(item, str) else len(item[1]) + len(item[2])


class Inbox:
    """A queue with one reader and as many writers as there are threads."""

    def __init__(self, options: SenderOptions, rouse: Callable[[], None]) -> None:
        self._options = options
        self.rouse = rouse
        self._lock = threading.RLock()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._items: deque[str | Item] = deque()
        self._entries_max = options.queue_entries_max
        self._heavy = 0
        self.wake_at = 1
        self.closed = False
        self.reader: int | None = None
        self.dropped_oldest = 0
        self.dropped_newest = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def full_batch(self) -> bool:
        """Say whether there is enough for a batch."""
        return len(self._items) >= self._options.batch_entries_max or self._heavy >= self._options.batch_bytes_max

    def put(self, item: str | Item, weight: int) -> bool:
        """Take an item, or drop one as the options say; False when it was this one."""
        items = self._items
        if weight > LIGHT_CHARACTERS or len(items) >= self._entries_max:
            if not self._squeeze(item, weight if weight > LIGHT_CHARACTERS else 0):
                return False
        else:
            items.append(item)
        if len(items) >= self.wake_at:
            self.wake_at = NEVER
            self.rouse()
        return True

    def take(self) -> str | Item:
        """Return the oldest item. Raises IndexError when there is none."""
        item = self._items.popleft()
        if self._heavy:  # only what is heavy has to be weighed again
            weight = weight_of(item)
            if weight > LIGHT_CHARACTERS:
                with self._lock:
                    self._heavy -= weight
        return item

    def wake(self) -> None:
        """Wake the reader."""
        self._wake.put(None)

    def sleep(self, seconds: float | None) -> bool:
        """Wait until somebody wakes the reader, at most so long; False when nobody did."""
        try:
            self._wake.get(timeout=None if seconds is None else max(seconds, 0.0))
        except Empty:
            return False
        while not self._wake.empty():
            self._wake.get()
        return True

    def close(self) -> None:
        """Take nothing more."""
        self.closed = True
        self._entries_max = -1

    def _squeeze(self, item: str | Item, heavy: int) -> bool:
        """Take an item that is heavy, or for which there may be no room."""
        if self._options.overflow == BLOCK and not self._room_in_time(heavy):
            self.dropped_newest += 1
            return False
        with self._lock:
            if not self._has_room(heavy):
                if self.closed or self._options.overflow != DROP_OLDEST or heavy > self._options.queue_bytes_max:
                    self.dropped_newest += 1
                    return False
                self._make_room(heavy)
            self._heavy += heavy
            self._items.append(item)
        if self._heavy >= self._options.batch_bytes_max and self.wake_at != NEVER:
            self.wake_at = 0
        return True

    def _has_room(self, heavy: int) -> bool:
        return len(self._items) < self._entries_max and self._heavy + heavy <= self._options.queue_bytes_max

    def _make_room(self, heavy: int) -> None:
        while self._items and not self._has_room(heavy):
            try:
                weight = weight_of(self._items.popleft())
            except IndexError:
                return
            self._heavy -= weight if weight > LIGHT_CHARACTERS else 0
            self.dropped_oldest += 1

    def _room_in_time(self, heavy: int) -> bool:
        """Wait for room, unless it is the reader itself that would wait for itself."""
        deadline = time.monotonic() + self._options.block_seconds_max
        while not self._has_room(heavy):
            if self.closed or threading.get_ident() == self.reader or time.monotonic() >= deadline:
                return False
            self.rouse()
            time.sleep(_BLOCKED_PAUSE_SECONDS)
        return True
