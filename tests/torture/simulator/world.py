"""Virtual time: one seeded order of everything that happens, on one thread, without asyncio."""

import heapq
import math
import random
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, cast

Action = Callable[[], None]


@types.coroutine
def until(time: float) -> Generator[float, None, None]:
    """Suspend a task until the given time."""
    yield time


class Task:
    """A coroutine of one process; ``kill`` ends it at the await where it is, as SIGKILL would."""

    __slots__ = ("_coroutine", "_frozen_until", "_world", "alive", "error", "process")

    def __init__(self, world: "World", coroutine: Coroutine[float, None, None]) -> None:
        self._world = world
        self._coroutine = coroutine
        self._frozen_until = 0.0
        self.alive = True
        self.error: BaseException | None = None
        self.process: list[Task] = [self]
        world.at(world.now, self._step)

    def freeze(self, seconds: float) -> None:
        """Stop its process where it is for that long, as SIGSTOP and SIGCONT would."""
        self._world.expect(self._world.now + seconds)
        for task in self.process:
            task._frozen_until = max(task._frozen_until, self._world.now + seconds)

    def kill(self) -> None:
        """End it; what it has sent goes on in the servers."""
        if self.alive:
            self.alive = False
            self._coroutine.close()

    def _step(self) -> None:
        if not self.alive:
            return
        world = self._world
        if world.now < self._frozen_until:
            world.at(self._frozen_until, self._step)
            return
        world.current = self
        try:
            time = self._coroutine.send(None)
        except StopIteration:
            self.alive = False
        except Exception as error:
            self.alive, self.error = False, error
        else:
            world.at(time, self._step)


class Child(Task):
    """A task of the same process, whose end and error belong to the one that awaits it."""

    def __init__(self, world: "World", coroutine: Coroutine[float, None, None], parent: Task) -> None:
        super().__init__(world, coroutine)
        self._waiter: Task | None = None
        parent.process[:] = [task for task in parent.process if task.alive or not isinstance(task, Child)]
        parent.process.append(self)
        self.process = parent.process

    def __await__(self) -> Generator[float, None, None]:
        if self.alive:
            self._waiter = self._world.current
            yield math.inf
        error, self.error = self.error, None
        if error:
            raise error

    def _step(self) -> None:
        super()._step()
        if not self.alive and self._waiter:
            self._world.at(self._world.now, self._waiter._step)
            self._waiter = None


class World:
    """The clock of everything, and the queue of what will happen. Also the drain's Clock and Random."""

    def __init__(self, seed: int) -> None:
        self.random_source = random.Random(seed)
        self.now = 0.0
        self.steps = 0
        self.current: Task | None = None
        self.stirred_until = 0.0
        self._queue: list[tuple[float, int, Action]] = []
        self._number = 0

    def at(self, time: float, action: Action) -> None:
        """Let the action happen at that time, after what was planned earlier for the same time."""
        self._number += 1
        heapq.heappush(self._queue, (time if time > self.now else self.now, self._number, action))

    def after(self, seconds: float, action: Action) -> None:
        """Let the action happen that much later."""
        self.at(self.now + seconds, action)

    def expect(self, time: float) -> None:
        """Remember that something which nobody waits for happens then."""
        self.stirred_until = max(self.stirred_until, time)

    def run(self, until: float) -> None:
        """Let everything happen that is planned up to that time."""
        queue, pop, steps = self._queue, heapq.heappop, 0
        try:
            while queue and queue[0][0] <= until:
                self.now, _, action = pop(queue)
                steps += 1
                action()
        finally:
            self.steps += steps
        self.now = max(self.now, until)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> Task:
        """Start a coroutine."""
        return Task(self, coroutine)

    def beside(self, coroutine: Coroutine[Any, Any, None]) -> Child:
        """Start a coroutine in the process of the caller."""
        assert self.current
        return Child(self, coroutine, self.current)

    async def stall(self, seconds: float) -> None:
        """Freeze the process of the caller, right here."""
        if self.current:
            self.current.freeze(seconds)
        await self.sleep(0.0)

    def now_ns(self) -> int:
        """Return the time as Unix nanoseconds."""
        return int((1_700_000_000 + self.now) * 1_000_000_000)

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return self.now

    def sleep(self, seconds: float) -> Coroutine[Any, Any, None]:
        """Suspend the caller."""
        return cast(Coroutine[Any, Any, None], until(self.now + seconds))

    def random(self) -> float:
        """Return the next number of the seed."""
        return self.random_source.random()

    def chance(self, probability: float) -> bool:
        """Decide by the seed."""
        return probability > 0 and self.random_source.random() < probability

    def spread(self, seconds: float) -> float:
        """Return a duration: mostly short, seldom up to the given one."""
        return seconds * self.random_source.random() ** 4
