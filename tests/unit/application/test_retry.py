"""Waits between attempts grow, spread and stay bounded."""

import random

import pytest

from zero.application.retry import Backoff, BackoffOptions


class _Highest:
    def random(self) -> float:
        return 1.0


def test_waits_double_up_to_the_bound() -> None:
    backoff = Backoff(_Highest(), BackoffOptions(factor=2.0, first_seconds=0.1, seconds_max=0.5))
    assert [backoff.next() for _ in range(5)] == [0.1, 0.2, 0.4, 0.5, 0.5]
    assert backoff.attempts == 5


def test_success_starts_again_from_the_first_wait() -> None:
    backoff = Backoff(_Highest(), BackoffOptions(first_seconds=0.1))
    backoff.next()
    backoff.next()
    backoff.reset()
    assert (backoff.next(), backoff.attempts) == (0.1, 1)


def test_jitter_keeps_a_wait_between_half_and_all_of_its_ceiling() -> None:
    waits = [Backoff(random.Random(seed), BackoffOptions(first_seconds=1.0, seconds_max=1.0)).next() for seed in range(100)]
    assert 0.5 <= min(waits) < 0.6 < 0.9 < max(waits) <= 1.0


@pytest.mark.parametrize(("first", "most", "factor"), [(0.0, 1.0, 2.0), (2.0, 1.0, 2.0), (0.1, 1.0, 0.5)])
def test_options_that_cannot_work_are_refused(first: float, most: float, factor: float) -> None:
    with pytest.raises(ValueError, match="back-off"):
        BackoffOptions(factor=factor, first_seconds=first, seconds_max=most)
