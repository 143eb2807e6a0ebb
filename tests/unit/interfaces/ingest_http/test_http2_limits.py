"""What is too large, too slow or too many in HTTP/2; and how a connection ends in good order."""

import asyncio
import contextlib
import time

import pytest
from hyperframe.frame import DataFrame, HeadersFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame

from tests.unit.interfaces.ingest_http.http2_peer import POST, PREFACE, Http2Peer, request
from zero.application.ingest_events import RequestRejected
from zero.infrastructure.memory import ManualClock, MemoryBuffer
from zero.interfaces.ingest_http.events import ConnectionClosed, Http2Abused, Http2StreamReset
from zero.interfaces.ingest_http.options import IngestHttpOptions

pytestmark = pytest.mark.timed
ENTRY = b'{"message":"hello"}'
NO_ERROR, REFUSED_STREAM, ENHANCE_YOUR_CALM = 0, 7, 11
QUICK = IngestHttpOptions(
    head_timeout_seconds=0.2,
    body_timeout_seconds=0.2,
    write_timeout_seconds=0.2,
    idle_timeout_seconds=0.4,
    linger_seconds=0.3,
    sweep_seconds=0.05,
)


class GatedBuffer(MemoryBuffer):
    def __init__(self):
        super().__init__(ManualClock())
        self.gate = asyncio.Event()

    async def append(self, appends):
        await self.gate.wait()
        return await super().append(appends)


@pytest.fixture
async def connect():
    peers = []

    async def connected(server, settings=None):
        peer = Http2Peer(*await asyncio.open_connection("127.0.0.1", server.port))
        peers.append(peer)
        return await peer.greet(settings)

    yield connected
    for peer in peers:
        peer.writer.close()
        with contextlib.suppress(ConnectionError):
            await peer.writer.wait_closed()


def emitted(server, kind):
    return [event for event in server.telemetry.events if isinstance(event, kind)]


async def test_a_body_that_is_too_large_is_413_and_the_connection_lives(serving, connect):
    server = await serving(options=IngestHttpOptions(body_bytes_max=100_000, linger_seconds=0.2, sweep_seconds=0.05))
    peer = await connect(server)
    declared = peer.head([*POST, ("content-length", "100001")])
    assert (await peer.answer(declared)).status == 413
    stream_id = peer.head(POST)
    for _ in range(7):
        peer.data(stream_id, b" " * 16_000, end=False)
    answer = await peer.answer(stream_id)
    assert answer.status == 413
    await peer.until(lambda: answer.reset == NO_ERROR)
    peer.data(stream_id, b" " * 16_000)  # already under way
    assert (await peer.exchange(POST, ENTRY)).status == 202


async def test_unfinished_bodies_of_the_process_have_a_bound(serving, connect):
    server = await serving(options=IngestHttpOptions(body_bytes_max=50_000, bodies_bytes_max=60_000))
    peer = await connect(server)
    first, second = peer.head(POST), peer.head(POST)
    for stream_id in (first, second):
        for _ in range(2):
            peer.data(stream_id, b" " * 16_000, end=False)
    answer = await peer.answer(second)
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    peer.data(first, ENTRY)
    assert (await peer.answer(first)).status == 202
    assert (await peer.exchange(POST, ENTRY)).status == 202


async def test_streams_that_wait_for_a_body_count_even_when_it_is_empty(serving, connect):
    server = await serving(options=IngestHttpOptions(body_bytes_max=1, bodies_bytes_max=20_000, streams_max=100))
    peer = await connect(server)
    streams = [peer.head(POST) for _ in range(40)]
    answer = await peer.answer(streams[-1])
    assert answer.status == 429


async def test_a_head_that_is_too_large_is_431(serving, connect):
    server = await serving()
    peer = await connect(server)
    answer = await peer.exchange(request("GET", "/health", x="y" * 40_000))
    assert (answer.status, answer.ended) == (431, True)
    assert (await peer.exchange(request("GET", "/health", x="y" * 30_000))).status == 200
    endless = peer.head(request("GET", "/health", x="y" * 100_000), end=True)
    assert (await peer.gone())[0] == ENHANCE_YOUR_CALM
    assert peer.answers[endless].status == 431
    assert emitted(server, Http2Abused) == [Http2Abused("continuation")]


async def test_more_streams_than_allowed_are_refused_and_may_be_tried_again(serving, connect):
    buffer = GatedBuffer()
    server = await serving(options=IngestHttpOptions(streams_max=10), buffer=buffer)
    peer = await connect(server)
    streams = [peer.ask(POST, ENTRY) for _ in range(12)]
    assert (await peer.answer(streams[-1])).reset == REFUSED_STREAM
    buffer.gate.set()
    assert [(await peer.answer(stream_id)).status for stream_id in streams[:10]] == [202] * 10
    assert (await peer.exchange(POST, ENTRY)).status == 202
    assert emitted(server, Http2StreamReset) == [Http2StreamReset("refused_stream")] * 2


async def test_a_cancelled_stream_counts_until_its_work_is_done(serving, connect):
    buffer = GatedBuffer()
    server = await serving(options=IngestHttpOptions(streams_max=10), buffer=buffer)
    peer = await connect(server)
    for _ in range(10):
        peer.send(RstStreamFrame(peer.ask(POST, ENTRY), error_code=8))
    assert (await peer.exchange(POST, ENTRY)).reset == REFUSED_STREAM
    buffer.gate.set()
    await peer.exchange(request("GET", "/nope"))
    await asyncio.sleep(0.05)
    assert (await peer.exchange(POST, ENTRY)).status == 202


async def test_a_slow_preface_and_a_slow_frame_and_a_slow_head_are_closed(serving, connect):
    server = await serving(options=QUICK)
    silent = Http2Peer(*await asyncio.open_connection("127.0.0.1", server.port))
    silent.write(PREFACE[:10])
    began = time.monotonic()
    assert await silent._reader.read() == b""
    silent.writer.close()
    for data in (b"\x00\x00\x08", HeadersFrame(1, data=b"\x82").serialize()):
        peer = await connect(server)
        peer.write(data)
        assert (await peer.gone())[0] == ENHANCE_YOUR_CALM
    assert time.monotonic() - began < 3
    assert {event.reason for event in emitted(server, ConnectionClosed)} == {"slow_head"}


async def test_a_body_that_stalls_is_408_and_its_neighbours_go_on(serving, connect):
    server = await serving(options=QUICK)
    peer = await connect(server)
    stalled = peer.head(POST)
    peer.data(stalled, ENTRY[:5], end=False)
    while not peer.answers[stalled].ended:
        assert (await peer.exchange(POST, ENTRY)).status == 202
        await asyncio.sleep(0.01)
    assert peer.answers[stalled].status == 408


async def test_a_body_that_trickles_is_408(serving, connect):
    server = await serving(options=QUICK)
    peer = await connect(server)
    stream_id = peer.head(POST)
    began = time.monotonic()

    async def trickle():
        while True:
            peer.data(stream_id, b" " * 20, end=False)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(trickle())
    assert (await peer.answer(stream_id)).status == 408
    task.cancel()
    assert time.monotonic() - began < 2


async def test_a_client_that_keeps_the_window_shut_is_closed(serving, connect):
    server = await serving(options=QUICK)
    peer = await connect(server, {SettingsFrame.INITIAL_WINDOW_SIZE: 0})
    peer.ask(POST, ENTRY)
    assert (await peer.gone())[0] == ENHANCE_YOUR_CALM
    assert emitted(server, Http2Abused) == [Http2Abused("zero_window")]


async def test_a_client_that_opens_the_window_byte_by_byte_is_closed(serving, connect):
    server = await serving(options=QUICK)
    peer = await connect(server, {SettingsFrame.INITIAL_WINDOW_SIZE: 0})
    stream_id = peer.ask(request("GET", "/nope"))

    async def trickle():
        while True:
            peer.send(WindowUpdateFrame(stream_id, window_increment=1))
            await asyncio.sleep(0.05)

    task = asyncio.create_task(trickle())
    assert (await peer.gone())[0] == ENHANCE_YOUR_CALM
    task.cancel()


async def test_replies_that_wait_for_a_window_have_a_bound(serving, connect):
    server = await serving(options=IngestHttpOptions(replies_bytes_max=1_000))
    peer = await connect(server, {SettingsFrame.INITIAL_WINDOW_SIZE: 0})
    streams = [peer.ask(request("GET", "/nope")) for _ in range(30)]
    assert (await peer.answer(streams[-1])).reset == ENHANCE_YOUR_CALM
    peer.send(SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 65_535}))
    assert (await peer.answer(streams[0])).status == 404


async def test_an_idle_connection_is_told_and_closed(serving, connect):
    server = await serving(options=QUICK)
    peer = await connect(server)
    assert (await peer.exchange(POST, ENTRY)).status == 202
    assert (await peer.gone())[:2] == (NO_ERROR, 1)


async def test_too_many_connections_are_told_so(serving, connect):
    server = await serving(options=IngestHttpOptions(connections_per_address_max=2))
    peers = [await connect(server) for _ in range(2)]
    late = Http2Peer(*await asyncio.open_connection("127.0.0.1", server.port))
    assert b"503 Service Unavailable" in await late._reader.read()
    late.writer.close()
    assert (await peers[0].exchange(POST, ENTRY)).status == 202


async def test_at_the_stop_streams_in_flight_are_answered_and_new_ones_not_taken(serving, connect):
    buffer = GatedBuffer()
    server = await serving(buffer=buffer)
    busy, idle = await connect(server), await connect(server)
    streams = [busy.ask(POST, ENTRY) for _ in range(5)]
    await asyncio.sleep(0.05)
    server.stop.set()
    assert (await idle.gone())[:2] == (NO_ERROR, 0)
    await busy.until(lambda: busy.goaway is not None)
    late = busy.ask(POST, ENTRY)
    busy.send(DataFrame(late, data=b"x"))
    await asyncio.sleep(0.05)
    buffer.gate.set()
    assert (await busy.gone())[:2] == (NO_ERROR, streams[-1])
    assert [busy.answers[stream_id].status for stream_id in streams] == [202] * 5
    assert not busy.answers[late].ended
    await server.task
    assert await server.accepted() == 5


async def test_a_client_that_goes_away_leaves_nothing_behind(serving, connect):
    server = await serving(options=IngestHttpOptions(body_bytes_max=50_000, bodies_bytes_max=60_000))
    for _ in range(5):
        peer = await connect(server)
        stream_id = peer.head(POST)
        for _ in range(2):
            peer.data(stream_id, b" " * 16_000, end=False)
        await peer.exchange(request("GET", "/health"))
        peer.writer.transport.abort()
        await asyncio.sleep(0.05)
    assert (await (await connect(server)).exchange(POST, ENTRY)).status == 202


async def test_a_client_that_closes_its_side_gets_its_replies(serving, connect):
    buffer = GatedBuffer()
    server = await serving(buffer=buffer)
    peer = await connect(server)
    stream_id = peer.ask(POST, ENTRY)
    peer.writer.write_eof()
    await asyncio.sleep(0.05)
    buffer.gate.set()
    assert (await peer.gone())[0] == NO_ERROR
    assert peer.answers[stream_id].status == 202


async def test_a_body_that_stalls_behind_the_stop_does_not_hold_it_up(serving, connect):
    server = await serving(IngestHttpOptions(linger_seconds=0.1, sweep_seconds=0.05))  # a stop may take 1.6 s
    peer = await connect(server)
    stream_id = peer.head(POST)
    peer.data(stream_id, b'{"message":"whole, but for its end"}', end=False)
    await asyncio.sleep(0.05)
    server.stop.set()
    assert (await peer.answer(stream_id)).status == 408
    await server.task
    assert await server.accepted() == 0


async def test_what_is_refused_before_a_door_sees_it_is_counted_by_its_reason(serving, connect):
    server = await serving(options=IngestHttpOptions(body_bytes_max=100_000))
    peer = await connect(server)
    html = request(content_type="text/html")
    assert (await peer.exchange(html, ENTRY)).status == 415
    assert (await peer.answer(peer.head([*html, ("expect", "100-continue")]))).status == 415
    assert (await peer.answer(peer.head([*POST, ("content-length", "100001")]))).status == 413
    stream_id = peer.head(POST)
    for _ in range(7):
        peer.data(stream_id, b" " * 16_000, end=False)
    assert (await peer.answer(stream_id)).status == 413
    reasons = [event.reason for event in emitted(server, RequestRejected)]
    assert reasons == ["unsupported_media_type"] * 2 + ["too_large"] * 2
