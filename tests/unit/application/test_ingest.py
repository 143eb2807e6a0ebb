"""Accepting: gathering, framing, receipts, keys, acknowledgements, bounds and failures."""

import asyncio
import time

import pytest

from zero.application.framing import FrameBounds
from zero.application.funnel import FunnelOptions
from zero.application.identity import Identity, anyone
from zero.application.ingest import Ingest, IngestOptions, future_waiter
from zero.application.ingest_events import DurabilityFound, FlushFailed, RequestsAccepted
from zero.application.ports import DeadLetter, Decoded, Settlement
from zero.application.pushback import PushbackOptions
from zero.application.receipt import Receipt, recall
from zero.application.stored_ack import StoredAckOptions
from zero.application.submission import Ack, Submission, checked_key, parse_ack
from zero.domain.batch_id import BatchIds
from zero.domain.errors import (
    BufferFull,
    BufferUnavailable,
    ConfigurationError,
    InvalidInput,
    KeyReused,
    Overloaded,
    Unavailable,
    ZeroError,
)
from zero.domain.frame import unpack_frame
from zero.infrastructure.memory import ManualClock, MemoryBuffer, MemoryCodec, MemoryTelemetry


def decode(body: bytes, now_ns: int, source: str) -> Decoded:
    """Each byte is an entry; ``x`` is rejected, ``!`` spoils the body."""
    if b"!" in body:
        raise InvalidInput("unreadable")
    bad = body.count(b"x")
    return Decoded(body.replace(b"x", b""), len(body) - bad, bad, [(body.index(b"x"), "is x")] if bad else [])


class GatedBuffer(MemoryBuffer):
    """A buffer whose appends wait until the gate is open, and fail with ``error`` if there is one."""

    def __init__(self, shards: int = 1) -> None:
        super().__init__(ManualClock(), shards)
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.calls: list[list[bytes]] = []
        self.mode = "durable"

    async def append(self, appends):
        self.calls.append([append.frame for append in appends])
        await self.gate.wait()
        if self.error:
            raise self.error
        return await super().append(appends)

    async def durability(self):
        if self.error:
            raise self.error
        return type(await super().durability())(self.mode, "as the test says")


class Rig:
    """An ingest over a gated buffer."""

    def __init__(self, options: IngestOptions | None = None, shards: int = 1) -> None:
        self.buffer = GatedBuffer(shards)
        self.clock = ManualClock()
        self.telemetry = MemoryTelemetry()
        self.ingest = Ingest(MemoryCodec(), self.buffer, self.clock, self.telemetry, options)

    def send(self, body: bytes, **more) -> "asyncio.Future[Receipt]":
        waiter, future = future_waiter()
        identity = Identity(more.pop("tenant"), "key", frozenset()) if "tenant" in more else more.pop("identity", anyone())
        self.ingest.accept(Submission(body, more.pop("decode", decode), "peer", waiter, identity, **more))
        return future

    def frames(self):
        return [unpack_frame(data, MemoryCodec().crc32c) for call in self.buffer.calls for data in call]


@pytest.fixture
async def rig():
    rig = Rig()
    yield rig
    await rig.ingest.close()


async def test_requests_of_one_turn_share_a_frame_and_number_their_entries_on(rig):
    receipts = await asyncio.gather(rig.send(b"ab"), rig.send(b"c"), rig.send(b"def"))
    assert [receipt.first_index for receipt in receipts] == [0, 2, 3]
    assert len({receipt.batch_id for receipt in receipts}) == 1
    (frame,) = rig.frames()
    assert (bytes(frame.payload), frame.count, frame.tenant) == (b"abcdef", 6, "default")
    assert frame.batch_id == receipts[0].batch_id


async def test_what_arrives_during_a_flush_shares_the_next_one(rig):
    rig.buffer.gate.clear()
    first = rig.send(b"a")
    await asyncio.sleep(0.01)
    later = [rig.send(b"b"), rig.send(b"c")]
    await asyncio.sleep(0.01)
    assert len(rig.buffer.calls) == 1
    rig.buffer.gate.set()
    receipts = await asyncio.gather(first, *later)
    assert len(rig.buffer.calls) == 2
    assert receipts[1].batch_id == receipts[2].batch_id > receipts[0].batch_id


async def test_nothing_is_acknowledged_before_the_buffer_has_answered(rig):
    rig.buffer.gate.clear()
    future = rig.send(b"a")
    await asyncio.sleep(0.02)
    assert not future.done()
    rig.buffer.gate.set()
    assert (await future).accepted == 1


async def test_tenants_never_share_a_frame(rig):
    await asyncio.gather(rig.send(b"a", tenant="one"), rig.send(b"b", tenant="two"), rig.send(b"c", tenant="one"))
    assert {(frame.tenant, bytes(frame.payload)) for frame in rig.frames()} == {("one", b"ac"), ("two", b"b")}
    assert len(rig.buffer.calls) == 1


async def test_frames_are_bounded_in_entries_and_bytes():
    for bounds in (FrameBounds(entries_max=4), FrameBounds(bytes_max=4)):
        rig = Rig(IngestOptions(frame=bounds))
        await asyncio.gather(*(rig.send(body) for body in (b"aaa", b"b", b"c", b"dddddd", b"e")))
        assert [bytes(frame.payload) for frame in rig.frames()] == [b"aaab", b"c", b"dddddd", b"e"]
        await rig.ingest.close()


async def test_frames_go_round_the_shards():
    rig = Rig(IngestOptions(shards=3), shards=3)
    for _ in range(6):
        await rig.send(b"a")
    ledger = [len(shard.stream) for shard in rig.buffer._shards]
    assert ledger == [2, 2, 2]
    await rig.ingest.close()


async def test_rejected_entries_are_named_and_cost_their_neighbours_nothing(rig):
    whole, part = await asyncio.gather(rig.send(b"ab"), rig.send(b"axb"))
    assert whole == Receipt(2, 0, whole.batch_id, 0, [])
    assert part == Receipt(2, 1, whole.batch_id, 2, [(1, "is x")])


async def test_a_request_without_a_good_entry_never_reaches_the_buffer(rig):
    assert await rig.send(b"xx") == Receipt(0, 2, 0, 0, [(0, "is x")])
    assert await rig.send(b"") == Receipt(0, 0, 0, 0, [])
    with pytest.raises(InvalidInput, match="unreadable"):
        await rig.send(b"!")
    assert rig.buffer.calls == []


async def test_large_and_compressed_bodies_are_decoded_in_a_thread():
    import threading

    seen = []

    def record(body: bytes, now_ns: int, source: str) -> Decoded:
        seen.append(threading.current_thread() is threading.main_thread())
        return decode(body, now_ns, source)

    rig = Rig(IngestOptions(inline_bytes_max=10))
    await rig.send(b"small", decode=record)
    await rig.send(b"b" * 11, decode=record)
    await rig.send(b"small", decode=record, decompress=bytes)
    assert seen == [True, False, False]
    with pytest.raises(InvalidInput):
        await rig.send(b"!", decompress=bytes)
    await rig.ingest.close()


async def test_a_keyed_request_has_a_frame_of_its_own_and_its_retry_gets_the_first_receipt(rig):
    first, other = await asyncio.gather(rig.send(b"ab", key="k"), rig.send(b"c"))
    again = await rig.send(b"ab", key="k")
    assert first.batch_id != other.batch_id
    assert again == first
    assert (await rig.buffer.ledger())["default"].accepted == 3


async def test_a_key_that_another_body_had_is_refused_and_nothing_of_it_is_stored(rig):
    first, other, more = await asyncio.gather(
        rig.send(b"ab", key="k"), rig.send(b"cd", key="k"), rig.send(b"e"), return_exceptions=True
    )
    assert (first.accepted, more.accepted) == (2, 1)
    assert isinstance(other, KeyReused)
    assert other.field == "Idempotency-Key"
    with pytest.raises(KeyReused):
        await rig.send(b"cd", key="k")
    assert (await rig.buffer.ledger())["default"].accepted == 3


async def test_a_retry_may_be_compressed_in_another_way(rig):
    first = await rig.send(b"ab", key="k")
    assert await rig.send(b"AB", key="k", decompress=bytes.lower) == first


async def test_a_retry_counts_no_entry_twice(rig):
    for _ in range(3):
        await rig.send(b"ab", key="k")
    accepted = [event.entries for event in rig.telemetry.events if isinstance(event, RequestsAccepted)]
    assert accepted == [2]


async def test_while_the_buffer_hangs_only_what_was_sent_waits(rig):
    rig.buffer.gate.clear()
    sent = rig.send(b"a")
    await asyncio.sleep(0.01)
    behind = [rig.send(b"b"), rig.send(b"c", tenant="other")]
    rig.buffer.silent = lambda: True
    outcomes = await asyncio.wait_for(asyncio.gather(*behind, return_exceptions=True), 60)
    assert {type(outcome) for outcome in outcomes} == {BufferUnavailable}
    with pytest.raises(BufferUnavailable):
        await asyncio.wait_for(rig.send(b"d"), 60)
    assert not sent.done()
    rig.buffer.gate.set()
    assert (await sent).accepted == 1
    rig.buffer.silent = lambda: False
    assert (await rig.send(b"e")).accepted == 1
    assert (await rig.buffer.ledger())["default"].accepted == 2


async def test_a_look_that_falls_between_the_last_flush_and_its_end_does_not_shut_the_door(rig):
    async def silent_for_longer_than_a_look(appends):
        time.sleep(0.05)  # noqa: ASYNC251 - the loop itself: the look is due in the last turn of the flush
        await asyncio.sleep(0)
        raise BufferUnavailable("silent")

    rig.buffer.silent, rig.buffer.append = (lambda: True), silent_for_longer_than_a_look
    with pytest.raises(BufferUnavailable):
        await rig.send(b"a")
    rig.buffer.silent = lambda: False
    del rig.buffer.append
    await asyncio.sleep(0.1)
    assert (await rig.send(b"b")).accepted == 1


async def test_equal_keys_of_two_tenants_are_two_keys(rig):
    one, two = await asyncio.gather(rig.send(b"a", key="k", tenant="one"), rig.send(b"a", key="k", tenant="two"))
    assert one.batch_id != two.batch_id


async def test_a_retry_keeps_the_errors_of_the_first_receipt(rig):
    first = await rig.send(b"axb", key="k")
    assert await rig.send(b"axb", key="k") == first
    assert first.errors == [(1, "is x")]


async def drain(buffer: MemoryBuffer) -> None:
    lease = await buffer.acquire(0, "test")
    deliveries = await buffer.read(lease, 100, 0)
    await buffer.settle(lease, Settlement([delivery.position for delivery in deliveries]))


async def test_ack_stored_waits_until_the_drain_has_settled_the_frame():
    rig = Rig()
    rig.ingest._stored._clock.sleep = asyncio.sleep
    stored, durable = rig.send(b"a", ack=Ack.STORED), rig.send(b"b", ack=Ack.DURABLE)
    assert (await durable).ack == "durable"
    await asyncio.sleep(0.1)
    assert not stored.done()
    await drain(rig.buffer)
    assert (await stored).ack == "stored"
    await rig.ingest.close()


async def test_ack_stored_of_entries_that_became_dead_letters_says_so_and_how_many():
    rig = Rig()
    rig.ingest._stored._clock.sleep = asyncio.sleep
    whole, part, other = (rig.send(body, ack=Ack.STORED) for body in (b"ab", b"cd", b"ef"))
    lease = await rig.buffer.acquire(0, "test")
    await asyncio.sleep(0.02)
    (delivery,) = await rig.buffer.read(lease, 100, 0)
    letters = [DeadLetter(delivery.position, "refused", "default", 1, b"", index) for index in (0, 1, 3)]
    await rig.buffer.settle(lease, Settlement([delivery.position], {"default": 3}, letters))
    told = [(receipt.ack, receipt.dead_lettered) for receipt in await asyncio.gather(whole, part, other)]
    assert told == [("dead-lettered", 2), ("dead-lettered", 1), ("stored", 0)]
    assert (await part).to_json().endswith(b'"ack":"dead-lettered","dead_lettered":1}')
    await rig.ingest.close()


async def test_ack_stored_is_answered_durable_when_it_takes_too_long():
    rig = Rig(IngestOptions(stored=StoredAckOptions(timeout_seconds=30, poll_seconds=1)))
    assert (await rig.send(b"a", ack=Ack.STORED)).ack == "durable"
    assert 30 <= rig.clock.monotonic() <= 32
    await rig.ingest.close()


async def test_those_who_wait_for_stored_are_bounded():
    rig = Rig(IngestOptions(stored=StoredAckOptions(waiters_max=1)))
    rig.ingest._stored._clock.sleep = asyncio.sleep
    first, second = rig.send(b"a", ack=Ack.STORED), rig.send(b"b", ack=Ack.STORED)
    assert (await second).ack == "durable"
    assert not first.done()
    await rig.ingest.close()
    assert (await first).ack == "durable"


async def test_a_full_funnel_refuses_and_serves_again_when_it_has_emptied():
    rig = Rig(IngestOptions(funnel=FunnelOptions(items_max=3)))
    rig.buffer.gate.clear()
    taken = [rig.send(b"aa")]
    await asyncio.sleep(0.01)
    taken += [rig.send(b"aaa")]
    with pytest.raises(Overloaded) as caught:
        await rig.send(b"aaa")
    assert caught.value.retry_after_seconds == 1.0
    rig.buffer.gate.set()
    assert [receipt.accepted for receipt in await asyncio.gather(*taken)] == [2, 3]
    assert (await rig.send(b"aaa")).accepted == 3
    await rig.ingest.close()


async def test_large_bodies_waiting_for_a_thread_are_bounded():
    import threading

    gate = threading.Event()

    def slow(body: bytes, now_ns: int, source: str) -> Decoded:
        gate.wait(5)
        return decode(body, now_ns, source)

    rig = Rig(IngestOptions(decode_bytes_max=100))
    one_too_large_alone = rig.send(b"a" * 150, decompress=bytes, decode=slow)
    with pytest.raises(Overloaded, match="what waits to be decoded: full"):
        await rig.send(b"a", decompress=bytes)
    gate.set()
    assert (await one_too_large_alone).accepted == 150
    assert (await rig.send(b"a" * 90, decompress=bytes)).accepted == 90
    await rig.ingest.close()


async def test_a_buffer_that_fails_fails_everyone_in_the_flush_and_those_gathered_behind(rig):
    rig.buffer.gate.clear()
    rig.buffer.error = BufferUnavailable("gone")
    first = rig.send(b"a")
    await asyncio.sleep(0.01)
    behind = rig.send(b"b")
    rig.buffer.gate.set()
    outcome = await asyncio.gather(first, behind, return_exceptions=True)
    assert [type(error) for error in outcome] == [BufferUnavailable, BufferUnavailable]
    assert len(rig.buffer.calls) == 1
    assert [event.requests for event in rig.telemetry.of(FlushFailed)] == [1, 1]
    rig.buffer.error = None
    assert (await rig.send(b"c")).accepted == 1


async def test_a_full_buffer_refuses_the_flush_but_not_those_behind(rig):
    rig.buffer.gate.clear()
    rig.buffer.error = Overloaded("full")
    first = rig.send(b"a")
    await asyncio.sleep(0.01)
    behind = rig.send(b"b")
    rig.buffer.gate.set()
    outcome = await asyncio.gather(first, behind, return_exceptions=True)
    assert [type(error) for error in outcome] == [Overloaded, Overloaded]
    assert len(rig.buffer.calls) == 2


@pytest.mark.timed
async def test_a_full_buffer_is_left_alone_for_a_moment_and_then_tried_again():
    rig = Rig(IngestOptions(pushback=PushbackOptions(hold_seconds=0.05)))
    rig.buffer.error = BufferFull("full")
    first = rig.send(b"a")
    await asyncio.sleep(0.01)
    behind = rig.send(b"!")
    assert not first.done()  # the refusal is held back
    assert not behind.done()
    outcome = await asyncio.gather(first, behind, return_exceptions=True)
    assert [type(error) for error in outcome] == [BufferFull, BufferFull]  # "!" was not even decoded
    assert len(rig.buffer.calls) == 1
    rig.buffer.error = None
    rig.clock.advance(0.05)
    assert (await rig.send(b"c")).accepted == 1


async def test_a_defect_in_the_buffer_leaves_nobody_waiting(rig):
    rig.buffer.error = RuntimeError("defect")
    with pytest.raises(ZeroError, match="RuntimeError: defect"):
        await rig.send(b"a")
    rig.buffer.error = None
    assert (await rig.send(b"a")).accepted == 1


async def test_batch_ids_differ_between_processes_and_never_go_back_with_the_clock(rig):
    before = (await rig.send(b"a")).batch_id
    rig.clock.jump(-3600)
    after = (await rig.send(b"a")).batch_id
    assert after > before
    other = Ingest(MemoryCodec(), rig.buffer, rig.clock, rig.telemetry)
    waiter, future = future_waiter()
    other.accept(Submission(b"a", decode, "peer", waiter, anyone()))
    assert (await future).batch_id >> 8 & 0x3FFF != before >> 8 & 0x3FFF
    await other.close()


async def test_closing_finishes_what_was_taken_and_refuses_what_is_new():
    rig = Rig()
    rig.buffer.gate.clear()
    taken = [rig.send(b"a"), rig.send(b"b" * 100, decompress=bytes)]
    await asyncio.sleep(0.01)
    closing = asyncio.create_task(rig.ingest.close())
    await asyncio.sleep(0.01)
    with pytest.raises(Unavailable, match="stopping"):
        await rig.send(b"c")
    assert not closing.done()
    rig.buffer.gate.set()
    await closing
    assert [receipt.accepted for receipt in await asyncio.gather(*taken)] == [1, 100]


async def test_a_flush_is_reported_once_with_its_sums(rig):
    await asyncio.gather(rig.send(b"abx"), rig.send(b"c", tenant="two"))
    (event,) = rig.telemetry.of(RequestsAccepted)
    assert (event.requests, event.entries, event.rejected, event.frames) == (2, 3, 1, 2)
    assert event.bytes == sum(len(frame.data) for frame in rig.frames())


async def test_strict_durability_refuses_to_start_on_a_relaxed_buffer():
    rig = Rig(IngestOptions(strict_durability=True))
    await rig.ingest.start()
    assert rig.telemetry.of(DurabilityFound) == [DurabilityFound("durable", "as the test says")]
    rig.buffer.mode = "relaxed"
    with pytest.raises(ConfigurationError, match="ZERO_DURABILITY=strict"):
        await rig.ingest.start()
    rig.buffer.error = BufferUnavailable("gone")
    with pytest.raises(BufferUnavailable):
        await rig.ingest.start()
    await rig.ingest.close()


async def test_without_strict_durability_it_starts_on_any_buffer_and_says_what_it_found():
    rig = Rig()
    rig.buffer.mode = "relaxed"
    await rig.ingest.start()
    assert [event.mode for event in rig.telemetry.of(DurabilityFound)] == ["relaxed"]
    rig.buffer.error = BufferUnavailable("gone")
    await rig.ingest.start()
    await rig.ingest.close()


def test_a_receipt_survives_its_json():
    for receipt in (
        Receipt(3, 0, BatchIds(5).next(1_700_000_000_000), 7, []),
        Receipt(1, 1, 255, 0, [(1, 'quote " and \u2028')], "stored"),
        Receipt(0, 1, 0, 0, [(0, "no message")]),
    ):
        assert recall(receipt.remembered(b"d"), b"d") == receipt
        assert recall(receipt.to_json(), b"d") == receipt, "as it was kept before digests were"
    assert Receipt(1, 0, 255, 3).to_json() == (
        b'{"accepted":1,"rejected":0,"batch_id":"00000000000000ff","first_index":3,"errors":[]}'
    )


@pytest.mark.parametrize("key", ["", "k" * 256, "with space", "tab\t", "\u00fc", "\x7f"])
def test_a_key_that_is_not_visible_ascii_is_refused(key):
    with pytest.raises(InvalidInput, match="1 to 255 visible ASCII"):
        checked_key(key)
    assert checked_key("k" * 255) == "k" * 255


def test_an_unknown_acknowledgement_is_refused_by_the_name_of_its_header():
    assert parse_ack("stored") is Ack.STORED
    with pytest.raises(InvalidInput, match="'durable' or 'stored'") as caught:
        parse_ack("replicated")
    assert caught.value.field == "Zero-Ack"


async def test_a_request_is_in_flight_until_its_outcome_is_told_whatever_that_is(rig):
    from zero.application.identity import Meter
    from zero.domain.key import Quota

    meter = Meter(Quota(in_flight_max=100), 1, rig.clock.monotonic)
    identity = Identity("one", "key", frozenset(), meter)
    rig.ingest._stored._clock.sleep = asyncio.sleep
    rig.buffer.gate.clear()
    sent = [rig.send(b"a", identity=identity) for _ in range(3)] + [rig.send(b"b" * 9, identity=identity, decompress=bytes)]
    stored = rig.send(b"c", identity=identity, ack=Ack.STORED)
    refused = [rig.send(body, identity=identity) for body in (b"!", b"xx")]
    await asyncio.gather(*refused, return_exceptions=True)
    assert meter.in_flight == 5
    rig.buffer.gate.set()
    await asyncio.gather(*sent)
    assert meter.in_flight == 1
    await drain(rig.buffer)
    await stored
    rig.buffer.error = BufferUnavailable("gone")
    await asyncio.gather(rig.send(b"a", identity=identity), return_exceptions=True)
    assert meter.in_flight == 0
