"""Quotas: how much of each passes, for how long it does not, and what is given back."""

import pytest

from zero.application.identity import Identity, Meter
from zero.domain.errors import QuotaExceeded, Unauthenticated
from zero.domain.key import KeyScope, Quota
from zero.infrastructure.memory import ManualClock


def meter(processes: int = 1, **quota: int) -> tuple[Meter, ManualClock]:
    clock = ManualClock()
    return Meter(Quota(**quota), processes, clock.monotonic), clock


def admitted(meter: Meter, tries: int, size: int = 0) -> int:
    passed = 0
    for _ in range(tries):
        try:
            held = meter.admit(size)
        except QuotaExceeded:
            continue
        if held:
            meter.release()
        passed += 1
    return passed


def test_requests_pass_at_their_rate_after_a_burst_of_one_second():
    quota, clock = meter(requests_per_second=10)
    passed = [admitted(quota, 100)]
    for _ in range(10):
        clock.advance(0.5)
        passed.append(admitted(quota, 100))
    assert passed[0] == 10
    assert sum(passed) == pytest.approx(10 + 50, abs=1)
    clock.advance(100)
    assert admitted(quota, 100) <= 20, "a pause is worth two seconds at most"


def test_bytes_pass_at_their_rate_and_one_large_request_is_paid_off_afterwards():
    quota, clock = meter(bytes_per_second=1000)
    quota.admit(5000)
    with pytest.raises(QuotaExceeded) as caught:
        quota.admit(1)
    assert caught.value.limit == "bytes"
    assert caught.value.retry_after_seconds == pytest.approx(4)
    clock.advance(4.1)
    quota.admit(1)


def test_what_a_compressed_body_held_is_charged_too():
    quota, _ = meter(bytes_per_second=1000)
    quota.admit(10)
    quota.charge(10_000)
    with pytest.raises(QuotaExceeded):
        quota.admit(1)


def test_requests_in_flight_are_bounded_and_a_reply_makes_room():
    quota, _ = meter(in_flight_max=2)
    quota.admit(1)
    quota.admit(1)
    with pytest.raises(QuotaExceeded) as caught:
        quota.admit(1)
    assert (caught.value.limit, quota.in_flight) == ("in_flight", 2)
    quota.release()
    quota.admit(1)


def test_a_refused_request_costs_nothing():
    quota, clock = meter(requests_per_second=1, bytes_per_second=100)
    quota.admit(200)
    assert admitted(quota, 50, 10_000) == 0
    clock.advance(1.2)
    quota.admit(1)


def test_processes_share_a_quota():
    quota, _ = meter(4, requests_per_second=40, in_flight_max=6)
    assert admitted(quota, 100) == 10
    quota, _ = meter(4, in_flight_max=6)
    for _ in range(2):
        quota.admit(1)
    with pytest.raises(QuotaExceeded):
        quota.admit(1)


def test_no_wait_is_longer_than_a_minute_or_none_at_all():
    quota, _ = meter(bytes_per_second=1)
    quota.admit(1 << 30)
    with pytest.raises(QuotaExceeded) as caught:
        quota.admit(1)
    assert caught.value.retry_after_seconds == 60
    quota, _ = meter(requests_per_second=1)
    quota.admit(1)
    with pytest.raises(QuotaExceeded) as caught:
        quota.admit(1)
    assert caught.value.retry_after_seconds > 0


def test_an_identity_that_has_ended_admits_nothing():
    identity = Identity("acme", "k", frozenset({KeyScope.INGEST}))
    assert identity.admit(10) is None
    assert identity.used
    identity.ended = "the API key was revoked"
    with pytest.raises(Unauthenticated, match="revoked"):
        identity.admit(10)
