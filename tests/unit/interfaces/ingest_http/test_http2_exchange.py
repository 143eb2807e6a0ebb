"""Requests and replies in HTTP/2, from a client that can break every rule and from one that cannot."""

import asyncio
import json

import httpx
import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.unit.interfaces.ingest_http.http2_peer import POST, PREFACE, Http2Peer, request
from zero.interfaces.ingest_http.options import IngestHttpOptions

ENTRY = b'{"message":"hello"}'
INITIAL_WINDOW_SIZE = SettingsFrame.INITIAL_WINDOW_SIZE
PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, COMPRESSION_ERROR = 1, 3, 5, 6, 7, 9


@pytest.fixture
async def connect(server):
    """Connects raw peers to the default server, or to another."""
    peers = []

    async def connected(to=None, settings=None):
        peer = Http2Peer(*await asyncio.open_connection("127.0.0.1", (to or server).port))
        peers.append(peer)
        return await peer.greet(settings)

    yield connected
    for peer in peers:
        peer.writer.close()


async def test_a_log_is_accepted_with_a_receipt(server, connect):
    peer = await connect()
    answer = await peer.exchange(POST, ENTRY)
    assert (answer.status, answer.ended, answer.reset) == (202, True, None)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["date"].endswith("GMT")
    assert json.loads(answer.body)["accepted"] == 1
    assert await server.accepted() == 1


async def test_the_settings_say_what_is_taken(connect):
    peer = await connect()
    options = IngestHttpOptions()
    assert peer.settings == {
        SettingsFrame.MAX_CONCURRENT_STREAMS: options.streams_max,
        SettingsFrame.INITIAL_WINDOW_SIZE: options.stream_window_bytes,
        SettingsFrame.MAX_HEADER_LIST_SIZE: options.head_bytes_max,
    }


async def test_httpx_sends_and_reads_over_http_2(server):
    async with httpx.AsyncClient(http1=False, http2=True, base_url=f"http://127.0.0.1:{server.port}") as client:
        answers = await asyncio.gather(*(client.post("/api/logs", content=ENTRY) for _ in range(100)))
        assert {(answer.status_code, answer.http_version) for answer in answers} == {(202, "HTTP/2")}
        large = b"\n".join([ENTRY] * 150_000)
        assert (await client.post("/api/logs", content=large)).json()["accepted"] == 150_000
        head = await client.head("/health")
        assert (head.status_code, head.headers["content-length"], head.content) == (200, "18", b"")
        assert (await client.get("/nope")).status_code == 404
        assert (await client.options("/api/logs")).headers["allow"] == "OPTIONS, POST"
        assert (await client.post("/api/logs", content=b"x", headers={"content-type": "image/png"})).status_code == 415
        assert (await client.post("/api/logs", content=b"{")).json()["error"]["code"] == "invalid_input"
    assert await server.accepted() == 150_100


async def test_http_1_is_served_on_the_same_port(server, connect):
    assert (await (await connect()).exchange(POST, ENTRY)).status == 202
    assert (await server.post(ENTRY)).status == 202


async def test_a_preface_in_pieces_of_one_byte_is_understood(server):
    peer = Http2Peer(*await asyncio.open_connection("127.0.0.1", server.port))
    for byte in PREFACE + SettingsFrame(0).serialize():
        peer.write(bytes([byte]))
        await asyncio.sleep(0.001)
    assert (await peer.exchange(POST, ENTRY)).status == 202
    peer.writer.close()


async def test_frames_in_pieces_of_one_byte_are_understood(connect):
    peer = await connect()
    head = HeadersFrame(1, data=peer.block(POST), flags=["END_HEADERS"]).serialize()
    for byte in head + DataFrame(1, data=ENTRY, flags=["END_STREAM"]).serialize():
        peer.write(bytes([byte]))
        await asyncio.sleep(0)
    assert (await peer.answer(1)).status == 202


async def test_streams_are_answered_whatever_the_order_of_their_bodies(server, connect):
    peer = await connect()
    streams = [peer.head(POST) for _ in range(50)]
    for stream_id in streams:
        peer.data(stream_id, ENTRY[:5], end=False)
    for stream_id in reversed(streams):
        peer.data(stream_id, ENTRY[5:])
    assert {(await peer.answer(stream_id)).status for stream_id in streams} == {202}
    assert await server.accepted() == 50


async def test_padding_priority_and_trailers_do_not_disturb(server, connect):
    peer = await connect()
    head = HeadersFrame(1, data=peer.block(POST), flags=["END_HEADERS", "PADDED", "PRIORITY"])
    head.pad_length, head.stream_weight, head.depends_on = 7, 15, 0
    data = DataFrame(1, data=ENTRY, flags=["PADDED"])
    data.pad_length = 100
    trailers = HeadersFrame(1, data=peer.block([("x-checksum", "1")]), flags=["END_HEADERS", "END_STREAM"])
    peer.send(head, data, trailers)
    assert (await peer.answer(1)).status == 202
    assert await server.accepted() == 1


async def test_a_head_in_continuations_is_put_together(connect):
    peer = await connect()
    block = peer.block(request(x_long="y" * 3000, content_type="application/json"))
    peer.send(
        HeadersFrame(1, data=block[:10]),
        ContinuationFrame(1, data=block[10:2000]),
        ContinuationFrame(1, data=block[2000:], flags=["END_HEADERS"]),
        DataFrame(1, data=ENTRY, flags=["END_STREAM"]),
    )
    assert (await peer.answer(1)).status == 202


async def test_expect_100_continue_is_answered_before_the_body(connect):
    peer = await connect()
    stream_id = peer.head([*POST, ("expect", "100-continue")])
    answer = peer.answers[stream_id]
    await peer.until(lambda: answer.informational == [100])
    peer.data(stream_id, ENTRY)
    assert (await peer.answer(stream_id)).status == 202


async def test_expect_100_continue_for_a_body_we_do_not_take_is_refused_before_the_body(connect):
    peer = await connect()
    stream_id = peer.head([*POST, ("expect", "100-continue"), ("content-encoding", "br")])
    answer = await peer.answer(stream_id)
    assert (answer.status, answer.informational) == (415, [])
    peer.data(stream_id, ENTRY)  # already under way: it must not disturb
    assert (await peer.exchange(POST, ENTRY)).status == 202


async def test_a_reply_comes_in_as_many_pieces_as_the_windows_let_through(connect):
    peer = await connect(settings={INITIAL_WINDOW_SIZE: 10})
    stream_id = peer.ask(POST, ENTRY)
    answer = peer.answers[stream_id]
    await peer.until(lambda: len(answer.body) == 10)
    peer.send(WindowUpdateFrame(stream_id, window_increment=5))
    await peer.until(lambda: len(answer.body) == 15)
    peer.send(SettingsFrame(0, settings={INITIAL_WINDOW_SIZE: 30}))
    await peer.until(lambda: len(answer.body) == 35)
    assert not answer.ended
    peer.send(SettingsFrame(0, settings={INITIAL_WINDOW_SIZE: 5000}))
    assert json.loads((await peer.answer(stream_id)).body)["accepted"] == 1
    assert len(answer.body) == int(answer.headers["content-length"])


async def test_replies_share_the_window_of_the_connection(connect):
    peer = await connect(settings={INITIAL_WINDOW_SIZE: 2**31 - 1})
    streams = [peer.ask(request("GET", "/nope")) for _ in range(900)]
    size = 0
    for _ in range(2):
        await peer.until(lambda: sum(len(peer.answers[stream_id].body) for stream_id in streams) >= 65_535)
        size = sum(len(peer.answers[stream_id].body) for stream_id in streams)
    assert size == 65_535
    peer.send(WindowUpdateFrame(0, window_increment=1_000_000))
    assert {(await peer.answer(stream_id)).status for stream_id in streams} == {404}


async def test_a_body_larger_than_every_window_gets_through_as_it_is_read(serving, connect):
    server = await serving(options=IngestHttpOptions(stream_window_bytes=65_536, connection_window_bytes=65_536))
    async with httpx.AsyncClient(http1=False, http2=True) as client:
        answer = await client.post(f"http://127.0.0.1:{server.port}/api/logs", content=b"\n".join([ENTRY] * 50_000))
    assert answer.json()["accepted"] == 50_000


async def test_a_ping_is_answered(connect):
    peer = await connect()
    peer.send(PingFrame(0, opaque_data=b"12345678"))
    await peer.until(lambda: any(isinstance(frame, PingFrame) for frame in peer.frames))
    assert peer.frames[-1].opaque_data == b"12345678"
    assert "ACK" in peer.frames[-1].flags


async def test_a_stream_that_the_client_cancels_is_not_stored(server, connect):
    peer = await connect()
    stream_id = peer.head(POST)
    peer.data(stream_id, ENTRY[:7], end=False)
    peer.send(RstStreamFrame(stream_id, error_code=8))
    assert (await peer.exchange(POST, ENTRY)).status == 202
    assert await server.accepted() == 1


SMUGGLED = {
    "upper case": [*POST, ("X-Upper", "1")],
    "connection": [*POST, ("connection", "close")],
    "transfer-encoding": [*POST, ("transfer-encoding", "chunked")],
    "upgrade": [*POST, ("upgrade", "h2c")],
    "te": [*POST, ("te", "gzip")],
    "newline in a value": [*POST, ("x", "1\r\nx-tenant: 2")],
    "newline in the path": request(path="/api/logs HTTP/1.1\r\nhost: y"),
    "zero byte": [*POST, ("x", "1\x00")],
    "space around a value": [*POST, ("x", " 1")],
    "colon in a name": [*POST, ("x:y", "1")],
    "empty name": [*POST, ("", "1")],
    "no path": [field for field in POST if field[0] != ":path"],
    "empty path": request(path=""),
    "path without slash": request(path="api/logs"),
    "no method": [field for field in POST if field[0] != ":method"],
    "no scheme": [field for field in POST if field[0] != ":scheme"],
    "two methods": [(":method", "GET"), *POST],
    "two paths": [(":path", "/health"), *POST],
    "pseudo-header behind others": [*POST, (":authority", "zero")],
    "unknown pseudo-header": [(":protocol", "websocket"), *POST],
    "status in a request": [(":status", "200"), *POST],
    "two hosts": [*POST, ("host", "other")],
    "two lengths": [*POST, ("content-length", "19"), ("content-length", "18")],
    "length with a sign": [*POST, ("content-length", "+19")],
    "length in words": [*POST, ("content-length", "19, 19")],
    "length without end": [*POST, ("content-length", "9" * 400)],
    "shorter than declared": [*POST, ("content-length", "20")],
    "longer than declared": [*POST, ("content-length", "18")],
}


@pytest.mark.parametrize("head", SMUGGLED.values(), ids=SMUGGLED)
async def test_a_head_that_could_be_read_in_two_ways_ends_its_stream_alone(server, connect, head):
    peer = await connect()
    for _ in range(2):  # never becomes known either
        answer = await peer.exchange(head, ENTRY)
        assert answer.reset == PROTOCOL_ERROR or answer.status == 400
    assert (await peer.exchange(POST, ENTRY)).status == 202
    assert await server.accepted() == 1


async def test_the_tenant_and_route_of_a_known_head_are_never_those_of_another(server, connect):
    """The same bytes mean other things when the tables differ: a head is known only with its table."""
    first, second = await connect(), await connect()
    first.block([("x", "1")])
    for _ in range(3):
        assert (await first.exchange(POST, ENTRY)).status == 202
    second.head([(":method", "GET"), (":scheme", "http"), (":authority", "zero"), (":path", "/health")], end=True)
    for _ in range(3):
        answer = await second.exchange(request("GET", "/health"))
        assert (answer.status, answer.body) == (200, b'{"status":"alive"}')


@pytest.mark.parametrize(
    ("code", "data"),
    [
        (PROTOCOL_ERROR, DataFrame(1, data=b"x").serialize()),
        (PROTOCOL_ERROR, RstStreamFrame(1).serialize()),
        (PROTOCOL_ERROR, WindowUpdateFrame(1, window_increment=1).serialize()),
        (PROTOCOL_ERROR, b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
        (PROTOCOL_ERROR, b"\x00\x00\x00\x09\x04\x00\x00\x00\x01"),
        (PROTOCOL_ERROR, b"\x00\x00\x00\x01\x04\x00\x00\x00\x02"),
        (PROTOCOL_ERROR, b"\x00\x00\x00\x01\x04\x00\x00\x00\x00"),
        (PROTOCOL_ERROR, b"\x00\x00\x04\x05\x04\x00\x00\x00\x01\x00\x00\x00\x02"),
        (PROTOCOL_ERROR, b"\x00\x00\x00\x01\x00\x00\x00\x00\x01" + PingFrame(0, opaque_data=b"x" * 8).serialize()),
        (PROTOCOL_ERROR, b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x02"),
        (PROTOCOL_ERROR, b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x01"),
        (PROTOCOL_ERROR, b"\x00\x00\x01\x01\x0c\x00\x00\x00\x01\x05"),
        (FLOW_CONTROL_ERROR, b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\xff\xff\xff\xff"),
        (FLOW_CONTROL_ERROR, WindowUpdateFrame(0, window_increment=2**31 - 1).serialize()),
        (FRAME_SIZE_ERROR, b"\x00\x40\x01\x00\x00\x00\x00\x00\x01"),
        (FRAME_SIZE_ERROR, b"\x00\x00\x07\x06\x00\x00\x00\x00\x00" + b"x" * 7),
        (FRAME_SIZE_ERROR, b"\x00\x00\x05\x04\x00\x00\x00\x00\x00" + b"x" * 5),
        (FRAME_SIZE_ERROR, b"\x00\x00\x06\x04\x01\x00\x00\x00\x00" + b"\x00\x00\x00\x00\x00\x00"),
        (FRAME_SIZE_ERROR, b"\x00\x00\x03\x08\x00\x00\x00\x00\x00" + b"x" * 3),
        (FRAME_SIZE_ERROR, b"\x00\x00\x03\x02\x00\x00\x00\x00\x01" + b"x" * 3),
        (COMPRESSION_ERROR, b"\x00\x00\x01\x01\x05\x00\x00\x00\x01\xff"),
        (COMPRESSION_ERROR, b"\x00\x00\x02\x01\x05\x00\x00\x00\x01\x82\xfe"),
        (COMPRESSION_ERROR, b"\x00\x00\x04\x01\x05\x00\x00\x00\x01\x3f\xff\xff\x7f"),
    ],
)
async def test_whoever_breaks_a_rule_of_framing_is_told_which_and_the_connection_ends(server, connect, code, data):
    peer = await connect()
    peer.write(data)
    assert (await peer.gone())[0] == code
    assert (await server.post(ENTRY)).status == 202


async def test_frames_behind_the_end_of_a_stream_end_the_connection(connect):
    peer = await connect()
    stream_id = peer.ask(POST, ENTRY)
    await peer.answer(stream_id)
    peer.data(stream_id, ENTRY)
    assert (await peer.gone())[0] == STREAM_CLOSED
    peer = await connect()
    peer.head(POST, 3)
    peer.head(POST, 1)
    assert (await peer.gone())[0] == STREAM_CLOSED


async def test_the_first_frame_has_to_be_settings(server):
    peer = Http2Peer(*await asyncio.open_connection("127.0.0.1", server.port))
    peer.write(PREFACE + PingFrame(0, opaque_data=b"x" * 8).serialize())
    assert (await peer.gone())[0] == PROTOCOL_ERROR
    peer.writer.close()


async def test_frames_that_nobody_knows_are_left_aside(connect):
    peer = await connect()
    peer.write(b"\x00\x00\x03\xfa\xff\x00\x00\x00\x07abc")
    assert (await peer.exchange(POST, ENTRY)).status == 202
