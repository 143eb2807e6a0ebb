"""Who is asking: the tenant and key that a request came with, for as long as they are good."""

from collections.abc import Callable

from zero.domain.errors import QuotaExceeded, Unauthenticated
from zero.domain.key import KeyScope, Quota

DEFAULT_TENANT = "default"
"""Whose everything is while there are no keys."""

_RETRY_SECONDS_MAX = 60.0


class _Bucket:
    """Fills at a rate, up to what one second brings; may be overdrawn by one request, so that a large one can pass at all."""

    __slots__ = ("_at", "_level", "_most", "_rate")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._most = self._level = max(rate, 1.0)
        self._at = now

    def wait(self, now: float) -> float:
        """Return the seconds until something may be taken; 0 is now."""
        self._level = min(self._most, self._level + (now - self._at) * self._rate)
        self._at = now
        return 0.0 if self._level > 0 else min(_RETRY_SECONDS_MAX, max(-self._level / self._rate, 0.001))

    def take(self, amount: float) -> None:
        self._level -= amount


class Meter:
    """The quota of one key in one process, of ``processes`` that share it. Made for one event loop."""

    __slots__ = ("_bytes", "_in_flight_max", "_monotonic", "_requests", "in_flight")

    def __init__(self, quota: Quota, processes: int, monotonic: Callable[[], float]) -> None:
        now = monotonic()
        self._monotonic = monotonic
        self._requests = _Bucket(quota.requests_per_second / processes, now) if quota.requests_per_second else None
        self._bytes = _Bucket(quota.bytes_per_second / processes, now) if quota.bytes_per_second else None
        self._in_flight_max = -(-quota.in_flight_max // processes) if quota.in_flight_max else 0
        self.in_flight = 0

    def admit(self, size_bytes: int) -> None:
        """Count a request that begins; ``release`` when it is answered. Raises QuotaExceeded: then nothing was counted."""
        now = self._monotonic()
        for bucket, limit in ((self._requests, "requests"), (self._bytes, "bytes")):
            if bucket is not None and (seconds := bucket.wait(now)):
                message = f"the key has used up its {limit} per second"
                raise QuotaExceeded(message, limit=limit, retry_after_seconds=seconds)
        if self._in_flight_max and self.in_flight >= self._in_flight_max:
            raise QuotaExceeded("the key has as many requests in flight as it may", limit="in_flight")
        if self._requests is not None:
            self._requests.take(1)
        self.charge(size_bytes)
        self.in_flight += 1

    def charge(self, size_bytes: int) -> None:
        """Count bytes that were not known at the beginning: what a compressed body turned out to hold."""
        if self._bytes is not None:
            self._bytes.take(size_bytes)

    def release(self) -> None:
        """Say that a request is answered."""
        self.in_flight -= 1


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
        """Let one request begin; the meter, if any, is to be released when it is answered.

        Raises Unauthenticated when the key has ended meanwhile, QuotaExceeded.
        """
        if self.ended:
            raise Unauthenticated(self.ended)
        self.used = True
        if self.meter is not None:
            self.meter.admit(size_bytes)
        return self.meter


def anyone() -> Identity:
    """Return the identity of everybody while there are no keys: the default tenant, everything permitted."""
    return Identity(DEFAULT_TENANT, "", frozenset(KeyScope))
