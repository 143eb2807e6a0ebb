"""The ingest door over TLS: the same limits, from the first packet of the handshake on."""

import asyncio
import contextlib
import ssl
import time

import pytest
from hyperframe.frame import HeadersFrame

from tests.unit.interfaces.ingest_http.conftest import Peer
from tests.unit.interfaces.ingest_http.http2_peer import POST, Http2Peer, request
from zero.infrastructure.memory import MemoryTelemetry
from zero.infrastructure.tls.authority import Authority
from zero.infrastructure.tls.server import ServerTls, TlsOptions
from zero.interfaces.ingest_http.events import ConnectionClosed
from zero.interfaces.ingest_http.options import IngestHttpOptions

pytestmark = pytest.mark.timed
ENTRY = b'{"message":"hello"}'
REQUEST = b"POST /api/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 19\r\n\r\n" + ENTRY
QUICK = IngestHttpOptions(
    head_timeout_seconds=0.3,
    body_timeout_seconds=0.2,
    write_timeout_seconds=0.3,
    idle_timeout_seconds=0.5,
    linger_seconds=0.3,
    sweep_seconds=0.05,
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def context(authority):
    issued = authority.server(["localhost"])
    return ServerTls(TlsOptions(issued.certificate, issued.key), MemoryTelemetry()).context("h2", "http/1.1")


@pytest.fixture
async def connect(authority):
    """Connects peers over TLS that offer ``protocols``."""
    writers = []

    async def connected(server, *protocols):
        trusting = ssl.create_default_context(cafile=str(authority.certificate))
        if protocols:
            trusting.set_alpn_protocols(list(protocols))
        given = {"ssl": trusting, "server_hostname": "localhost", "ssl_shutdown_timeout": 0.5}
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, **given)
        writers.append(writer)
        return await Http2Peer(reader, writer).greet() if "h2" in protocols else Peer(reader, writer)

    yield connected
    for writer in writers:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            await writer.wait_closed()


def reasons(server):
    return [event.reason for event in server.telemetry.events if isinstance(event, ConnectionClosed)]


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what changes is a list
            await asyncio.sleep(0.02)


async def test_both_versions_are_served_as_agreed(serving, connect, context):
    server = await serving(tls=context)
    assert (await (await connect(server, "h2", "http/1.1")).exchange(POST, ENTRY)).status == 202
    assert (await (await connect(server, "http/1.1")).exchange(REQUEST)).status == 202
    assert (await (await connect(server)).exchange(REQUEST)).status == 202
    assert await server.accepted() == 3


async def test_many_connections_at_once_are_served(serving, connect, context):
    server = await serving(tls=context)

    async def one(number):
        if number % 2:
            return (await (await connect(server, "h2")).exchange(POST, ENTRY)).status
        return (await (await connect(server, "http/1.1")).exchange(REQUEST)).status

    assert set(await asyncio.gather(*(one(number) for number in range(40)))) == {202}


async def test_a_large_body_arrives_whole(serving, connect, context):
    server = await serving(tls=context)
    peer = await connect(server, "http/1.1")
    body = b"\n".join([ENTRY] * 100_000)
    head = b"POST /api/logs HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert (await peer.exchange(head + body)).json["accepted"] == 100_000


async def test_smuggled_requests_are_refused_in_both_versions(serving, connect, context):
    server = await serving(tls=context)
    both = b"POST /api/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    peer = await connect(server, "http/1.1")
    assert (await peer.exchange(both + REQUEST)).status == 400
    assert await peer.ended()
    peer = await connect(server, "h2")
    assert (await peer.exchange([*POST, ("transfer-encoding", "chunked")], ENTRY)).reset == 1
    assert await server.accepted() == 0


async def test_slow_heads_bodies_and_readers_are_closed(serving, connect, context):
    server = await serving(options=QUICK, tls=context)
    began = time.monotonic()
    head = await connect(server, "http/1.1")
    await head.send(REQUEST[:30])
    body = await connect(server, "http/1.1")
    await body.send(REQUEST[:-5])
    frame = await connect(server, "h2")
    frame.write(HeadersFrame(1, data=b"\x82").serialize())
    stream = await connect(server, "h2")
    stalled = stream.head(POST)
    stream.data(stalled, ENTRY[:5], end=False)
    assert (await head.response()).status == 408
    assert (await body.response()).status == 408
    assert (await frame.gone())[0] == 11
    assert (await stream.answer(stalled)).status == 408
    assert time.monotonic() - began < 4


async def test_a_reader_that_does_not_read_is_closed(serving, connect, context):
    server = await serving(options=QUICK, tls=context)
    peer = await connect(server, "http/1.1")
    peer.writer.transport.pause_reading()
    page = b"GET /nope HTTP/1.1\r\nHost: x\r\n\r\n"

    async def ask():
        with contextlib.suppress(OSError):
            while True:
                peer.writer.write(page * 500)
                await peer.writer.drain()

    task = asyncio.create_task(ask())
    await until(lambda: "slow_reader" in reasons(server))
    task.cancel()


async def test_an_idle_connection_is_closed(serving, connect, context):
    server = await serving(options=QUICK, tls=context)
    assert await (await connect(server, "http/1.1")).ended()
    assert (await (await connect(server, "h2")).gone())[0] == 0


async def test_a_handshake_that_is_not_finished_counts_and_is_closed(serving, connect, context):
    server = await serving(options=IngestHttpOptions(connections_per_address_max=3, head_timeout_seconds=0.3), tls=context)
    half_open = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(5)]
    half_open[0][1].write(b"\x16\x03\x01")
    assert await half_open[4][0].read() == b""
    assert reasons(server) == ["too_many", "too_many"]
    await until(lambda: len(reasons(server)) == 5)
    assert reasons(server)[2:] == ["tls"] * 3
    assert (await (await connect(server, "http/1.1")).exchange(REQUEST)).status == 202
    for _, writer in half_open:
        writer.close()


async def test_of_too_many_handshakes_the_oldest_goes_and_who_finishes_comes_in(serving, connect, context):
    server = await serving(options=IngestHttpOptions(handshakes_max=5), tls=context)
    half_open = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(8)]
    for reader, _ in half_open[:3]:
        assert await reader.read() == b""
    for _ in range(3):
        assert (await (await connect(server, "http/1.1")).exchange(REQUEST)).status == 202
    assert reasons(server).count("too_many") >= 3
    for _, writer in half_open:
        writer.close()


async def test_plaintext_on_the_port_of_tls_is_closed_and_harms_nobody(serving, connect, context):
    server = await serving(tls=context)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(REQUEST)
    with contextlib.suppress(ConnectionError):
        assert b"HTTP" not in await reader.read()
    writer.close()
    assert (await (await connect(server, "h2")).exchange(request("GET", "/health"))).status == 200
    assert reasons(server) == ["tls"]


async def test_at_the_stop_what_shakes_hands_is_closed_and_what_is_idle_is_told(serving, connect, context):
    server = await serving(tls=context)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    idle = await connect(server, "h2")
    await asyncio.sleep(0.05)
    began = time.monotonic()
    server.stop.set()
    assert (await idle.gone())[0] == 0
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
    await server.task
    assert time.monotonic() - began < 2
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)
