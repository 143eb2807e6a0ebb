"""The load: senders that each wait for their answer and do what a careful sender does with it."""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import NamedTuple

from tests.torture.harness.doors import Answer, Door, Told
from tests.torture.harness.entries import make_entries
from tests.torture.harness.oracle import Batch, Oracle, Status

RETRY_PAUSE_SECONDS = 0.1
SAMPLES_MAX = 100_000
"""The latest answers that are kept in detail: minutes of them. What asks for older ones fails."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How many senders, what they send, and how long they insist on a batch that has a key.

    ``twice_share`` of the batches with a key is sent by two connections at the same time, as an impatient client does.
    """

    senders: int = 8
    entries: int = 20
    keyed_share: float = 0.5
    twice_share: float = 0.1
    pause_seconds: float = 0.05
    insist_seconds_max: float = 90.0


class Sample(NamedTuple):
    """One answer: when it was there, what it said, how long it took, whether it said when to come again."""

    ended: float
    told: Told
    status: int
    seconds: float
    retry_after: bool
    door: str
    keyed: bool

    @property
    def begun(self) -> float:
        """When the request was sent."""
        return self.ended - self.seconds


@dataclass(slots=True)
class Seen:
    """What the senders saw: answers by door and kind, the wrong ones, the latest in detail; and what is not answered yet."""

    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    _samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=SAMPLES_MAX))
    _forgotten: float = 0.0
    _asked: int = 0
    _open: dict[int, float] = field(default_factory=dict)

    def begin(self) -> int:
        """Note that a request leaves; return its number."""
        self._asked += 1
        self._open[self._asked] = time.monotonic()
        return self._asked

    def end(self, number: int) -> None:
        """Note that it is over."""
        del self._open[number]

    def waiting(self) -> list[float]:
        """Return when each request was sent that has no answer yet."""
        return list(self._open.values())

    def note(self, door: str, answer: Answer, keyed: bool) -> None:
        """Count an answer."""
        self.answers[f"{door} {answer.told.value}"] += 1
        if answer.told is Told.WRONG:
            self.wrong.append(f"{door}: {answer.status} {answer.detail}")
        if len(self._samples) == SAMPLES_MAX:
            self._forgotten = self._samples[0].ended
        said = (answer.told, answer.status, answer.seconds, answer.retry_after)
        self._samples.append(Sample(time.monotonic(), *said, door, keyed))

    def since(self, moment: float) -> list[Sample]:
        """Return what was answered since then, in order. Raises RuntimeError where some of it was forgotten."""
        if moment <= self._forgotten:
            raise RuntimeError(f"of more than {SAMPLES_MAX:,} answers the first were forgotten: nothing can be said of all")
        return list(takewhile(lambda sample: sample.ended >= moment, reversed(self._samples)))[::-1]

    def of(self, told: Told) -> int:
        """Return how many answers of a kind there were."""
        return sum(count for name, count in self.answers.items() if name.endswith(f" {told.value}"))


class Load:
    """Sends batches, by every door in turn, until it is told to stop; each batch is in the oracle's ledger before it leaves."""

    def __init__(self, oracle: Oracle, seed: int, options: LoadOptions | None = None) -> None:
        self.seen = Seen()
        self.options = options or LoadOptions()
        self._oracle = oracle
        self._seed = seed
        self._every_seconds: float | None = None
        self._next = seed * 10_000_000
        self._stop = asyncio.Event()
        self._going = asyncio.Event()
        self._going.set()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, doors: Sequence[Door]) -> None:
        """Start the senders."""
        self._tasks += [
            asyncio.create_task(self._sender(doors, random.Random(f"{self._seed} {number}")), name=f"sender {number}")
            for number in range(self.options.senders)
        ]

    def pace(self, every_seconds: float) -> None:
        """Have each sender begin a batch every so often from now on; at once where an answer took longer."""
        self._every_seconds = every_seconds

    def hold(self) -> None:
        """Begin no batch until ``go_on``."""
        self._going.clear()

    def go_on(self) -> None:
        """Send again."""
        self._going.set()

    async def stop(self) -> None:
        """Begin no batch any more, and return when the last one is answered or given up."""
        self._stop.set()
        self.go_on()
        await asyncio.gather(*self._tasks)

    async def _sender(self, doors: Sequence[Door], source: random.Random) -> None:
        while not self._stop.is_set():
            await self._going.wait()
            door, begun = source.choice(doors), time.monotonic()
            told = await self.send_one(door, source)
            await self._pause(self._until_next(told, time.monotonic() - begun))

    def _until_next(self, told: Told, took: float) -> float:
        if self._every_seconds is not None:
            return max(0.0, self._every_seconds - took)
        return self.options.pause_seconds if told is Told.ACCEPTED else RETRY_PAUSE_SECONDS

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return

    async def send_one(self, door: Door, source: random.Random) -> Told:
        """Send one batch, and with a key again until its outcome is known; return what was told last."""
        self._next += 1
        number = self._next
        entries = make_entries(number, self.options.entries, door.name, source)
        key = f"torture-{number}" if source.random() < self.options.keyed_share else None
        twice = key is not None and source.random() < self.options.twice_share
        batch = Batch(number, door.name, key, b"".join(entry.digest for entry in entries))
        body = door.body(entries)
        await self._oracle.sent(batch)
        answers = await asyncio.gather(*(self._send(door, body, key) for _ in range(1 + twice)))
        answer = min(answers, key=lambda one: _CERTAINTY.index(_status(one.told)))
        outcome = _status(answer.told)
        until = time.monotonic() + self.options.insist_seconds_max
        while key and outcome is not Status.ACKNOWLEDGED and answer.told is not Told.WRONG and time.monotonic() < until:
            await asyncio.sleep(RETRY_PAUSE_SECONDS)
            answer = await self._send(door, body, key)
            later = _status(answer.told)
            # What an earlier try did stays unknown until a later one is accepted: that finds out.
            outcome = later if later is Status.ACKNOWLEDGED or outcome is Status.REFUSED else Status.UNKNOWN
        self._oracle.answered(batch, outcome)
        return answer.told

    async def _send(self, door: Door, body: bytes, key: str | None) -> Answer:
        number = self.seen.begin()
        try:
            answer = await door.send(body, key)
        finally:
            self.seen.end(number)
        self.seen.note(door.name, answer, key is not None)
        return answer


_CERTAINTY = (Status.ACKNOWLEDGED, Status.UNKNOWN, Status.REFUSED)
"""Of two answers to one batch the first of these holds: a refusal promises for itself alone."""


def _status(told: Told) -> Status:
    return {Told.ACCEPTED: Status.ACKNOWLEDGED, Told.LATER: Status.REFUSED, Told.NEVER_SENT: Status.REFUSED}.get(
        told, Status.UNKNOWN
    )
