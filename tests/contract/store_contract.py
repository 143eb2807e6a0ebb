"""What every store does for the drain. A subclass gives the fixtures ``store``, ``codec``, ``make_frame``, ``rejected_block``.

class TestClickHouseStore(StoreContract):
    @pytest.fixture
    async def store(self): ...         # empty, migrated, implements Store
    @pytest.fixture
    def codec(self): ...               # crc32c and encode_block
    @pytest.fixture
    def make_frame(self): ...          # (batch_id, messages) -> Frame; see ``contract_frame``
    @pytest.fixture
    def rejected_block(self): ...      # a Block whose data the store refuses
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from zero.application.ports import Block, Lease, RowRange
from zero.domain.errors import LeaseLost, StoreRejected
from zero.domain.frame import Frame, pack_frame, unpack_frame

MakeFrame = Callable[[int, Sequence[str]], Frame]
TIMESTAMP_NS = 1_760_000_000_000_000_000


def field(number: int, wire: int, value: bytes) -> bytes:
    """Return one protobuf field; ``value`` is already in wire form."""
    return bytes([number << 3 | wire]) + value


def text(number: int, value: str) -> bytes:
    """Return a protobuf string field of fewer than 128 bytes."""
    data = value.encode()
    assert len(data) < 128
    return field(number, 2, bytes([len(data)]) + data)


def complete_entry(message: str, timestamp_ns: int = TIMESTAMP_NS) -> bytes:
    """Return an encoded ``LogEntry`` with every stamped field set."""
    stamped = text(1, "contract") + field(2, 1, timestamp_ns.to_bytes(8, "little")) + field(3, 0, b"\x03")
    return stamped + text(4, message) + text(5, "127.0.0.1") + text(6, "prod")


def contract_frame(codec: Any, batch_id: int, messages: Sequence[str], tenant: str = "default") -> Frame:
    """Return a frame of a valid ``LogBatch`` with one entry for each message."""
    payload = b"".join(b"\x0a" + bytes([len(entry)]) + entry for entry in map(complete_entry, messages))
    return unpack_frame(pack_frame(batch_id, 1_760_000_000_000, len(messages), tenant, [payload], codec.crc32c), codec.crc32c)


def lease(epoch: int, shard: int = 0) -> Lease:
    """Return a lease of the shard."""
    return Lease(shard, "drain-a", epoch)


class StoreContract:
    """The tests; each starts from an empty store."""

    async def test_stored_rows_are_present_by_their_identity(self, store: Any, codec: Any, make_frame: MakeFrame) -> None:
        await store.fence(lease(1))
        await store.insert(codec.encode_block([make_frame(7, ["a", "b", "c"]), make_frame(9, ["d"])]), lease(1))
        found = await store.present([7, 8, 9])
        assert {bid: sorted(indexes) for bid, indexes in found.items()} == {7: [0, 1, 2], 9: [0]}

    async def test_chosen_rows_keep_their_index(self, store: Any, codec: Any, make_frame: MakeFrame) -> None:
        await store.fence(lease(1))
        frames = [make_frame(7, ["a", "b", "c", "d"]), make_frame(9, ["e", "f"])]
        await store.insert(codec.encode_block(frames, [RowRange(0, 1, 2), RowRange(0, 3, 4), RowRange(1, 1, 2)]), lease(1))
        found = await store.present([7, 9])
        assert {bid: sorted(indexes) for bid, indexes in found.items()} == {7: [1, 3], 9: [1]}

    async def test_the_largest_batch_id_and_one_that_was_never_stored(
        self, store: Any, codec: Any, make_frame: MakeFrame
    ) -> None:
        await store.fence(lease(1))
        await store.insert(codec.encode_block([make_frame(2**64 - 1, ["a"])]), lease(1))
        assert {bid: list(found) for bid, found in (await store.present([2**64 - 1, 1])).items()} == {2**64 - 1: [0]}

    async def test_a_row_stored_twice_shows_twice(self, store: Any, codec: Any, make_frame: MakeFrame) -> None:
        await store.fence(lease(1))
        for _ in range(2):
            await store.insert(codec.encode_block([make_frame(7, ["a"])]), lease(1))
        assert list((await store.present([7]))[7]) == [0, 0]

    async def test_presence_is_asked_of_no_ids_and_of_thousands(self, store: Any, codec: Any, make_frame: MakeFrame) -> None:
        await store.fence(lease(1))
        await store.insert(codec.encode_block([make_frame(4_321, ["a"])]), lease(1))
        assert dict(await store.present([])) == {}
        assert list(await store.present(range(1, 10_001))) == [4_321]

    async def test_quiesce_returns_when_nothing_runs(self, store: Any) -> None:
        await store.quiesce(lease(1))

    async def test_a_refused_block_raises_and_leaves_no_row(self, store: Any, rejected_block: Block) -> None:
        await store.fence(lease(1))
        with pytest.raises(StoreRejected):
            await store.insert(rejected_block, lease(1))
        assert dict(await store.present([7])) == {}

    async def test_a_fenced_epoch_stores_nothing(self, store: Any, codec: Any, make_frame: MakeFrame) -> None:
        await store.fence(lease(1))
        await store.fence(lease(2))
        with pytest.raises(LeaseLost):
            await store.insert(codec.encode_block([make_frame(7, ["a"])]), lease(1))
        assert dict(await store.present([7])) == {}
        await store.insert(codec.encode_block([make_frame(7, ["a"])]), lease(2))
        assert list((await store.present([7]))[7]) == [0]

    async def test_a_fence_may_be_set_again_and_is_one_shards_own(self, store: Any, codec: Any, make_frame: MakeFrame) -> None:
        await store.fence(lease(1, shard=1))
        await store.fence(lease(5))
        await store.fence(lease(5))
        await store.insert(codec.encode_block([make_frame(7, ["a"])]), lease(5))
        await store.insert(codec.encode_block([make_frame(8, ["a"])]), lease(1, shard=1))
        assert sorted(await store.present([7, 8])) == [7, 8]
