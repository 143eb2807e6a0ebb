"""Start, identities over time, what is reported, and the end."""

import asyncio

import pytest

from tests.unit.application.ingest.conftest import Rig, decode, drain
from zero.application.identity import Identity, anyone
from zero.application.ingest import Ingest, IngestOptions, future_waiter
from zero.application.ingest_events import DurabilityFound, RequestsAccepted
from zero.application.submission import Ack, Submission
from zero.domain.errors import (
    BufferUnavailable,
    ConfigurationError,
    Unavailable,
)
from zero.infrastructure.memory import MemoryCodec


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
