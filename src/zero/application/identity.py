"""Who is asking: the tenant and key that a request came with, for as long as they are good."""

from collections.abc import Callable
from math import inf

from zero.domain.errors import QuotaExceeded, Unauthenticated
from zero.domain.key import KeyScope, Quota

DEFAULT_TENANT = "default"
"""Whose everything is while there are no keys."""

_RETRY_SECONDS_MAX = 60.0


class Meter:
    """The quota of one key in one process, of ``processes`` that share it. Made for one event loop.

    Two buckets hold what one second brings. They are filled up when one is empty, not before, so that most requests need no
    clock: after a pause two seconds' worth may pass at once. A request may overdraw them, so that a large one can pass at all.
    """

    __slots__ = ("_at", "_bytes", "_bytes_left", "_in_flight_max", "_monotonic", "_requests", "_requests_left", "in_flight")

    def __init__(self, quota: Quota, processes: int, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._at = monotonic()
        self._requests = quota.requests_per_second / processes if quota.requests_per_second else inf
        self._bytes = quota.bytes_per_second / processes if quota.bytes_per_second else inf
        self._requests_left, self._bytes_left = max(self._requests, 1.0), max(self._bytes, 1.0)
        self._in_flight_max = -(-quota.in_flight_max // processes) if quota.in_flight_max else 0
        self.in_flight = 0

    def admit(self, size_bytes: int) -> bool:
        """Count a request that begins; True when ``release`` has to be called once it is answered.

        Raises QuotaExceeded: then nothing was counted.
        """
        if self._in_flight_max and self.in_flight >= self._in_flight_max:
            raise QuotaExceeded("the key has as many requests in flight as it may", limit="in_flight")
        if self._requests_left <= 0 or self._bytes_left <= 0:
            self._fill()
        self._requests_left -= 1
        self._bytes_left -= size_bytes
        if not self._in_flight_max:
            return False
        self.in_flight += 1
        return True

    def charge(self, size_bytes: int) -> None:
        """Count bytes that were not known at the beginning: what a compressed body turned out to hold."""
        self._bytes_left -= size_bytes

    def release(self) -> None:
        """Say that a request is answered."""
        self.in_flight -= 1

    def _fill(self) -> None:
        """Put into the buckets what has come in since. Raises QuotaExceeded when one of them is empty still."""
        now = self._monotonic()
        elapsed, self._at = now - self._at, now
        self._requests_left = _filled(self._requests_left, self._requests, elapsed)
        self._bytes_left = _filled(self._bytes_left, self._bytes, elapsed)
        for left, rate, limit in ((self._requests_left, self._requests, "requests"), (self._bytes_left, self._bytes, "bytes")):
            if left <= 0:
                wait = min(_RETRY_SECONDS_MAX, max(-left / rate, 0.001))
                raise QuotaExceeded(f"the key has used up its {limit} per second", limit=limit, retry_after_seconds=wait)


def _filled(left: float, rate: float, elapsed: float) -> float:
    return left if rate == inf else min(max(rate, 1.0), left + rate * elapsed)


class Identity:
    """One key as a process knows it. ``ended`` says why it is no longer good; doors may keep the object, it is kept up to date.

    ``key_id`` is '' while there are no keys. ``meter`` is None when the key has no quota.
    """

    __slots__ = ("ended", "key_id", "meter", "scopes", "tenant", "used")

    def __init__(self, tenant: str, key_id: str, scopes: frozenset[KeyScope], meter: Meter | None = None) -> None:
        self.tenant = tenant
        self.key_id = key_id
        self.scopes = scopes
        self.meter = meter
        self.ended = ""
        self.used = False

    def admit(self, size_bytes: int) -> Meter | None:
        """Let one request begin. Returns the meter that has to be released when it is answered, if there is one.

        Raises Unauthenticated when the key has ended meanwhile, QuotaExceeded.
        """
        if self.ended:
            raise Unauthenticated(self.ended)
        self.used = True
        meter = self.meter
        return meter if meter is not None and meter.admit(size_bytes) else None


def anyone() -> Identity:
    """Return the identity of everybody while there are no keys: the default tenant, everything permitted."""
    return Identity(DEFAULT_TENANT, "", frozenset(KeyScope))
