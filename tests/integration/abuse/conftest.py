"""An ingest process to be attacked."""

import asyncio
import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.abuse.doors import DOORS
from tests.integration.abuse.victim import Victim
from tests.integration.servers import Server, embedded_valkey, patient_log
from tests.integration.test_ingest_http import Workers
from tests.ports import free_port
from zero.application.ports import Settlement

HONEST = b"[" + b",".join([b'{"message":"%b"}' % (b"x" * 1000)] * 16_000) + b"]"
"""The largest body that a sender with good manners may bring."""
HONEST_GZIP = gzip.compress(HONEST, 1)


@dataclass
class Ingest:
    """The process, its doors, and how well others are served at two of them."""

    buffer_url: str
    workers: Workers
    grpc_port: int
    http: Victim
    grpc: Victim

    @property
    def port(self) -> int:
        return self.workers.port

    def take_honest_bodies(self, at_once: int = 1) -> None:
        """Take in what may be sent: an attack is measured against the peak of its memory."""
        self.http.forget_peak()
        with ThreadPoolExecutor(at_once) as pool:
            for body, encoding in ((HONEST, ""), (HONEST_GZIP, "gzip")):
                statuses = pool.map(lambda _: DOORS["JSON"].knock(self.port, body, encoding), range(at_once))  # noqa: B023
                assert set(statuses) <= {202, 429}
        asyncio.run(emptied(self.buffer_url))


async def emptied(url: str) -> None:
    """Take everything out of the buffer, so that no test meets it full."""
    log = patient_log(url)
    try:
        lease = await log.acquire(0, "test")
        assert lease is not None
        while deliveries := await log.read(lease, 100, 0.0):
            await log.settle(lease, Settlement([delivery.position for delivery in deliveries]))
        await log.release(lease)
    finally:
        await log.close()


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = embedded_valkey(tmp_path_factory.mktemp("valkey")).start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def ingest(valkey: Server) -> Iterator[Ingest]:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("needs Linux to measure peak memory")
    grpc_port = free_port()
    workers = Workers(valkey.url, 1, ZERO_INGEST_GRPC=f"127.0.0.1:{grpc_port}", ZERO_LOG_LEVEL="error").wait()
    process = workers.processes[0].pid
    victims = Victim(process, "post", workers.port), Victim(process, "grpc", grpc_port)
    yield Ingest(valkey.url, workers, grpc_port, *victims)
    assert workers.stop() == [0]
