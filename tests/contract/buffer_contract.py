"""What every durable buffer does. A subclass gives the fixtures ``buffer``, ``lease_over`` and ``lose``.

class TestRedisBuffer(BufferContract):
    @pytest.fixture
    async def buffer(self): ...        # empty, 2 shards, implements Buffer and ShardLog; a short lease
    @pytest.fixture
    def lease_over(self): ...          # async callable: returns once an unrenewed lease has expired
    @pytest.fixture
    def lose(self): ...                # async callable: the stream of shard 0 is gone, as nobody of us does it
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from zero.application.overview import TenantBalance
from zero.application.ports import Append, DeadLetter, IdempotencyKey, Lease, Settlement
from zero.domain.errors import LeaseLost
from zero.domain.ledger import TenantLedger, day_of
from zero.domain.retention import Cut

OWNER = "drain-a"
OTHER = "drain-b"
LeaseOver = Callable[[], Awaitable[None]]
Lose = Callable[[], Awaitable[None]]


def frame(number: int, *, shard: int = 0, tenant: str = "default", count: int = 3) -> Append:
    """Return an append of a frame that differs from the others and holds every byte value."""
    return Append(shard, b"frame-%d-" % number + bytes(range(256)), tenant, count)


async def taken(buffer: Any, shard: int = 0, owner: str = OWNER) -> Lease:
    """Return a fresh lease."""
    lease = await buffer.acquire(shard, owner)
    assert lease is not None
    return lease


async def dead(buffer: Any, tenant: str, letters: int) -> list[str]:
    """Put a frame of three through, of which so many become letters; return their ids."""
    await buffer.append([frame(1, tenant=tenant)])
    lease = await taken(buffer)
    (read,) = await buffer.read(lease, 1, 0.0)
    refused = [DeadLetter(read.position, "refused", tenant, 1, b"entry", index) for index in range(letters)]
    await buffer.settle(lease, Settlement([read.position], {tenant: 3 - letters}, refused))
    return [id for id, _ in await buffer.dead_letters("", 10)]


class BufferContract:
    """The tests; each starts from an empty buffer of two shards."""

    async def test_read_gives_what_was_appended_in_order_and_byte_for_byte(self, buffer: Any) -> None:
        appended = await buffer.append([frame(1), frame(2), frame(3)])
        deliveries = await buffer.read(await taken(buffer), 10, 0.0)
        assert [delivery.data for delivery in deliveries] == [frame(n).frame for n in (1, 2, 3)]
        assert [delivery.position for delivery in deliveries] == [one.position for one in appended]

    async def test_entries_appended_before_the_first_lease_are_not_skipped(self, buffer: Any) -> None:
        await buffer.append([frame(1)])
        assert len(await buffer.read(await taken(buffer), 10, 0.0)) == 1

    async def test_read_honours_its_limit_and_gives_each_entry_once(self, buffer: Any) -> None:
        await buffer.append([frame(n) for n in range(5)])
        lease = await taken(buffer)
        sizes = [len(await buffer.read(lease, 2, 0.0)) for _ in range(4)]
        assert sizes == [2, 2, 1, 0]

    async def test_a_waiting_read_returns_when_an_entry_arrives(self, buffer: Any) -> None:
        lease = await taken(buffer)
        reading = asyncio.create_task(buffer.read(lease, 10, 5.0))
        await asyncio.sleep(0.01)
        await buffer.append([frame(1)])
        assert len(await asyncio.wait_for(reading, 30)) == 1

    async def test_shards_are_separate_streams(self, buffer: Any) -> None:
        await buffer.append([frame(1, shard=0), frame(2, shard=1)])
        deliveries = await buffer.read(await taken(buffer, shard=1), 10, 0.0)
        assert [delivery.data for delivery in deliveries] == [frame(2).frame]
        assert deliveries[0].position.shard == 1

    async def test_pending_gives_read_but_unsettled_entries_again(self, buffer: Any) -> None:
        await buffer.append([frame(n) for n in range(4)])
        lease = await taken(buffer)
        read = await buffer.read(lease, 3, 0.0)
        await buffer.settle(lease, Settlement([read[1].position], {"default": 3}))
        assert list(await buffer.pending(lease, "0", 10)) == [read[0], read[2]]
        assert list(await buffer.pending(lease, "0", 1)) == [read[0]]
        assert list(await buffer.pending(lease, read[0].position.entry, 10)) == [read[2]]

    async def test_the_next_owner_finds_what_the_former_had_pending(self, buffer: Any) -> None:
        await buffer.append([frame(1), frame(2)])
        read = await buffer.read(await taken(buffer), 1, 0.0)
        lease = await taken(buffer)
        assert list(await buffer.pending(lease, "0", 10)) == list(read)
        assert [delivery.data for delivery in await buffer.read(lease, 10, 0.0)] == [frame(2).frame]

    async def test_a_settled_entry_is_gone_for_good(self, buffer: Any) -> None:
        await buffer.append([frame(1)])
        lease = await taken(buffer)
        read = await buffer.read(lease, 10, 0.0)
        assert list(await buffer.drained([read[0].position])) == [None]
        await buffer.settle(lease, Settlement([read[0].position], {"default": 3}))
        (dead,) = await buffer.drained([read[0].position])
        assert dead is not None and 0 not in dead
        assert list(await buffer.pending(lease, "0", 10)) == []
        assert list(await buffer.read(lease, 10, 0.0)) == []
        assert (await buffer.level()).frames == 0

    async def test_an_entry_that_is_not_read_is_not_drained(self, buffer: Any) -> None:
        appended = await buffer.append([frame(1)])
        assert list(await buffer.drained([appended[0].position])) == [None]

    async def test_another_owner_gets_the_lease_only_after_it_expired(self, buffer: Any, lease_over: LeaseOver) -> None:
        first = await taken(buffer)
        assert await buffer.acquire(0, OTHER) is None
        await lease_over()
        second = await taken(buffer, owner=OTHER)
        assert second.epoch > first.epoch

    async def test_the_same_owner_takes_its_lease_over_at_once_with_a_higher_epoch(self, buffer: Any) -> None:
        first = await taken(buffer)
        second = await taken(buffer)
        assert second.epoch > first.epoch
        with pytest.raises(LeaseLost):
            await buffer.renew(first)
        await buffer.renew(second)

    async def test_a_released_lease_is_free_and_its_epoch_is_never_given_again(self, buffer: Any) -> None:
        first = await taken(buffer)
        await buffer.release(first)
        second = await taken(buffer, owner=OTHER)
        assert second.epoch > first.epoch
        await buffer.release(first)  # no longer ours: nothing happens
        await buffer.renew(second)

    async def test_an_epoch_rises_even_when_the_lease_expired_unseen(self, buffer: Any, lease_over: LeaseOver) -> None:
        first = await taken(buffer)
        await lease_over()
        assert (await taken(buffer, owner=OTHER)).epoch > first.epoch

    async def test_a_former_owner_settles_reads_and_renews_nothing(self, buffer: Any, lease_over: LeaseOver) -> None:
        await buffer.append([frame(1), frame(2)])
        stale = await taken(buffer)
        read = await buffer.read(stale, 1, 0.0)
        await lease_over()
        lease = await taken(buffer, owner=OTHER)
        letter = DeadLetter(read[0].position, "late", "default", 3, b"", None)
        with pytest.raises(LeaseLost):
            await buffer.settle(stale, Settlement([read[0].position], {"default": 3}, [letter]))
        with pytest.raises(LeaseLost):
            await buffer.renew(stale)
        with pytest.raises(LeaseLost):
            await buffer.pending(stale, "0", 10)
        with pytest.raises(LeaseLost):
            await buffer.read(stale, 10, 0.0)
        assert list(await buffer.pending(lease, "0", 10)) == list(read)
        assert (await buffer.ledger())["default"] == TenantLedger(6, 0, 0, 6)
        assert list(await buffer.dead_letters("", 10)) == []

    async def test_the_ledger_balances_after_every_step_and_for_each_tenant(self, buffer: Any) -> None:
        await buffer.append([frame(1, tenant="a", count=5), frame(2, tenant="b", count=7)])
        assert await buffer.ledger() == {"a": TenantLedger(5, 0, 0, 5), "b": TenantLedger(7, 0, 0, 7)}
        lease = await taken(buffer)
        read = await buffer.read(lease, 10, 0.0)
        assert await buffer.ledger() == {"a": TenantLedger(5, 0, 0, 5), "b": TenantLedger(7, 0, 0, 7)}
        letter = DeadLetter(read[1].position, "store refused", "b", 2, b"two rows", 3)
        await buffer.settle(lease, Settlement([one.position for one in read], {"a": 5, "b": 5}, [letter]))
        assert await buffer.ledger() == {"a": TenantLedger(5, 5, 0, 0), "b": TenantLedger(7, 5, 2, 0)}

    async def test_a_stream_that_is_lost_unbalances_the_ledger(self, buffer: Any, lose: Lose) -> None:
        await buffer.append([frame(1, count=5), frame(2, shard=1, tenant="b")])
        await lose()
        found = await buffer.ledger()
        assert found == {"b": TenantLedger(3, 0, 0, 3), "default": TenantLedger(5, 0, 0, 0)}
        assert [TenantBalance(found[tenant], 0, 0).balanced for tenant in ("b", "default")] == [True, False]

    async def test_what_is_stored_is_counted_by_day_of_receipt_too(self, buffer: Any) -> None:
        await buffer.append([frame(1, tenant="a", count=5), frame(2, tenant="a:b@c", count=7)])
        lease = await taken(buffer)
        positions = [one.position for one in await buffer.read(lease, 10, 0.0)]
        today = day_of(time.time_ns() // 1_000_000)
        days = {("a", today): 3, ("a", today - 1): 2, ("a:b@c", today): 7}
        await buffer.settle(lease, Settlement(positions, {"a": 5, "a:b@c": 7}, (), days))
        ledger = await buffer.ledger()
        assert ledger == {"a": TenantLedger(5, 5, 0, 0), "a:b@c": TenantLedger(7, 7, 0, 0)}
        assert ledger["a"].stored_by_day == {today: 3, today - 1: 2}
        assert ledger["a:b@c"].stored_by_day == {today: 7}

    async def test_who_waits_for_a_frame_hears_which_entries_are_dead_letters(self, buffer: Any) -> None:
        await buffer.append([frame(1), frame(2), frame(3)])
        lease = await taken(buffer)
        positions = [one.position for one in await buffer.read(lease, 10, 0.0)]
        whole = DeadLetter(positions[0], "corrupt", "default", 3, b"")
        parts = [DeadLetter(positions[1], "refused", "default", 1, b"", index) for index in (0, 2)]
        await buffer.settle(lease, Settlement(positions, {"default": 4}, [whole, *parts]))
        first, second, third = await buffer.drained(positions)
        assert [[index in dead for index in range(3)] for dead in (first, second, third)] == [
            [True, True, True],
            [True, False, True],
            [False, False, False],
        ]

    async def test_dead_letters_come_back_page_by_page(self, buffer: Any) -> None:
        await buffer.append([frame(1)])
        lease = await taken(buffer)
        (read,) = await buffer.read(lease, 10, 0.0)
        letters = [DeadLetter(read.position, f"reason {n}", "default", 1, bytes([0, 255, n]), n or None) for n in range(3)]
        await buffer.settle(lease, Settlement([read.position], {}, letters))
        first = await buffer.dead_letters("", 2)
        rest = await buffer.dead_letters(first[-1][0], 10)
        assert [letter for _, letter in [*first, *rest]] == letters

    async def test_a_replayed_letter_leaves_the_letters_and_comes_behind_everything_in_one_step(self, buffer: Any) -> None:
        (id,), lease = await dead(buffer, "a", 1), await taken(buffer)
        await buffer.append([frame(2, tenant="b", count=7)])
        assert await buffer.replay(id, b"as it is now")
        assert await buffer.dead_letters("", 10) == [] and await buffer.dead_letter(id) is None
        assert await buffer.ledger() == {"a": TenantLedger(3, 2, 0, 1), "b": TenantLedger(7, 0, 0, 7)}
        fresh, again = await buffer.read(lease, 10, 0.0)
        assert (fresh.replayed, again.replayed) == (False, True)
        assert (again.data, again.tenant, again.count) == (b"as it is now", "a", 1)
        await buffer.settle(lease, Settlement([again.position], {"a": 1}))
        assert (await buffer.ledger())["a"] == TenantLedger(3, 3, 0, 0)

    async def test_a_letter_is_replayed_or_dropped_once_however_many_try(self, buffer: Any) -> None:
        ids = await dead(buffer, "a", 2)
        tries = [buffer.replay(ids[0], b"x") for _ in range(5)] + [buffer.drop(ids[1]) for _ in range(5)]
        done = await asyncio.gather(*tries)
        assert (sum(done[:5]), sum(done[5:])) == (1, 1)
        assert (await buffer.level()).frames == 1
        assert (await buffer.ledger())["a"] == TenantLedger(3, 1, 1, 1, dropped=1)

    async def test_a_dropped_letter_is_gone_and_still_accounted_for(self, buffer: Any) -> None:
        first, second = await dead(buffer, "a", 2)
        assert await buffer.drop(first)
        assert [id for id, _ in await buffer.dead_letters("", 10)] == [second]
        assert not await buffer.drop(first) and not await buffer.replay(first, b"x")
        assert (await buffer.ledger())["a"] == TenantLedger(3, 1, 2, 0, dropped=1)

    async def test_a_known_idempotency_key_appends_nothing_and_gives_the_first_receipt(self, buffer: Any) -> None:
        def keyed(number: int, receipt: bytes, tenant: str) -> Append:
            plain = frame(number, tenant=tenant)
            return Append(0, plain.frame, tenant, plain.count, IdempotencyKey(tenant, "key-1", receipt))

        (first,) = await buffer.append([keyed(1, b"receipt one", "a")])
        (again,) = await buffer.append([keyed(2, b"receipt two", "a")])
        (other,) = await buffer.append([keyed(3, b"receipt three", "b")])
        assert first.position is not None and first.earlier_receipt is None
        assert again.position is None and again.earlier_receipt == b"receipt one"
        assert other.position is not None, "keys of two tenants do not meet"
        assert (await buffer.level()).frames == 2

    async def test_process_epochs_are_never_given_twice(self, buffer: Any) -> None:
        epochs = [await buffer.next_process_epoch() for _ in range(5)]
        assert len(set(epochs)) == 5

    async def test_the_level_grows_with_what_is_appended(self, buffer: Any) -> None:
        before = await buffer.level()
        await buffer.append([Append(0, b"x" * 100_000, "default", 1)])
        after = await buffer.level()
        assert after.used_bytes >= before.used_bytes + 50_000
        assert after.frames == before.frames + 1
        assert after.limit_bytes > 0

    async def test_durability_is_one_of_the_two_words(self, buffer: Any) -> None:
        durability = await buffer.durability()
        assert durability.mode in ("durable", "relaxed")
        assert durability.detail

    async def test_days_that_retention_took_stay_forgotten_even_when_more_of_them_is_settled(self, buffer: Any) -> None:
        today = day_of(time.time_ns() // 1_000_000)
        for number, tenant in enumerate(("acme", "default", "acme", "default")):
            await buffer.append([frame(number, shard=number % 2, tenant=tenant)])
        for shard in (0, 1):
            lease = await taken(buffer, shard)
            for read in await buffer.read(lease, 1, 0.0):
                by_day = {(read.tenant, today - age): 1 for age in (0, 5, 9)}
                await buffer.settle(lease, Settlement([read.position], {read.tenant: 3}, (), by_day))
        await buffer.forget(Cut(today - 7, {"acme": today - 3}))
        await buffer.forget(Cut(today - 8, {"beta": today - 1}))
        for shard in (0, 1):
            lease = await taken(buffer, shard)
            (read,) = await buffer.read(lease, 1, 0.0)
            by_day = {(read.tenant, today - age): 1 for age in (0, 5, 9)}
            await buffer.settle(lease, Settlement([read.position], {read.tenant: 3}, (), by_day))
        found = await buffer.ledger()
        assert found["acme"].stored_by_day == {today: 2}
        assert found["default"].stored_by_day == {today: 2, today - 5: 2}
        assert [found[tenant].stored for tenant in ("acme", "default")] == [6, 6]
