"""The keys as one process knows them: read again when they have changed, asked at every request.

While there are no keys, those who can reach a listener on loopback may do everything, as the default tenant. From the first key
on, for as long as the process lives, a key is needed, on loopback too.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from zero.application.background import end
from zero.application.credentials import key_in
from zero.application.identity import Identity, Meter, anyone
from zero.application.key_events import AccessRefused, KeysLoaded, KeysStale
from zero.application.ports import Clock, KeyStore, Telemetry
from zero.domain.errors import ConfigurationError, Forbidden, Overloaded, Unauthenticated, Unavailable, ZeroError
from zero.domain.key import ApiKey, KeyScope, KeySet, is_secret, parse_key

HOW_TO_SHOW = "send the header 'Authorization: Bearer <key>' or 'X-API-Key: <key>'"
_NO_DIGEST = os.urandom(32)


@dataclass(frozen=True, slots=True)
class KeyRingOptions:
    """``processes`` share the quotas. ``exposed``: other machines can reach the listener, so that keys have to exist.

    The version of the keys is looked at every ``refresh_seconds``: that long, and a read, a revoked key may still work. When
    the buffer does not answer the last known keys work on for ``stale_seconds_max``.
    """

    exposed: bool = False
    processes: int = 1
    refresh_seconds: float = 1.0
    use_seconds: float = 10.0
    stale_seconds_max: float = 3600.0

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise ValueError("processes must be at least 1")
        if not 0 < self.refresh_seconds <= self.use_seconds <= self.stale_seconds_max:
            raise ValueError("refresh_seconds <= use_seconds <= stale_seconds_max must hold, above 0")


class KeyRing:
    """Says who is asking. Belongs to one event loop; ``start`` it before and ``close`` it after use."""

    def __init__(self, store: KeyStore, clock: Clock, telemetry: Telemetry, options: KeyRingOptions | None = None) -> None:
        self._store = store
        self._clock = clock
        self._telemetry = telemetry
        self._options = options or KeyRingOptions()
        self._version = -1
        self._keys: dict[str, ApiKey] = {}
        self._identities: dict[str, Identity] = {}
        self._anyone = anyone()
        self._open = not self._options.exposed
        self._read_at: float | None = None
        self._marked_at = clock.monotonic()
        self._stale = False
        self._listeners: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the keys, and from now on read them again. Raises ConfigurationError when there have to be some and are none."""
        await self._look()
        if self._options.exposed and self._read_at is not None and not self._any_good():
            raise ConfigurationError(
                "the listener can be reached from other machines and there are no API keys: make one with "
                "`zero keys create --tenant NAME --scope ingest,query,admin`, with the same settings, and start again; "
                "or listen on 127.0.0.1"
            )
        self._task = asyncio.create_task(self._keep_looking())

    async def close(self) -> None:
        """Stop reading, and hand in what was used."""
        if self._task is not None:
            await end(self._task)
        with suppress(Unavailable, Overloaded):
            await self._mark_used()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call the listener when what a credential means may have changed."""
        self._listeners.append(listener)

    @property
    def exposed(self) -> bool:
        """Whether other machines can reach the listener."""
        return self._options.exposed

    @property
    def needs_key(self) -> bool:
        """Whether requests have to show a key."""
        return not self._open

    def authorise(self, credential: str, *scopes: KeyScope) -> Identity:
        """Return who shows the credential (a header's value), good for at least one of the scopes.

        Raises Unauthenticated, Forbidden, or Unavailable when the keys are not known.
        """
        try:
            identity = self._identify(credential)
            if identity.scopes.isdisjoint(scopes):
                needed = " or ".join(scopes)
                raise Forbidden(f"the API key has the scope {', '.join(sorted(identity.scopes))}; this needs {needed}")
        except ZeroError as error:
            self._telemetry.emit(AccessRefused(error.code))
            raise
        identity.used = True
        return identity

    def _identify(self, credential: str) -> Identity:
        if self._read_at is None or self._clock.monotonic() - self._read_at > self._options.stale_seconds_max:
            raise Unavailable("the API keys cannot be read: the buffer does not answer")
        if self._open:
            return self._anyone
        found = parse_key(key_in(credential))
        if found is None:
            reason = "that is not an API key" if credential else "an API key is needed"
            raise Unauthenticated(f"{reason}: {HOW_TO_SHOW}")
        id, secret = found
        key = self._keys.get(id)
        if not is_secret(secret, key.digest if key else _NO_DIGEST) or key is None:
            raise Unauthenticated("the API key is not known here")
        identity = self._identities[id]
        if identity.ended:
            raise Unauthenticated(identity.ended)
        return identity

    async def refresh(self) -> None:
        """Read the keys if they have changed. Raises Unavailable or Overloaded."""
        version = await self._store.version()
        if version != self._version:
            self._take(await self._store.load())
        elif self._end_expired():
            self._tell()
        self._read_at = self._clock.monotonic()
        self._stale = False

    def _take(self, found: KeySet) -> None:
        now_ns = self._clock.now_ns()
        keys = {key.id: key for key in found.keys}
        for id, identity in self._identities.items():
            if id not in keys:
                identity.ended = "the API key was revoked"
        self._identities = {id: self._identity(key, now_ns) for id, key in keys.items()}
        self._keys, self._version = keys, found.version
        if keys and self._open:
            self._open = False
            self._anyone.ended = f"there are API keys now, so one is needed: {HOW_TO_SHOW}"
        good = sum(not identity.ended for identity in self._identities.values())
        self._telemetry.emit(KeysLoaded(good, found.version))
        self._tell()

    def _identity(self, key: ApiKey, now_ns: int) -> Identity:
        """Return the one identity of the key: what others hold of it stays true."""
        identity = self._identities.get(key.id)
        if identity is None:
            meter = None if key.quota.unlimited else Meter(key.quota, self._options.processes, self._clock.monotonic)
            identity = Identity(key.tenant, key.id, key.scopes, meter)
        identity.ended = key.ended(now_ns)
        return identity

    def _end_expired(self) -> bool:
        now_ns, changed = self._clock.now_ns(), False
        for id, key in self._keys.items():
            identity = self._identities[id]
            if key.expires_ns is not None and not identity.ended and (reason := key.ended(now_ns)):
                identity.ended, changed = reason, True
        return changed

    def _any_good(self) -> bool:
        return any(not identity.ended for identity in self._identities.values())

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    async def _keep_looking(self) -> None:
        while True:
            await self._clock.sleep(self._options.refresh_seconds)
            await self._look()

    async def _look(self) -> None:
        """Read the keys and hand in their use; in an outage say so once and end what expires."""
        try:
            await self.refresh()
            if self._clock.monotonic() - self._marked_at >= self._options.use_seconds:
                await self._mark_used()
        except (Unavailable, Overloaded) as error:
            if not self._stale:
                self._stale = True
                self._telemetry.emit(KeysStale(error.message))
            if self._end_expired():
                self._tell()

    async def _mark_used(self) -> None:
        self._marked_at = self._clock.monotonic()
        used = [id for id, identity in self._identities.items() if identity.used]
        if used:
            for id in used:
                self._identities[id].used = False
            await self._store.mark_used(self._clock.now_ns(), used)
