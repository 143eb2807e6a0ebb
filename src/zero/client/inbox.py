"""What waits to be sent: bounded in entries and in characters, and never in the way of whoever logs.

The usual way in is one append to a deque, without a lock: each entry counts as many characters as a light one may have, and
half of the characters that may wait is enough for light ones alone. Only an entry that is heavier, or comes when the inbox is
full, takes the lock; so the inbox holds at most one entry more for each thread that logs at the same moment. The lock is
reentrant and the wake-up is a SimpleQueue, whose ``put`` is: a signal handler may log while its own thread is in here.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from queue import Empty, SimpleQueue
from typing import Callable

from zero.client.lines import Item
from zero.client.options import BLOCK, DROP_OLDEST, SenderOptions

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
        self._most, self._bytes_max = options.queue_entries_max, options.queue_bytes_max
        self._light = max(1, self._bytes_max // (2 * self._most))
        self._heavy = 0
        self._entries_max = 0
        self.wake_at = 1
        self.closed = False
        self.reader: int | None = None
        self.dropped_oldest = 0
        self.dropped_newest = 0
        self._weigh(0)

    def __len__(self) -> int:
        return len(self._items)

    @property
    def full_batch(self) -> bool:
        """Say whether there is enough for a batch."""
        return len(self._items) >= self._options.batch_entries_max or self._heavy >= self._options.batch_bytes_max

    def put(self, item: str | Item, weight: int) -> bool:
        """Take an item, or drop one as the options say; False when it was this one."""
        items = self._items
        if weight > self._light or len(items) >= self._entries_max:
            if not self._squeeze(item, max(weight - self._light, 0)):
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
            more = weight_of(item) - self._light
            if more > 0:
                with self._lock:
                    self._weigh(-more if self._items else -self._heavy)
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
        with self._lock:
            self._weigh(0)

    def _squeeze(self, item: str | Item, heavy: int) -> bool:
        """Take an item that is ``heavy`` characters above a light one, or for which there may be no room."""
        if not self._add(item, heavy) and not self._add_in_spite(item, heavy):
            self.dropped_newest += 1
            return False
        if self._heavy >= self._options.batch_bytes_max and self.wake_at != NEVER:
            self.wake_at = 0
        return True

    def _add(self, item: str | Item, heavy: int) -> bool:
        with self._lock:
            if not self._has_room(heavy):
                return False
            self._weigh(heavy)
            self._items.append(item)
        return True

    def _add_in_spite(self, item: str | Item, heavy: int) -> bool:
        """Make room, or wait for it, as the options say."""
        if self.closed or heavy + self._light > self._bytes_max:
            return False
        if self._options.overflow == BLOCK:
            return self._room_in_time(heavy) and self._add(item, heavy)
        if self._options.overflow != DROP_OLDEST:
            return False
        with self._lock:
            self._make_room(heavy)
            self._weigh(heavy)
            self._items.append(item)
        return True

    def _weigh(self, more: int) -> None:
        """Note what the heavy ones weigh above light ones, and how many entries there may be beside."""
        self._heavy = heavy = self._heavy + more
        beside = (self._bytes_max - heavy) // self._light
        self._entries_max = -1 if self.closed else beside if beside < self._most else self._most

    def _has_room(self, heavy: int) -> bool:
        waiting = len(self._items)
        weight = self._heavy + heavy + self._light * (waiting + 1)
        return not self.closed and waiting < self._most and weight <= self._bytes_max

    def _make_room(self, heavy: int) -> None:
        while self._items and not self._has_room(heavy):
            try:
                weight = weight_of(self._items.popleft())
            except IndexError:
                return
            self._weigh(-max(weight - self._light, 0))
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
