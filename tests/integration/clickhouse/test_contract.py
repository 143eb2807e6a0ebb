"""The store contract over the embedded ClickHouse."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.store_contract import MakeFrame, StoreContract, contract_frame
from zero.application.ports import Block
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.clickhouse.store import ClickHouseStore
from zero.infrastructure.native.codec import NativeCodec


class TestClickHouseStore(StoreContract):
    """Every promise of the port, kept by a real server."""

    @pytest.fixture
    async def store(self, clickhouse_options: ClickHouseOptions) -> AsyncIterator[ClickHouseStore]:
        store = ClickHouseStore(clickhouse_options)
        yield store
        await store.close()

    @pytest.fixture
    def codec(self) -> NativeCodec:
        return NativeCodec()

    @pytest.fixture
    def make_frame(self, codec: NativeCodec) -> MakeFrame:
        return lambda batch_id, messages: contract_frame(codec, batch_id, messages)

    @pytest.fixture
    def rejected_block(self, codec: NativeCodec, make_frame: MakeFrame) -> Block:
        """A block whose last column is cut: the server reads it and refuses it."""
        block = codec.encode_block([make_frame(7, ["a", "b"])])
        return Block(block.data[:-3], block.rows)
