"""The page of a drain that runs alone."""

import asyncio
import json
import ssl

import pytest

from zero.application.drain import DrainState
from zero.application.key_ring import KeyRing, KeyRingOptions
from zero.application.keys import KeyRequest, Keys
from zero.domain.key import KeyScope
from zero.infrastructure.memory import ManualClock, MemoryKeyStore, MemoryTelemetry
from zero.infrastructure.tls.authority import Authority
from zero.interfaces.drain_page.server import DrainPage, DrainPageOptions, DrainPageServices


class Page:
    """A page over a drain whose state the test says."""

    def __init__(self) -> None:
        self.is_ready, self.shards = True, {0: (DrainState.FLOWING, "")}
        self.admin = Keys(store := MemoryKeyStore(), ManualClock(), MemoryTelemetry())
        self._store = store

    async def open(
        self, exposed: bool = False, options: DrainPageOptions | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.keys = KeyRing(self._store, ManualClock(), MemoryTelemetry(), KeyRingOptions(exposed=exposed))
        await self.keys.refresh()
        services = DrainPageServices(lambda: self.is_ready, lambda: self.shards, lambda: b"zero_lag 1\n", self.keys)
        self.server = await DrainPage(services, options).listen("127.0.0.1", 0, tls)
        self.port = self.server.sockets[0].getsockname()[1]

    async def send(self, request: bytes) -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]) if head else 0, body

    async def get(self, path: str, *lines: str) -> tuple[int, bytes]:
        return await self.send("\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode())


@pytest.fixture
async def page():
    page = Page()
    yield page
    page.server.close()


async def test_it_says_whether_the_drain_lives_works_and_what_it_counts(page):
    await page.open()
    assert await page.get("/health") == (200, b'{"status":"alive"}')
    assert await page.get("/metrics") == (200, b"zero_lag 1\n")
    status, body = await page.get("/ready?verbose")
    assert (status, json.loads(body)) == (200, {"ready": True, "shards": {"0": {"state": "flowing", "error": ""}}})
    page.is_ready, page.shards = False, {0: (DrainState.WAITING, "the store is away")}
    status, body = await page.get("/ready")
    assert (status, json.loads(body)["shards"]["0"]["error"]) == (503, "the store is away")


async def test_what_it_does_not_have_is_refused(page):
    await page.open()
    assert (await page.get("/api/logs"))[0] == 404
    assert (await page.send(b"POST /ready HTTP/1.1\r\n\r\n"))[0] == 405
    assert (await page.send(b"GET /health HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n"))[0] in (0, 431)
    assert (await page.get("/health"))[0] == 200


async def test_a_client_that_sends_nothing_is_given_up(page):
    await page.open(options=DrainPageOptions(timeout_seconds=0.05))
    assert await page.send(b"GET /health") == (0, b"")


async def test_where_others_can_reach_it_metrics_need_a_key_and_probes_do_not(page):
    key = (await page.admin.create(KeyRequest("acme", frozenset({KeyScope.QUERY})), "test")).text
    ingest = (await page.admin.create(KeyRequest("acme", frozenset({KeyScope.INGEST})), "test")).text
    await page.open(exposed=True)
    assert (await page.get("/metrics"))[0] == 401
    assert (await page.get("/metrics", f"Authorization: Bearer {ingest}"))[0] == 403
    assert (await page.get("/metrics", f"x-api-key: {key}"))[0] == 200
    assert (await page.get("/ready"))[0] == 200


async def test_a_handshake_that_does_not_come_has_the_time_of_a_request(page, tmp_path):
    issued = Authority(tmp_path / "tls").server(["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    await page.open(options=DrainPageOptions(timeout_seconds=0.2), tls=context)
    reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
    assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()
