"""The sender: takes entries at once, delivers them from a thread of its own, and never troubles whoever logs.

A process that forks has a sender in both: what waited stays with the parent, the child begins empty, with keys, a connection
and a thread of its own, which starts with the first entry.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from zero.client import lifetime
from zero.client.batches import Batch, Keys
from zero.client.complaints import Complaints
from zero.client.context import bound_fields, current_span
from zero.client.delivery import Delivery
from zero.client.door import Door, DoorOptions
from zero.client.inbox import NEVER, Inbox
from zero.client.lines import Item, Lines, TooLarge
from zero.client.options import ACKS, SenderOptions
from zero.client.receipt import Receipt

_DEFECT_PAUSE_SECONDS = 1.0
_JOIN_SECONDS = 0.1
_START_PAUSE_SECONDS = 1.0


@dataclass
class _Flush:
    """Somebody who waits until what is in the inbox now is delivered."""

    ack: str
    done: SimpleQueue[None]


class Sender:
    """Sends entries. ``Sender(url=…, app_id=…, api_key=…)``; every option is described in SenderOptions."""

    def __init__(self, options: SenderOptions | None = None, **given: Any) -> None:
        self.options = options or SenderOptions(**given)
        tls = None
        if self.options.url.startswith("https"):
            tls = ssl.create_default_context(cafile=self.options.ca_file or None)
        self._door_options = DoorOptions(self.options.url, self.options.timeout_seconds, self.options.api_key, tls)
        common = {"app_id": self.options.app_id, "source": self.options.source, "environment": self.options.environment}
        self.lines = Lines(**common)
        self._complaints = Complaints(self.options.report_seconds, self.options.api_key)
        self._unfit = 0
        self.own_records = 0
        self.closed_by_logging = False
        self._may_start_at = 0.0
        self._begin()
        lifetime.remember(self)
        if self._delivery.replay_seconds is not None:
            self._start()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} to {self.options.url} as {self.options.app_id!r}, {len(self.inbox)} waiting>"

    def send(self, message: str, level: str = "INFO", timestamp_ns: int | None = None, **fields: Any) -> bool:
        """Take an entry; False when it had to be dropped. ``fields`` are its metadata, and are read before this returns."""
        return self.put(message, level, timestamp_ns or time.time_ns(), fields)

    def put(self, message: str, level: str, timestamp_ns: int, fields: Mapping[str, Any]) -> bool:
        """Take an entry whose fields may have any names; False when it had to be dropped."""
        try:
            if threading.get_ident() == self.inbox.reader:
                self.own_records += 1
                return False
            known = {**bound_fields(), **fields}
            span = current_span()
            if span is not None:
                known.setdefault("trace_id", f"{span[0]:032x}")
                known.setdefault("span_id", f"{span[1]:016x}")
            line = self.lines.entry(str(message), str(level), timestamp_ns, known)
        except Exception as error:
            self._tell_unfit(error)
            return False
        return self.inbox.put(line, len(line))

    def flush(self, wait_for: str = "durable", timeout_seconds: float | None = None) -> list[Receipt]:
        """Wait until what was taken is delivered, and return the receipts since the last flush. Never raises for the network.

        ``stored`` waits until what still waited here can be searched; what had gone out before is durable. An entry without an
        answer in time is ``pending`` in the last receipt: it is tried on.
        """
        if wait_for not in ACKS:
            raise ValueError(f"wait_for is one of {', '.join(ACKS)}, not {wait_for!r}")
        if threading.get_ident() == self.inbox.reader:
            return []
        self.drain(wait_for, timeout_seconds)
        return self._collect()

    def drain(self, wait_for: str = "durable", timeout_seconds: float | None = None) -> None:
        """Wait as ``flush`` does, and leave the receipts to it."""
        if self.inbox.closed or threading.get_ident() == self.inbox.reader:
            return
        seconds = self.options.exit_seconds_max if timeout_seconds is None else timeout_seconds
        flush = _Flush(wait_for, SimpleQueue())
        self._flushes.put(flush)
        if self._start():
            self.inbox.wake()
            with contextlib.suppress(Empty):
                flush.done.get(timeout=max(0.0, min(seconds, self._time_left())))
        else:
            self._serve_here()

    def close(self, timeout_seconds: float | None = None) -> None:
        """Deliver what waits for at most ``exit_seconds_max``, keep the rest in the spool if there is one, and stop."""
        if self.inbox.closed:
            return
        self._set_deadline(self.options.exit_seconds_max if timeout_seconds is None else timeout_seconds)
        self._closing = True
        self.inbox.close()
        try:
            self._finish()
        finally:
            self._closed = True

    def counters(self) -> dict[str, int]:
        """Return entries by what became of them so far."""
        counts = dict(vars(self._delivery.counts))
        current = self._delivery.current
        return {
            **counts,
            "waiting": len(self.inbox) + (current.count if current else 0),
            "dropped_oldest": self.inbox.dropped_oldest,
            "dropped_newest": self.inbox.dropped_newest,
            "too_large": counts["too_large"] + self._unfit,
            "own_records": self.own_records,
            "spool_broken": self._delivery.broken,
        }

    def prepare_exit(self) -> None:
        """From now on all flushing and closing together has ``exit_seconds_max``."""
        self._set_deadline(self.options.exit_seconds_max)

    def reopen(self) -> None:
        """Begin anew after a close, unless the interpreter ends: counters and receipts go on, and so does a try under way."""
        old, delivery, told = self.inbox, self._delivery, self._told_dropped
        with self._starting:
            if not self._closed or self.inbox is not old or lifetime.ending():
                return
            self.closed_by_logging = False  # who closed it knows of it no more: the end of the interpreter is ours to see
            self._begin(delivery, (old.dropped_oldest, old.dropped_newest, told))
        old.wake()

    def after_fork(self) -> None:
        """Begin anew in a child: locks may be held, and the rest belongs to the parent."""
        self._door.forget()
        closed = self.inbox.closed
        self._begin()
        if closed:
            self.inbox.close()
            self._closed = True

    def _finish(self) -> None:
        if self._thread is not None or len(self.inbox):
            if self._start() and self._thread is not None:
                self.inbox.wake()
                self._thread.join(self._time_left() + _JOIN_SECONDS)
            else:
                self._serve_here()
        if self._thread is None or self._thread.is_alive():
            self._rescue()
        else:
            self._door.close()

    def _begin(self, before: Delivery | None = None, dropped: tuple[int, int, int] = (0, 0, 0)) -> None:
        self._keys = Keys()
        self._door = Door(self._door_options)
        inbox = Inbox(self.options, self._roused)
        inbox.dropped_oldest, inbox.dropped_newest, self._told_dropped = dropped
        self._delivery = Delivery(self.options, self._door, self._complaints, partial(self._pause, inbox))
        if before is not None:
            self._delivery.counts, self._delivery.receipts = before.counts, before.receipts
        self._flushes: SimpleQueue[_Flush] = SimpleQueue()
        self._starting = threading.RLock()
        self._thread: threading.Thread | None = None
        self._closing = self._closed = False
        self._deadline: float | None = None
        self._held: str | None = None
        self.inbox: Inbox = inbox  # the last: from here on others put entries into it

    def _roused(self) -> None:
        running = self._thread is not None and self._thread.is_alive()
        if not running and (time.monotonic() < self._may_start_at or not self._start()):
            self.inbox.wake_at = 1  # the next entry tries again
            return
        self.inbox.wake()

    def _start(self) -> bool:
        """Start the thread unless it runs; False when the machine or the ending interpreter does not let us."""
        if self._thread is not None and self._thread.is_alive():
            return True
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return True
            thread = threading.Thread(target=self._run, name="zero.client", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                self._may_start_at = time.monotonic() + _START_PAUSE_SECONDS
                if not lifetime.ending():
                    self._complaints.tell("thread", f"nothing is sent until a thread can be started: {error}")
                return False
            self._thread = thread
        lifetime.watch_child()
        return True

    def _run(self) -> None:
        self.inbox.reader = threading.get_ident()
        delivery, door = self._delivery, self._door
        while not delivery.abandoned:
            try:
                self._wait()
                self._serve(delivery)
                if self._closing and not len(self.inbox) and self._held is None:
                    break
            except Exception as error:  # a defect of ours must not end the delivery
                self._complaints.tell("defect", f"{type(error).__name__}: {error}")
                time.sleep(_DEFECT_PAUSE_SECONDS)
        door.close()

    def _wait(self) -> None:
        """Sleep until there is a batch, or an entry for as long as entries may wait, or somebody who wants it now."""
        inbox = self.inbox
        inbox.wake_at = 1
        if not len(inbox) and not self._wanted() and not inbox.sleep(self._delivery.replay_seconds):
            return
        deadline = time.monotonic() + self.options.flush_seconds
        while not inbox.full_batch and not self._wanted():
            inbox.wake_at = self.options.batch_entries_max
            if not inbox.sleep(deadline - time.monotonic()):
                break
        inbox.wake_at = NEVER

    def _wanted(self) -> bool:
        return self._closing or not self._flushes.empty()

    def _serve(self, delivery: Delivery) -> None:
        """Deliver what is in the inbox now, then answer those who wait for it."""
        flushes = []
        while not self._flushes.empty():
            flushes.append(self._flushes.get())
        ack = "stored" if any(flush.ack == "stored" for flush in flushes) else self.options.ack
        if flushes:
            delivery.replay(ack, at_once=True)
        else:
            delivery.replay(ack)
        left = len(self.inbox) + (self._held is not None)
        while left > 0 and not delivery.abandoned:
            batch, taken = self._gathered()
            left -= taken
            if batch is not None:
                delivery.deliver(batch, ack)
            if not flushes and not self._closing and not self.inbox.full_batch:
                break
        self._tell_dropped()
        for flush in flushes:
            flush.done.put(None)

    def _gathered(self) -> tuple[Batch | None, int]:
        """Return the next batch and how many items went into it or were unfit."""
        lines: list[str] = []
        size = taken = 0
        entries_max, bytes_max = self.options.batch_entries_max, self.options.batch_bytes_max
        while taken < entries_max:
            line = self._held or self._next_line()
            if line is None:
                if not len(self.inbox):
                    break
                taken += 1
                continue
            length = len(line) if line.isascii() else len(line.encode("utf-8", "replace"))
            if lines and size + length >= bytes_max:
                self._held = line
                break
            self._held = None
            lines.append(line)
            size += length + 1
            taken += 1
        if not lines:
            return None, max(taken, 1)
        return Batch(self._keys.next(), "\n".join(lines).encode("utf-8", "replace"), len(lines)), taken

    def _next_line(self) -> str | None:
        """Return the line of the next item; None when there is none, or it is unfit, which is counted."""
        try:
            item: str | Item = self.inbox.take()
        except IndexError:
            return None
        try:
            return item if isinstance(item, str) else self.lines.record(item)
        except Exception as error:
            self._tell_unfit(error)
        return None

    def _tell_unfit(self, error: Exception) -> None:
        self._unfit += 1
        if isinstance(error, TooLarge):
            self._complaints.tell("too large", f"an entry is lost: {error}")
        else:
            self._complaints.tell("unfit", f"an entry is lost: {type(error).__name__}: {error}")

    def _pause(self, inbox: Inbox, seconds: float) -> bool:
        """Wait before a retry; False when the end comes before."""
        until = time.monotonic() + seconds
        while inbox is self.inbox:  # else what began anew has a thread of its own
            if self._closing and (self.options.spool or time.monotonic() + seconds > (self._deadline or 0.0)):
                return False
            left = until - time.monotonic()
            if left <= 0:
                return True
            inbox.sleep(left)
        return False

    def _serve_here(self) -> None:
        """Deliver from the calling thread: the interpreter ends, and starts no more threads."""
        self.inbox.reader = threading.get_ident()
        self._set_deadline(self.options.exit_seconds_max)
        self._closing, closing = True, self._closing
        self._serve(self._delivery)
        self._closing, self.inbox.reader = closing, None

    def _tell_dropped(self) -> None:
        dropped = self.inbox.dropped_oldest + self.inbox.dropped_newest
        if dropped > self._told_dropped:
            lost = dropped - self._told_dropped
            self._complaints.tell("dropped", f"{lost} entries were dropped: the queue was full or closed")
            self._told_dropped = dropped

    def _set_deadline(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        self._deadline = until if self._deadline is None else min(until, self._deadline)

    def _time_left(self) -> float:
        return 1e9 if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def _collect(self) -> list[Receipt]:
        receipts = []
        while self._delivery.receipts:
            receipts.append(self._delivery.receipts.popleft())
        current = self._delivery.current
        pending = len(self.inbox) + (self._held is not None) + (current.count if current else 0)
        return [*receipts, Receipt(0, 0, pending=pending)] if pending else receipts

    def _rescue(self) -> None:
        """Keep what is left at the end: the thread hangs in a request, or could not be started."""
        delivery = self._delivery
        delivery.abandoned = True
        if delivery.current is not None:
            delivery.keep(delivery.current)
        while len(self.inbox) or self._held is not None:
            batch, _ = self._gathered()
            if batch is not None:
                delivery.keep(batch)
