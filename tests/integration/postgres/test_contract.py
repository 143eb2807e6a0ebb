"""The store contract over a real PostgreSQL."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.store_contract import MakeFrame, StoreContract, contract_frame
from tests.integration.postgres_server import CODEC
from zero.application.ports import Block
from zero.infrastructure.postgres.codec import CopyBlock, PostgresCodec
from zero.infrastructure.postgres.options import PostgresOptions
from zero.infrastructure.postgres.store import PostgresStore


class TestPostgresStore(StoreContract):
    """Every promise of the port, kept by a real server."""

    @pytest.fixture
    async def store(self, postgres_options: PostgresOptions) -> AsyncIterator[PostgresStore]:
        store = PostgresStore(postgres_options)
        yield store
        await store.close()

    @pytest.fixture
    def codec(self) -> PostgresCodec:
        return CODEC

    @pytest.fixture
    def make_frame(self, codec: PostgresCodec) -> MakeFrame:
        return lambda batch_id, messages: contract_frame(codec, batch_id, messages)

    @pytest.fixture
    def rejected_block(self, codec: PostgresCodec, make_frame: MakeFrame) -> Block:
        """A block whose last column is cut: the server reads it and refuses it."""
        block = codec.encode_block([make_frame(7, ["a", "b"])])
        return CopyBlock(block.data[:-3], block.rows, block.days)
