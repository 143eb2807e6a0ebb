"""Waiting until frames are in the store: one poll for all that wait."""

import asyncio
from collections.abc import Container
from dataclasses import dataclass

from zero.application.background import end
from zero.application.ports import Buffer, Clock, Position
from zero.application.receipt import Receipt
from zero.application.submission import Ack, Waiter
from zero.domain.errors import Unavailable

DEAD_LETTERED = "dead-lettered"
"""The acknowledgement of entries that cannot be stored: they are kept aside with the reason."""


@dataclass(frozen=True, slots=True)
class StoredAckOptions:
    """How long and how often to look. ``waiters_max`` bounds the memory; one more is answered ``durable`` at once."""

    waiters_max: int = 10_000
    timeout_seconds: float = 30.0
    poll_seconds: float = 0.05


@dataclass(slots=True)
class _Waiting:
    position: Position
    receipt: Receipt
    waiter: Waiter
    deadline: float


class StoredAck:
    """Answers each receipt once the drain settled its frame: ``stored``, or ``dead-lettered`` with how many of its entries are
    (the others are stored); or ``durable`` when that takes too long."""

    def __init__(self, buffer: Buffer, clock: Clock, options: StoredAckOptions | None = None) -> None:
        self._buffer = buffer
        self._clock = clock
        self._options = options or StoredAckOptions()
        self._waiting: list[_Waiting] = []
        self._poller: asyncio.Task[None] | None = None

    def wait(self, position: Position, receipt: Receipt, waiter: Waiter) -> None:
        """Settle the waiter later, within the timeout."""
        if len(self._waiting) >= self._options.waiters_max:
            _answer(receipt, waiter, Ack.DURABLE)
            return
        deadline = self._clock.monotonic() + self._options.timeout_seconds
        self._waiting.append(_Waiting(position, receipt, waiter, deadline))
        if self._poller is None:
            self._poller = asyncio.get_running_loop().create_task(self._poll())

    async def close(self) -> None:
        """Answer all that wait with what is true now: durable."""
        if self._poller:
            await end(self._poller)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            _answer(each.receipt, each.waiter, Ack.DURABLE)

    async def _poll(self) -> None:
        try:
            while self._waiting:
                await self._clock.sleep(self._options.poll_seconds)
                await self._look()
        finally:
            self._poller = None

    async def _look(self) -> None:
        positions = list({each.position for each in self._waiting})
        try:
            drained = dict(zip(positions, await self._buffer.drained(positions), strict=True))
        except Unavailable:
            drained = {}
        now = self._clock.monotonic()
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            dead = drained.get(each.position)
            if dead is not None:
                _answer_settled(each.receipt, each.waiter, dead)
            elif now >= each.deadline:
                _answer(each.receipt, each.waiter, Ack.DURABLE)
            else:
                self._waiting.append(each)


def _answer(receipt: Receipt, waiter: Waiter, ack: Ack) -> None:
    waiter.settled(receipt._replace(ack=ack.value))


def _answer_settled(receipt: Receipt, waiter: Waiter, dead: Container[int]) -> None:
    entries = range(receipt.first_index, receipt.first_index + receipt.accepted)
    count = sum(index in dead for index in entries) if dead else 0
    if count:
        waiter.settled(receipt._replace(ack=DEAD_LETTERED, dead_lettered=count))
    else:
        _answer(receipt, waiter, Ack.STORED)
