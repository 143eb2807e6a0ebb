"""The key store in memory keeps the contract."""

import pytest

from tests.contract.key_store_contract import KeyStoreContract
from zero.infrastructure.memory import MemoryKeyStore


class TestMemoryKeyStore(KeyStoreContract):
    @pytest.fixture
    def store(self):
        return MemoryKeyStore()
