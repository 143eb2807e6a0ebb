"""API keys and audit log in memory."""

from collections.abc import Mapping, Sequence

from zero.domain.audit import AuditRecord
from zero.domain.errors import InvalidInput
from zero.domain.key import ApiKey, KeySet


class MemoryKeyStore:
    """Implements ``ports.KeyStore``. Raises ``failure`` while it is set. Share one between rings to share the keys."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.reads = 0
        self._version = 0
        self._keys: dict[str, ApiKey] = {}
        self._used: dict[str, int] = {}
        self._audit: list[AuditRecord] = []

    async def version(self) -> int:
        """Return the version of the set."""
        self._check()
        return self._version

    async def load(self) -> KeySet:
        """Return every key."""
        self._check()
        self.reads += 1
        return KeySet(self._version, list(self._keys.values()))

    async def change(self, based_on: int, keys: Sequence[ApiKey], removed: Sequence[str], record: AuditRecord) -> bool:
        """Put and remove keys and record the act, unless the version has moved on."""
        self._check()
        if based_on != self._version:
            return False
        self._keys.update({key.id: key for key in keys})
        for id in removed:
            self._keys.pop(id, None)
            self._used.pop(id, None)
        self._version += 1
        self._audit.append(record)
        return True

    async def mark_used(self, at_ns: int, ids: Sequence[str]) -> None:
        """Remember the time."""
        self._check()
        self._used.update(dict.fromkeys(ids, at_ns))

    async def used(self) -> Mapping[str, int]:
        """Return the times."""
        self._check()
        return dict(self._used)

    async def record(self, record: AuditRecord) -> None:
        """Record an act."""
        self._check()
        self._audit.append(record)

    async def audit(self, before: str, limit: int) -> Sequence[tuple[str, AuditRecord]]:
        """Return acts, newest first."""
        self._check()
        if before and not before.isdecimal():
            raise InvalidInput(f"not an audit cursor: {before[:64]!r}", field="before")
        end = int(before) if before else len(self._audit)
        return [(str(at), self._audit[at]) for at in range(end - 1, max(-1, end - 1 - limit), -1)]

    async def close(self) -> None:
        """Nothing is open."""

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure
