"""Administering keys: make, list, revoke, rotate; every act leaves a record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from zero.application.key_events import AdminActed
from zero.application.limits import check_limit
from zero.application.ports import Clock, KeyStore, Telemetry
from zero.domain.audit import AuditRecord
from zero.domain.errors import InvalidInput, NotFound, Overloaded
from zero.domain.instant import NANOSECONDS_PER_SECOND
from zero.domain.key import ApiKey, KeyScope, Quota, digest_of, key_text, new_secret

KEYS_MAX = 4096
"""Keys that are kept, ended ones among them: every process reads all of them when one changes."""
LIFE_SECONDS_MAX = 3650 * 86_400
OVERLAP_SECONDS_MAX = 30 * 86_400
AUDIT_PAGE_MAX = 1000
_ATTEMPTS_MAX = 16

Change = Callable[[dict[str, ApiKey], int], Sequence[ApiKey]]
"""Present keys and the time (Unix nanoseconds) to the keys that are to be put."""


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """What a new key is to be. ``life_seconds`` None is for ever."""

    tenant: str
    scopes: frozenset[KeyScope]
    label: str = ""
    life_seconds: int | None = None
    quota: Quota = field(default_factory=Quota)

    def __post_init__(self) -> None:
        if self.life_seconds is not None and not 1 <= self.life_seconds <= LIFE_SECONDS_MAX:
            raise InvalidInput("a key lives for 1 second to 3650 days, or for ever", field="expires")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; ``text`` is what its holder gets, and cannot be had again."""

    key: ApiKey
    text: str
    first: bool = False


class Keys:
    """Changes the keys in the store they share. ``actor`` says who does it, for the audit log."""

    def __init__(self, store: KeyStore, clock: Clock, telemetry: Telemetry) -> None:
        self._store = store
        self._clock = clock
        self._telemetry = telemetry

    async def create(self, request: KeyRequest, actor: str) -> NewKey:
        """Make a key. Raises InvalidInput, or Overloaded when there are too many."""
        id, secret = new_secret()
        first = False

        def change(present: dict[str, ApiKey], now_ns: int) -> Sequence[ApiKey]:
            nonlocal first
            first = not present
            expires_ns = None if request.life_seconds is None else now_ns + request.life_seconds * NANOSECONDS_PER_SECOND
            key = ApiKey(
                id=id,
                tenant=request.tenant,
                scopes=request.scopes,
                digest=digest_of(secret),
                created_ns=now_ns,
                label=request.label,
                expires_ns=expires_ns,
                quota=request.quota,
            )
            return [key]

        detail = f"tenant {request.tenant}, scope {','.join(sorted(request.scopes))}"
        (key,) = await self._change(change, AuditRecord(0, actor, "key.create", id, detail))
        return NewKey(key, key_text(id, secret), first)

    async def list(self) -> Sequence[tuple[ApiKey, int | None]]:
        """Return every key with the time of its last use, oldest first."""
        found, used = await self._store.load(), await self._store.used()
        return [(key, used.get(key.id)) for key in sorted(found.keys, key=lambda key: (key.created_ns, key.id))]

    async def revoke(self, id: str, actor: str) -> ApiKey:
        """End a key at once; it stays listed. Raises NotFound."""

        def change(present: dict[str, ApiKey], now_ns: int) -> Sequence[ApiKey]:
            key = _known(present, id)
            return [key if key.revoked_ns is not None else replace(key, revoked_ns=now_ns)]

        (key,) = await self._change(change, AuditRecord(0, actor, "key.revoke", id))
        return key

    async def rotate(self, id: str, overlap_seconds: int, actor: str) -> NewKey:
        """Make a key like this one, which itself ends after the overlap. Raises NotFound, InvalidInput."""
        if not 0 <= overlap_seconds <= OVERLAP_SECONDS_MAX:
            raise InvalidInput("the overlap is 0 seconds to 30 days", field="overlap")
        fresh, secret = new_secret()

        def change(present: dict[str, ApiKey], now_ns: int) -> Sequence[ApiKey]:
            old = _known(present, id)
            if reason := old.ended(now_ns):
                raise InvalidInput(f"{reason}: make a new one", field="id")
            life_ns = None if old.expires_ns is None else now_ns + old.expires_ns - old.created_ns
            new = replace(old, id=fresh, digest=digest_of(secret), created_ns=now_ns, expires_ns=life_ns, rotated_from=id)
            end_ns = now_ns + overlap_seconds * NANOSECONDS_PER_SECOND
            return [replace(old, expires_ns=end_ns if old.expires_ns is None else min(end_ns, old.expires_ns)), new]

        detail = f"to {fresh}, overlap {overlap_seconds} s"
        _, key = await self._change(change, AuditRecord(0, actor, "key.rotate", id, detail))
        return NewKey(key, key_text(fresh, secret))

    async def audit(self, before: str, limit: int) -> Sequence[tuple[str, AuditRecord]]:
        """Return up to ``limit`` acts, newest first, that are older than the cursor ``before``."""
        check_limit(limit, AUDIT_PAGE_MAX)
        return await self._store.audit(before, limit)

    async def _change(self, change: Change, record: AuditRecord) -> Sequence[ApiKey]:
        """Look at the keys, change them, and look again should another have changed them meanwhile."""
        for _ in range(_ATTEMPTS_MAX):
            found, now_ns = await self._store.load(), self._clock.now_ns()
            put = change({key.id: key for key in found.keys}, now_ns)
            removed = _to_forget(found.keys, put, now_ns)
            if await self._store.change(found.version, put, removed, replace(record, at_ns=now_ns)):
                self._telemetry.emit(AdminActed(record.act, record.actor, record.subject, record.detail))
                return put
        raise Overloaded("others change the keys at the same time")


def _known(present: dict[str, ApiKey], id: str) -> ApiKey:
    if id not in present:
        raise NotFound(f"there is no key {id[:32]!r}", field="id")
    return present[id]


def _to_forget(present: Sequence[ApiKey], put: Sequence[ApiKey], now_ns: int) -> Sequence[str]:
    """Return the oldest ended keys that have to go so that there is room. Raises Overloaded when that does not help."""
    replaced = {key.id for key in put}
    excess = len({key.id for key in present} | replaced) - KEYS_MAX
    ended = sorted((key.created_ns, key.id) for key in present if key.ended(now_ns) and key.id not in replaced)
    if excess > len(ended):
        raise Overloaded(f"there are {KEYS_MAX} keys already: revoke some", retry_after_seconds=60)
    return [id for _, id in ended[: max(0, excess)]]
