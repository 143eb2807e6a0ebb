"""Getting batches to the door: tried again while that helps, on disk meanwhile if there is a spool, and accounted for."""

from __future__ import annotations

import gzip
import random
import time
from collections import deque
from dataclasses import dataclass
from typing import Callable

from zero.client.batches import Batch
from zero.client.complaints import Complaints
from zero.client.door import RETRIED, Answer, Door
from zero.client.options import SenderOptions
from zero.client.receipt import Receipt, receipt_of
from zero.client.spool import Spool, age_seconds

RECEIPTS_MAX = 1_000
SPOOL_AFTER_SECONDS = 1.0
"""A short hiccup does not go to disk."""
REMEMBERED_SECONDS = 23 * 3600.0
"""The door remembers keys for 24 hours; the first try was a little before the batch went to disk, and clocks differ."""
_STORED_SECONDS = 40.0
_TOO_LARGE = 413


@dataclass
class Counts:
    """Entries by what became of them, and how often the door was asked. ``retries`` counts requests beyond the first."""

    accepted: int = 0
    rejected: int = 0
    refused: int = 0
    too_large: int = 0
    gave_up: int = 0
    spooled: int = 0
    spooled_late: int = 0
    spool_full: int = 0
    batches: int = 0
    retries: int = 0


class Delivery:
    """Delivers one batch at a time. ``pause(seconds)`` waits, and says False when there is no time left to try again."""

    def __init__(self, options: SenderOptions, door: Door, complaints: Complaints, pause: Callable[[float], bool]) -> None:
        self._options = options
        self._door = door
        self._complaints = complaints
        self._pause = pause
        self._compresses = options.compresses
        self._spool = Spool(options.spool, options.spool_bytes_max) if options.spool else None
        self._again_at = 0.0
        self._failures = 0
        self.abandoned = False
        self.current: Batch | None = None
        self.counts = Counts()
        self.receipts: deque[Receipt] = deque(maxlen=RECEIPTS_MAX)

    @property
    def broken(self) -> int:
        """Return how many files of the spool could not be read."""
        return self._spool.broken if self._spool else 0

    @property
    def replay_seconds(self) -> float | None:
        """Return how long until the spool is tried again; None when it is empty."""
        if self._spool is None or not self._spool.waiting():
            return None
        return max(0.0, self._again_at - time.monotonic())

    def deliver(self, batch: Batch, ack: str) -> None:
        """Deliver a batch, or keep it. What was kept before goes first."""
        self.current = batch
        if self._spool is not None and self._spool.waiting():
            self.replay(ack)
            if self._spool.waiting():
                self.keep(batch)
                return
        self._insist(batch, ack)
        self.current = None

    def replay(self, ack: str, at_once: bool = False) -> None:
        """Deliver what lies in the spool until it is empty or the door does not answer."""
        if self._spool is None:
            return
        if at_once:
            self._spool.look()
        while self._spool.waiting() and (at_once or time.monotonic() >= self._again_at) and not self.abandoned:
            with self._spool.oldest() as found:
                if found is None:
                    return
                path, batch = found
                answer = self._ask(batch, ack)
                if answer.status in RETRIED:
                    self._failures += 1
                    self._again_at = time.monotonic() + self._next_pause(answer)
                    return
                self._failures = 0
                self._settle(batch, answer, ack)
                self._spool.remove(path)
                self._note_late(batch, age_seconds(path))

    def keep(self, batch: Batch) -> None:
        """Put a batch into the spool, or count it as lost."""
        self.current = None
        if self._spool is not None and self._spool.put(batch):
            self.counts.spooled += batch.count
            self.receipts.append(Receipt(0, 0, ack="spooled", pending=batch.count))
        elif self._spool is not None:
            self.counts.spool_full += batch.count
            self._complaints.tell("spool", f"{batch.count} entries are lost: the spool is full or cannot be written")
        else:
            self.lose(batch.count, "the time to try again is over")

    def lose(self, count: int, why: str) -> None:
        """Count entries that nobody will get."""
        self.counts.gave_up += count
        self.receipts.append(Receipt(0, count, [(0, why)]))
        self._complaints.tell("gave up", f"{count} entries are lost: {why}")

    def _note_late(self, batch: Batch, seconds: float) -> None:
        """Say of a batch that it may be stored twice: one entry too many can be told by its content, one too few is gone."""
        if seconds > REMEMBERED_SECONDS:
            self.counts.spooled_late += batch.count
            late = f"{batch.count} entries went out after {seconds / 3600:,.0f} hours on disk"
            self._complaints.tell("late", f"{late}: if a first try arrived, they are stored twice")

    def _insist(self, batch: Batch, ack: str) -> None:
        """Ask until there is an answer that a retry cannot change."""
        patience = SPOOL_AFTER_SECONDS if self._spool is not None else self._options.give_up_seconds
        until = time.monotonic() + patience
        while True:
            answer = self._ask(batch, ack)
            if self.abandoned:
                return
            if answer.status not in RETRIED:
                self._failures = 0
                self._settle(batch, answer, ack)
                return
            self._failures += 1
            pause = self._next_pause(answer)
            self._complaints.tell("trouble", f"{self._options.url} does not take logs, trying again: {answer.problem}")
            if time.monotonic() + pause > until or not self._pause(pause):
                if self.abandoned:
                    return
                self._again_at = time.monotonic() + pause
                self.keep(batch)
                return
            self.counts.retries += 1

    def _next_pause(self, answer: Answer) -> float:
        longest = min(self._options.pause_seconds * 2.0 ** min(self._failures - 1, 16), self._options.pause_seconds_max)
        jittered = longest * (0.5 + random.random() / 2)  # noqa: S311 - jitter, not a secret
        return max(answer.retry_after_seconds * (1 + random.random() / 10), jittered)  # noqa: S311

    def _ask(self, batch: Batch, ack: str) -> Answer:
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": batch.key, "Zero-Ack": ack}
        body = batch.body
        if self._compresses:
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        patience = self._options.timeout_seconds
        return self._door.post(body, headers, max(patience, _STORED_SECONDS) if ack == "stored" else patience)

    def _settle(self, batch: Batch, answer: Answer, ack: str) -> None:
        """Account for an answer that is final."""
        self.counts.batches += 1
        receipt = receipt_of(answer.body, ack)
        if receipt is not None and answer.status in (200, 202, 400):
            self.counts.accepted += receipt.accepted
            self.counts.rejected += receipt.rejected
            if receipt.rejected:
                reason = receipt.errors[0][1] if receipt.errors else answer.problem
                self._complaints.tell("rejected", f"{receipt.rejected} entries were rejected, the first because {reason}")
        elif answer.status == _TOO_LARGE:
            self._split(batch, answer, ack)
            return
        else:
            self.counts.refused += batch.count
            self._complaints.tell("refused", f"{batch.count} entries were refused and are lost: {answer.problem}")
            receipt = Receipt(0, batch.count, [(0, answer.problem)])
        self.receipts.append(receipt)

    def _split(self, batch: Batch, answer: Answer, ack: str) -> None:
        if batch.count > 1:
            for half in batch.halves():
                self._insist(half, ack)
            return
        self.counts.too_large += 1
        self._complaints.tell("too large", f"an entry of {len(batch.body):,} bytes is lost: {answer.problem}")
        self.receipts.append(Receipt(0, 1, [(0, answer.problem)]))
