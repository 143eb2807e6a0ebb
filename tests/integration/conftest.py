"""Servers shared by the integration tests."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.servers import Server, embedded_valkey

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Server]:
    """An embedded Valkey for the whole run; tests keep apart by ``namespace``."""
    with tempfile.TemporaryDirectory(prefix="zero-") as directory:
        server = embedded_valkey(Path(directory)).start()
        yield server
        server.close()


@pytest.fixture
def redis_url(valkey_server: Server) -> str:
    """The URL of the shared Valkey."""
    return valkey_server.url


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test of the run has, within what the server's ACL allows."""
    return f"zero:{next(_numbers)}"


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Server]:
    """An embedded Valkey of the test's own, started: to kill, stop or fill."""
    server = embedded_valkey(tmp_path).start()
    yield server
    server.close()
