"""Operators who replay and drop dead letters at any time, over the same bad line, and repeat what was not answered."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.torture.simulator.servers import Line, Safety, answer
from tests.torture.simulator.world import World
from zero.application.dead_letters import DeadLetterParts, DeadLetters
from zero.application.ports import DeadLetter, Telemetry
from zero.domain.errors import BufferUnavailable, NotFound
from zero.domain.frame import unpack_frame
from zero.infrastructure.memory import MemoryBuffer, MemoryCodec, MemoryKeyStore

Name = tuple[int, int] | bytes
"""A dead row's identity, or a dead frame."""


def name_of(letter: DeadLetter) -> Name:
    """Return what the letter is about."""
    if letter.index is None:
        return letter.frame
    return unpack_frame(letter.frame, MemoryCodec().crc32c).batch_id, letter.index


@dataclass(slots=True)
class SimDeadLetters:
    """The DeadLetterStore at the end of a line; ``dropped`` is what the server has deleted."""

    server: MemoryBuffer
    line: Line
    safety: Safety
    dropped: Counter[Name] = field(default_factory=Counter)
    entries_dropped: int = 0

    async def dead_letters(self, after: str, limit: int) -> Sequence[tuple[str, DeadLetter]]:
        """As the port says."""
        return await self.line.call(lambda: answer(self.server.dead_letters(after, limit)))

    async def dead_letter(self, id: str) -> DeadLetter | None:
        """As the port says."""
        return await self.line.call(lambda: answer(self.server.dead_letter(id)))

    async def replay(self, id: str, frame: bytes) -> bool:
        """As the port says."""
        if self.safety.atomic_replay:
            return await self.line.call(lambda: answer(self.server.replay(id, self._named(id, frame))))
        await self.line.call(lambda: self._copy(id, frame))
        return await self.line.call(lambda: self._take_away(id))

    def _copy(self, id: str, frame: bytes) -> None:
        """Append the frame and leave the letter where it is."""
        letter = answer(self.server.dead_letter(id))
        if letter is not None and answer(self.server.replay(id, frame)):
            self.server._dead[int(id)] = letter

    def _take_away(self, id: str) -> bool:
        return self.server._dead.pop(int(id), None) is not None

    async def drop(self, id: str) -> bool:
        """As the port says."""
        return await self.line.call(lambda: self._drop(id))

    def _drop(self, id: str) -> bool:
        letter = answer(self.server.dead_letter(id))
        if letter is not None:
            self.dropped[name_of(letter)] += 1
            self.entries_dropped += letter.count
        return answer(self.server.drop(id))

    def _named(self, id: str, frame: bytes) -> bytes:
        """Return the frame, or the letter's own, which does not say which entry of its batch it is."""
        letter = answer(self.server.dead_letter(id))
        return frame if self.safety.replay_identity or letter is None else letter.frame


async def operate(world: World, store: SimDeadLetters, codec: MemoryCodec, telemetry: Telemetry, until: float) -> None:
    """Replay most letters, some twice, and drop a few, until then."""
    parts = DeadLetterParts(store, MemoryKeyStore(), codec.crc32c, lambda payload: [], world, telemetry)
    letters = DeadLetters(parts)
    while world.now < until:
        await world.sleep(0.1 + world.random())
        try:
            found = await letters.list("", 1000)
            if not found:
                continue
            id, _ = world.random_source.choice(found)
            if world.chance(0.2):
                await letters.drop(id, "operator")
            for _ in range(world.random_source.choice((1, 1, 2))):
                await letters.replay(id, "operator")
        except (BufferUnavailable, NotFound):
            continue
