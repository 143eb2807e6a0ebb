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
    assert sum(map(len, waiting)) <= 100_000
    assert sum(map(len, waiting)) >= 50_000 - size or len(waiting) == 1000
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


def spooled(folder, hours):
    """Put a batch of one entry into a folder, as if so long ago."""
    from zero.client.batches import Batch
    from zero.client.spool import Spool

    assert Spool(str(folder), 1 << 20).put(Batch(f"key-{hours}", b'{"message":"x"}', 1))
    (path,) = folder.glob("*.batch")
    then = time.time_ns() - int(hours * 3600e9)
    path.rename(folder / f"{then:020d}-{path.name.partition('-')[2]}")


@pytest.mark.parametrize(("hours", "late"), [(1, 0), (30, 1)])
def test_a_batch_older_than_the_memory_of_the_door_is_sent_and_told_of(door, tmp_path, capfd, hours, late):
    spooled(tmp_path, hours)
    sender = Sender(url=door.url, spool=str(tmp_path), exit_seconds_max=30)
    sender.flush()
    sender.close()
    assert len(door.entries()) == 1
    assert sender.counters()["spooled_late"] == late
    assert ("1 entries went out after 30 hours on disk" in capfd.readouterr().err) == bool(late)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_unfinished_is_removed_once_nobody_can_be_writing_it(tmp_path):
    import os

    from zero.client.batches import Batch
    from zero.client.spool import Spool

    stale, fresh = tmp_path / "1-1-000001.unfinished", tmp_path / "2-2-000001.unfinished"
    spool = Spool(str(tmp_path), 1920)
    stale.write_bytes(b"x" * 1900)
    fresh.write_bytes(b"x" * 10)
    assert not spool.put(Batch("key", b"x", 1))
    os.utime(stale, (1, 1))
    assert spool.put(Batch("key", b"x", 1))
    assert not stale.exists()
    assert fresh.exists()
