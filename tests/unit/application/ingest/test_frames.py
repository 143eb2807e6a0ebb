"""What shares a frame, and how entries are numbered and decoded."""

import asyncio

import pytest

from tests.unit.application.ingest.conftest import Rig, decode
from zero.application.framing import FrameBounds
from zero.application.ingest import IngestOptions
from zero.application.ports import Decoded
from zero.application.receipt import Receipt
from zero.domain.errors import (
    InvalidInput,
)


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
