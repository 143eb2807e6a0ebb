"""One shard's drain, step by step; the simulator has the meetings of faults."""

import asyncio
from typing import Any

import pytest

from tests.unit.application.drain.conftest import Bench
from zero.application.drain import DrainOptions, DrainState
from zero.application.drain.events import BlockStored, DeadLettered, DrainFailed, LeaseGone, VerifyPerformed
from zero.application.ports import Lease
from zero.domain.errors import BufferUnavailable, ConfigurationError, StoreHalted, StoreUnavailable
from zero.domain.frame import unpack_frame
from zero.domain.ledger import TenantLedger
from zero.domain.log_batch import split_entries


async def test_the_happy_path_is_one_insert_one_settle_and_no_question_to_the_store(bench: Bench) -> None:
    for bid in range(3):
        await bench.append(bid)
    await bench.to_empty(bench.drain())
    assert bench.stored == {bid: [0, 1, 2] for bid in range(3)}
    assert bench.store.calls == {"fence": 1, "quiesce": 1, "insert": 1}
    assert bench.log.calls["settle"] == 1
    assert bench.telemetry.of(VerifyPerformed) == []
    (stored,) = bench.telemetry.of(BlockStored)
    assert (stored.rows, stored.frames) == (9, 3)


async def test_small_frames_that_arrive_within_the_linger_share_a_block(bench: Bench) -> None:
    drain, sleep = bench.drain(linger_seconds=0.2), bench.clock.sleep
    await bench.append(1)

    async def sleeping(seconds: float) -> None:
        await sleep(seconds)
        if seconds == pytest.approx(0.2):
            await bench.append(2)
            bench.clock.sleep = sleep
            drain.stop(60.0)

    bench.clock.sleep = sleeping
    await drain.run()
    assert bench.store.blocks == [6]


async def test_a_block_never_holds_more_rows_than_its_bound(bench: Bench) -> None:
    for bid in range(10):
        await bench.append(bid)
    await bench.to_empty(bench.drain(block_rows_max=8))
    assert max(bench.store.blocks) <= 8
    assert sum(bench.store.blocks) == 30


async def test_the_ledger_balances_for_each_tenant(bench: Bench) -> None:
    await bench.append(1, 3, "blue")
    await bench.append(2, 4, "green")
    bench.store.poison = {(2, 0)}
    await bench.to_empty(bench.drain())
    ledger = await bench.log.ledger()
    assert ledger == {"blue": TenantLedger(3, 3, 0, 0), "green": TenantLedger(4, 3, 1, 0)}
    assert {tenant: dict(of.stored_by_day) for tenant, of in ledger.items()} == {"blue": {0: 3}, "green": {0: 3}}


@pytest.mark.parametrize("stored_first", [0, 2, 5])
async def test_after_a_lost_answer_only_absent_rows_are_stored(bench: Bench, stored_first: int) -> None:
    for bid in range(2):
        await bench.append(bid)
    bench.store.errors, bench.store.stored_first = [StoreUnavailable("connection cut")], stored_first
    await bench.to_empty(bench.drain())
    assert bench.stored == {0: [0, 1, 2], 1: [0, 1, 2]}
    (verify,) = bench.telemetry.of(VerifyPerformed)
    assert (verify.present, verify.absent) == (stored_first, 6 - stored_first)


async def test_a_failure_is_followed_by_a_new_epoch_a_fence_and_a_quiesce(bench: Bench) -> None:
    await bench.append(1)
    bench.store.errors = [StoreUnavailable("connection cut")]
    await bench.to_empty(bench.drain())
    assert bench.log.calls["acquire"] == 2
    assert (bench.store.calls["fence"], bench.store.calls["quiesce"]) == (2, 2)


async def test_when_everything_is_present_nothing_is_inserted_but_it_is_settled(bench: Bench) -> None:
    await bench.append(1)
    bench.store.errors, bench.store.stored_first = [StoreUnavailable("connection cut")], 3
    await bench.to_empty(bench.drain())
    assert bench.store.calls["insert"] == 1
    assert (await bench.log.ledger())["default"] == TenantLedger(3, 3, 0, 0)


async def test_one_poison_row_among_thousands_is_found_in_few_inserts(bench: Bench) -> None:
    for bid in range(10):
        await bench.append(bid, 1_000)
    bench.store.poison = {(7, 123)}
    await bench.to_empty(bench.drain())
    assert sum(len(rows) for rows in bench.stored.values()) == 9_999
    assert bench.store.calls["insert"] < 40
    ((_, letter),) = await bench.log.dead_letters("", 10)
    assert (letter.index, letter.count, letter.tenant) == (123, 1, "default")
    assert "store error 117" in letter.reason
    frame = unpack_frame(letter.frame, bench.codec.crc32c)
    assert [bytes(entry) for entry in split_entries(frame.payload)] == [b"entry 123 of 7"]
    assert frame.batch_id == 7


async def test_a_block_of_only_refused_rows_halts_instead_of_filling_the_dead_letters(bench: Bench) -> None:
    await bench.append(1, 20)
    bench.store.poison = {(1, index) for index in range(20)}
    drain = bench.drain(poison_rows_max=5)
    await bench.to_empty(drain, seconds=5.0)
    assert {event.code for event in bench.telemetry.of(DrainFailed)} == {"store_halted"}
    assert (await bench.log.ledger())["default"] == TenantLedger(20, 0, 0, 20)
    bench.store.poison = set()
    await bench.to_empty(bench.drain())
    assert bench.stored == {1: list(range(20))}


@pytest.mark.parametrize("payload", [b"\x0a\xff", b"\x12\x00", b"\x0a\x01x" * 2, b""])
async def test_a_frame_whose_payload_is_not_as_announced_is_one_dead_letter(bench: Bench, payload: bytes) -> None:
    await bench.append(1)
    await bench.append(2, 3, "blue", payload=payload)
    await bench.append(3)
    await bench.to_empty(bench.drain())
    assert bench.stored == {1: [0, 1, 2], 3: [0, 1, 2]}
    ((_, letter),) = await bench.log.dead_letters("", 10)
    assert (letter.index, letter.count, letter.tenant) == (None, 3, "blue")
    assert bench.telemetry.of(DeadLettered)[0].kind == "corrupt"
    assert (await bench.log.ledger())["blue"] == TenantLedger(3, 0, 3, 0)


async def test_an_entry_deleted_behind_our_back_is_acknowledged(bench: Bench) -> None:
    await bench.append(1)
    lease = await bench.log.acquire(0, "drain-a")
    assert lease is not None
    (read,) = await bench.log.read(lease, 1, 0.0)
    bench.log.delete(read.position)
    await bench.to_empty(bench.drain())
    lease = await bench.log.acquire(0, "drain-b")
    assert lease is not None
    assert list(await bench.log.pending(lease, "0", 10)) == []


async def test_what_a_killed_owner_had_pending_is_verified_first(bench: Bench) -> None:
    await bench.append(1)
    await bench.append(2)
    lease = await bench.log.acquire(0, "drain-a")
    assert lease is not None
    await bench.log.read(lease, 1, 0.0)
    await bench.to_empty(bench.drain())
    assert bench.stored == {1: [0, 1, 2], 2: [0, 1, 2]}
    assert [event.absent for event in bench.telemetry.of(VerifyPerformed)] == [3]


async def test_a_settlement_whose_answer_was_lost_is_not_counted_twice(bench: Bench) -> None:
    await bench.append(1)
    settle = bench.log.settle

    async def settled_but_unanswered(*arguments: object) -> None:
        await settle(*arguments)
        del bench.log.settle
        raise BufferUnavailable("connection cut")

    bench.log.settle = settled_but_unanswered
    await bench.to_empty(bench.drain())
    assert (await bench.log.ledger())["default"] == TenantLedger(3, 3, 0, 0)


async def test_another_owners_lease_is_waited_for(bench: Bench) -> None:
    await bench.append(1)
    assert await bench.log.acquire(0, "drain-b")
    drain = bench.drain()
    await bench.to_empty(drain, seconds=5.0)
    assert bench.stored == {}
    bench.clock.advance(10.0)
    await bench.to_empty(bench.drain())
    assert bench.stored == {1: [0, 1, 2]}


async def test_a_lost_lease_drops_everything_and_stores_nothing_more(bench: Bench) -> None:
    await bench.append(1)
    drain, read = bench.drain(renew_seconds=0.0), bench.log.read

    async def read_then_lose(*arguments: object) -> object:
        found = await read(*arguments)
        bench.clock.advance(11.0)
        await bench.log.acquire(0, "drain-b")
        del bench.log.read
        return found

    bench.log.read = read_then_lose
    await bench.to_empty(drain, seconds=12.0)
    assert bench.stored == {}
    assert len(bench.telemetry.of(LeaseGone)) == 1


async def test_a_drain_that_the_store_fences_again_and_again_says_so(bench: Bench) -> None:
    await bench.append(1)
    await bench.store.fence(Lease(0, "drain-a", 10**15))  # of a buffer that was emptied, by a clock that ran ahead
    drain = bench.drain()
    await bench.to_empty(drain, seconds=5.0)
    assert bench.stored == {}
    assert "lease_lost: epoch" in drain.last_error


async def test_a_heartbeat_keeps_the_lease_through_a_long_insert(bench: Bench) -> None:
    await bench.append(1)
    drain, insert = bench.drain(), bench.store.insert

    async def slow(*arguments: object) -> None:
        for _ in range(6):
            bench.clock.advance(4.0)
            await drain.heartbeat()
            assert await bench.log.acquire(0, "drain-b") is None
        await insert(*arguments)

    bench.store.insert = slow
    await bench.to_empty(drain)
    assert bench.stored == {1: [0, 1, 2]}
    assert bench.telemetry.of(LeaseGone) == []


async def test_a_halted_store_is_waited_for_with_growing_bounded_waits(bench: Bench) -> None:
    await bench.append(1)
    bench.store.errors = [StoreHalted("no such table", store_code=60) for _ in range(12)]
    await bench.to_empty(bench.drain(), seconds=600.0)
    waits = [event.wait_seconds for event in bench.telemetry.of(DrainFailed)]
    assert waits == sorted(waits)
    assert waits[-1] <= 5.0
    assert bench.stored == {1: [0, 1, 2]}


async def test_whom_the_store_keeps_failing_gives_the_shard_to_who_may_reach_it(bench: Bench) -> None:
    await bench.append(1)
    away = bench.drain("drain-a", held_failures_max=4)
    bench.store.errors = [StoreUnavailable("no route")] * 4
    others: list[bool] = []
    sleep = bench.clock.sleep

    async def sleeping(seconds: float) -> None:
        others.append(await bench.log.acquire(0, "drain-b") is not None)
        await sleep(seconds)

    bench.clock.sleep = sleeping  # type: ignore[method-assign]
    away.stop(5.0)
    await away.run()
    assert others[:4] == [False, False, False, True], "a failure or two are not worth a new owner"


@pytest.mark.parametrize("call", ["acquire", "read", "pending", "settle"])
async def test_a_buffer_that_comes_back_is_drained_to_the_end(bench: Bench, call: str) -> None:
    await bench.append(1)
    bench.log.errors = {call: [BufferUnavailable("down")] * 3}
    await bench.to_empty(bench.drain())
    assert bench.stored == {1: [0, 1, 2]}
    assert bench.log.calls["release"] == 1


async def test_entries_that_a_former_reader_was_given_are_swept_up(bench: Bench) -> None:
    drain, sleeps = bench.drain(idle_seconds=1.0, sweep_seconds=15.0), 0
    sleep = bench.clock.sleep

    async def sleeping(seconds: float) -> None:
        nonlocal sleeps
        sleeps += 1
        if sleeps == 5:
            await bench.append(1)
            state = bench.log._shards[0]
            state.delivered, state.pending[1] = 1, None
        await sleep(max(seconds, 0.25))
        if bench.stored:
            drain.stop()

    bench.clock.sleep = sleeping
    await drain.run()
    assert bench.stored == {1: [0, 1, 2]}
    assert bench.clock.monotonic() < 30.0


@pytest.mark.parametrize("flights", [1, 2, 3])
async def test_so_many_blocks_are_in_flight_and_the_next_is_encoded_meanwhile(bench: Bench, flights: int) -> None:
    for bid in range(4 * flights):
        await bench.append(bid)
    encode, insert, together = bench.codec.encode_block, bench.store.insert, asyncio.Barrier(flights)
    encoded, inserted, flying, most = 0, 0, 0, 0

    def encoding(*arguments: Any) -> Any:
        nonlocal encoded
        encoded += 1
        return encode(*arguments)

    async def inserting(*arguments: Any) -> None:
        nonlocal inserted, flying, most
        flying += 1
        most = max(most, flying)
        await together.wait()
        assert inserted or encoded == flights + 1
        inserted += 1
        await insert(*arguments)
        flying -= 1

    bench.codec.encode_block, bench.store.insert = encoding, inserting  # type: ignore[method-assign]
    await asyncio.wait_for(bench.to_empty(bench.drain(block_rows_max=6, flights_max=flights)), 30.0)
    assert most == flights
    assert bench.store.blocks == [6] * (2 * flights)


async def test_what_was_in_flight_beside_a_failed_block_is_stored_once(bench: Bench) -> None:
    for bid in range(8):
        await bench.append(bid)
    insert, calls = bench.store.insert, 0

    async def inserting(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise StoreUnavailable("cut before anything was stored")
        await insert(*arguments)
        if calls == 2:
            raise StoreUnavailable("cut after everything was stored")

    bench.store.insert = inserting
    await asyncio.wait_for(bench.to_empty(bench.drain(block_rows_max=6)), 30.0)
    assert bench.stored == {bid: [0, 1, 2] for bid in range(8)}


async def test_a_stop_finishes_the_blocks_in_hand_and_gives_the_lease_back(bench: Bench) -> None:
    for bid in range(8):
        await bench.append(bid)
    drain, insert = bench.drain(block_rows_max=6, flights_max=2), bench.store.insert

    async def stop_within(*arguments: object) -> None:
        drain.stop()
        await insert(*arguments)

    bench.store.insert = stop_within
    await drain.run()
    assert drain.state is DrainState.STOPPED
    assert bench.store.blocks == [6, 6, 6]
    assert (await bench.log.level()).frames == 2
    assert await bench.log.acquire(0, "drain-b")


async def test_a_stop_with_a_store_that_is_down_ends_at_its_deadline(bench: Bench) -> None:
    await bench.append(1)
    bench.store.errors = [StoreUnavailable("down")] * 1_000
    await bench.to_empty(bench.drain(), seconds=7.0)
    assert 6.0 <= bench.clock.monotonic() <= 8.0


async def test_readiness_tells_a_failing_drain_from_a_working_one(bench: Bench) -> None:
    drain, sleep, seen = bench.drain(), bench.clock.sleep, []
    bench.store.errors = [StoreUnavailable("down")] * 2
    await bench.append(1)

    async def sleeping(seconds: float) -> None:
        seen.append((drain.state, drain.ready))
        await sleep(seconds)
        if drain.ready and bench.stored:
            drain.stop()

    bench.clock.sleep = sleeping
    await drain.run()
    assert (DrainState.WAITING, False) in seen
    assert seen[-1] == (DrainState.FLOWING, True)


async def test_a_setting_that_cannot_work_ends_the_drain(bench: Bench) -> None:
    await bench.append(1)
    bench.store.errors = [ConfigurationError("no such database")]
    with pytest.raises(ConfigurationError):
        await bench.drain().run()


@pytest.mark.parametrize("options", [{"block_rows_max": 0}, {"block_rows_max": 100_001}, {"read_frames_max": 0}])
def test_bounds_that_cannot_work_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"bound|rows"):
        DrainOptions(**options)


async def test_a_recovery_stops_between_chunks_when_the_time_of_a_stop_is_up(bench: Bench) -> None:
    first, drain = bench.drain(), bench.drain("drain-b", block_rows_max=3)
    for bid in range(4):
        await bench.append(bid)
    await first._keeper.acquire()
    await bench.log.read(await first._keeper.fresh(), 100, 0.0)  # four frames are pending: given to a reader that is gone
    await first._keeper.release()
    insert = bench.store.insert

    async def last_insert(*given: Any) -> None:
        await insert(*given)
        drain.stop()

    bench.store.insert = last_insert
    await drain.run()
    assert bench.store.blocks == [3]
    bench.store.insert = insert
    await bench.to_empty(bench.drain("drain-c"))
    assert bench.stored == {bid: [0, 1, 2] for bid in range(4)}
