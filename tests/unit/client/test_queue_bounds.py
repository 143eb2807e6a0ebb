"""What waits is bounded in characters too, whatever one entry weighs."""

import time

import pytest

from zero.client import Sender


@pytest.mark.parametrize("size", [1, 600, 1900, 40_000])
def test_all_that_waits_counts_against_the_bound_in_characters(door, size):
    sender = Sender(url=door.url, queue_bytes_max=100_000, queue_entries_max=1000, flush_seconds=3600, exit_seconds_max=0)
    sender.inbox.rouse = lambda: None
    for _ in range(2000):
        assert sender.inbox.put("x" * size, size)
    waiting = list(sender.inbox._items)
    assert 100_000 * 0.5 - size <= sum(map(len, waiting)) <= 100_000 or len(waiting) == 1000
    assert len(waiting) + sender.inbox.dropped_oldest == 2000
    while len(sender.inbox):
        sender.inbox.take()
    assert sender.inbox._heavy == 0


def test_blocking_does_not_wait_for_what_can_never_fit(door):
    sender = Sender(url=door.url, overflow="block", block_seconds_max=60, queue_bytes_max=1000)
    began = time.monotonic()
    assert not sender.send("x" * 2000)
    assert time.monotonic() - began < 30
    assert sender.counters()["dropped_newest"] == 1
    sender.close()
