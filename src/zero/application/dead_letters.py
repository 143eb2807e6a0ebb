"""Dead letters: looking at them, storing them again, giving them up. Every change leaves a record in the audit log."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from zero.application.key_events import AdminActed
from zero.application.limits import check_limit
from zero.application.ports import Clock, DeadLetter, DeadLetterStore, KeyStore, Telemetry
from zero.domain.audit import AuditRecord
from zero.domain.entry import LogEntry
from zero.domain.errors import CorruptFrame, InvalidInput, NotFound
from zero.domain.frame import Crc32c, pack_part, unpack_frame
from zero.domain.stored import StoredEntry

PAGE_MAX = 1000
LOGS_MAX = 100
"""Entries shown of one letter."""
_READ_AT_ONCE = 4
"""Letters may be as large as the largest request, and come whole: a page of them is read few by few."""

ReadEntries = Callable[[bytes | memoryview], Sequence[LogEntry]]


@dataclass(frozen=True, slots=True)
class DeadLetterParts:
    """What dead letters need. ``read_entries`` reads a ``LogBatch``, and raises InvalidInput when it is none."""

    store: DeadLetterStore
    journal: KeyStore
    crc32c: Crc32c
    read_entries: ReadEntries
    clock: Clock
    telemetry: Telemetry


@dataclass(frozen=True, slots=True)
class Listed:
    """A dead letter without its frame, and how large that is."""

    letter: DeadLetter
    frame_bytes: int


class DeadLetters:
    """Looks at dead letters and moves them. ``actor`` says who does it, for the audit log."""

    def __init__(self, parts: DeadLetterParts) -> None:
        self._parts = parts

    async def list(self, after: str, limit: int) -> Sequence[tuple[str, Listed]]:
        """Return up to ``limit`` (id, dead letter) pairs behind the id ``after`` ('' for the first), oldest first."""
        check_limit(limit, PAGE_MAX)
        found: list[tuple[str, Listed]] = []
        while wanted := min(_READ_AT_ONCE, limit - len(found)):
            some = await self._parts.store.dead_letters(after, wanted)
            found += [(id, Listed(replace(letter, frame=b""), len(letter.frame))) for id, letter in some]
            if len(some) < wanted:
                break
            after = some[-1][0]
        return found

    async def find(self, id: str) -> DeadLetter:
        """Return the dead letter. Raises NotFound."""
        letter = await self._parts.store.dead_letter(id)
        if letter is None:
            raise _gone(id)
        return letter

    def logs(self, letter: DeadLetter) -> Sequence[StoredEntry]:
        """Return the first of its entries under their identities; none where they cannot be read."""
        try:
            frame = unpack_frame(letter.frame, self._parts.crc32c)
            entries = self._parts.read_entries(frame.payload)
        except (CorruptFrame, InvalidInput):
            return []
        first = frame.first_index if letter.index is None else letter.index
        return [StoredEntry(frame.batch_id, first + at, entry) for at, entry in enumerate(entries[:LOGS_MAX])]

    async def replay(self, id: str, actor: str) -> DeadLetter:
        """Put the letter back into the buffer, under its identity. Raises NotFound when it is not there, or no longer.

        What becomes of it then is the drain's: it verifies, stores what is absent, or makes a dead letter of it again.
        """
        letter = await self.find(id)
        await self._record("dead_letter.replay", id, letter, actor)
        if not await self._parts.store.replay(id, self._frame(letter)):
            raise _gone(id)
        return letter

    async def drop(self, id: str, actor: str) -> DeadLetter:
        """Delete the letter for good. Raises NotFound when it is not there, or no longer."""
        letter = await self.find(id)
        await self._record("dead_letter.drop", id, letter, actor)
        if not await self._parts.store.drop(id):
            raise _gone(id)
        return letter

    def _frame(self, letter: DeadLetter) -> bytes:
        """Return the frame to store: a single entry says which one of its batch it is. What cannot be read goes as it is."""
        if letter.index is None:
            return letter.frame
        try:
            return pack_part(unpack_frame(letter.frame, self._parts.crc32c), letter.index, self._parts.crc32c)
        except CorruptFrame:
            return letter.frame

    async def _record(self, act: str, id: str, letter: DeadLetter, actor: str) -> None:
        """Record the act before it is done: none is done unseen."""
        detail = f"tenant {letter.tenant}, {letter.count} entries"
        await self._parts.journal.record(AuditRecord(self._parts.clock.now_ns(), actor, act, id, detail))
        self._parts.telemetry.emit(AdminActed(act, actor, id, detail))


def _gone(id: str) -> NotFound:
    return NotFound(f"there is no dead letter {id[:64]!r}; it was never there, or was replayed or dropped", field="id")
