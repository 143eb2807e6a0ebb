"""A buffer that is full, silent or broken, and more than can be taken."""

import asyncio
import time

import pytest

from tests.unit.application.ingest.conftest import GatedBuffer, Rig, decode
from zero.application.framing import FrameBounds
from zero.application.funnel import FunnelOptions
from zero.application.ingest import IngestOptions
from zero.application.ingest_events import FlushFailed
from zero.application.ports import Decoded
from zero.application.pushback import PushbackOptions
from zero.application.receipt import Receipt
from zero.domain.errors import (
    BufferFull,
    BufferUnavailable,
    Overloaded,
    ZeroError,
)


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


async def test_a_refusal_reaches_only_those_whose_frames_were_refused():
    class PartlyFull(GatedBuffer):
        async def append(self, appends):
            if any(append.idempotency or append.shard for append in appends):
                raise Overloaded("no room for these")
            return await super().append(appends)

    rig = Rig(IngestOptions(shards=2, frame=FrameBounds(entries_max=2)), shards=2)
    rig.ingest._buffer = rig.buffer = PartlyFull(2)
    sent = [rig.send(b"ab"), rig.send(b"cd"), rig.send(b"e", key="k")]
    outcome = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(each) for each in outcome].count(Overloaded) == 2
    (receipt,) = [each for each in outcome if isinstance(each, Receipt)]
    assert receipt.accepted == 2
    stored = await rig.buffer.ledger()
    assert stored["default"].accepted == 2  # what was refused is not in the buffer, what is in it was not refused
    await rig.ingest.close()
