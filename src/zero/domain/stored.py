"""An entry as it comes back from the store: with the identity it got at acceptance."""

from dataclasses import dataclass, field

from zero.domain.entry import LogEntry, entry_id


@dataclass(frozen=True, slots=True, order=True)
class EntryKey:
    """Where an entry stands in the order of search results; unique."""

    timestamp_ns: int
    batch_id: int
    index: int


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry and its identity; ``pattern_id`` is the hash of its masked message, None when the store did not say it."""

    batch_id: int
    index: int
    entry: LogEntry
    pattern_id: int | None = field(default=None, compare=False)

    @property
    def id(self) -> str:
        """The public identity: 24 hex digits."""
        return entry_id(self.batch_id, self.index)

    @property
    def key(self) -> EntryKey:
        """Its place in the order of search results."""
        return EntryKey(self.entry.timestamp_ns, self.batch_id, self.index)
