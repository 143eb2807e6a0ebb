"""The memory store keeps the contract of the store."""

from functools import partial

import pytest

from tests.contract.store_contract import MakeFrame, StoreContract, contract_frame
from zero.application.ports import Block
from zero.infrastructure.memory import MemoryCodec, MemoryStore


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    @pytest.fixture
    def codec(self) -> MemoryCodec:
        return MemoryCodec()

    @pytest.fixture
    def make_frame(self, codec: MemoryCodec) -> MakeFrame:
        return partial(contract_frame, codec)

    @pytest.fixture
    def rejected_block(self, store: MemoryStore, codec: MemoryCodec, make_frame: MakeFrame) -> Block:
        store.poison.add((7, 1))
        return codec.encode_block([make_frame(7, ["good", "bad"])])
