"""What is too large, too slow, too many or not HTTP at all: the status, the message, and that the process lives on."""

import asyncio
import gzip
import time
import zlib

import cramjam
import lz4.frame
import pytest
from backports import zstd

from zero.application.ingest_events import RequestRejected
from zero.interfaces.ingest_http.events import ConnectionClosed
from zero.interfaces.ingest_http.options import IngestHttpOptions

pytestmark = pytest.mark.timed
ENTRY = b'{"message":"hello"}'
HEAD = b"POST /api/logs HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ONLY_CHUNKED = "the only Transfer-Encoding we read is 'chunked', in HTTP/1.1 and without Content-Length"


async def refused(server, data: bytes) -> tuple[int, str]:
    """Send the bytes, expect one error reply and the end of the connection, and that others are still served."""
    peer = await server.connect()
    response = await peer.exchange(data)
    assert response.headers["connection"] == "close"
    peer.writer.close()
    assert (await server.post(ENTRY)).status == 202
    return response.error


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding can't be present"),
        (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", "Content-Length can't be present"),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", "Duplicate Content-Length"),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na", "Duplicate Content-Length"),
        (HEAD + b"Content-Length: +1\r\n\r\na", "Invalid character in Content-Length"),
        (HEAD + b"Content-Length: 1, 1\r\n\r\na", "Invalid character in Content-Length"),
        (HEAD + b"Content-Length:\r\n\r\na", "Empty Content-Length"),
        (HEAD + b"Content-Length: 18446744073709551616\r\n\r\n", "Content-Length overflow"),
        (HEAD + b"X: a\r\n folded\r\nContent-Length: 1\r\n\r\na", "Unexpected whitespace after header value"),
        (HEAD + b"X : a\r\nContent-Length: 1\r\n\r\na", "Invalid header token"),
        (HEAD + b"X\x00: a\r\nContent-Length: 1\r\n\r\na", "Invalid header token"),
        (HEAD + b"X: a\x00b\r\nContent-Length: 1\r\n\r\na", "Invalid header value char"),
        (HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 1\n\na", "Expected CRLF after version"),
        (HEAD + b"X: a\nContent-Length: 1\r\n\r\na", "Missing expected CR after header value"),
        (HEAD + b"X: a\rContent-Length: 1\r\n\r\na", "Missing expected LF after header value"),
        (CHUNKED + b"-1\r\na\r\n0\r\n\r\n", "Invalid character in chunk size"),
        (CHUNKED + b"0x1\r\na\r\n0\r\n\r\n", "Invalid character in chunk size"),
        (CHUNKED + b"ffffffffffffffffff\r\na\r\n0\r\n\r\n", "Chunk size overflow"),
        (CHUNKED + b"1\r\nab\r\n0\r\n\r\n", "Expected LF after chunk data"),
        (CHUNKED + b"1\na\n0\n\n", "Missing expected CR after chunk size"),
        (CHUNKED + b"1;a\nb\r\na\r\n0\r\n\r\n", "Missing expected CR after chunk extension name"),
        (HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "Invalid `Transfer-Encoding` header value"),
        (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "Expected HTTP/2 Connection Preface"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "Invalid method encountered"),
        (b"POST /api/logs HTTP/9.9\r\nHost: x\r\n\r\n", "Invalid HTTP version"),
    ],
)
async def test_malformed_http_is_400_and_the_end_of_the_connection(server, data, message):
    status, text = await refused(server, data)
    assert status == 400
    assert text.startswith("malformed HTTP: " + message)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", ONLY_CHUNKED),
        (HEAD + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "transfer-encoding may be given"),
        (b"POST /api/logs HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ONLY_CHUNKED),
        (b"POST /api/logs HTTP/1.1\r\nContent-Length: 1\r\n\r\na", "HTTP/1.1 needs the header field Host"),
        (
            HEAD + b"Connection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "a request to upgrade cannot have a chunked body",
        ),
        (HEAD + b"Host: y\r\nContent-Length: 1\r\n\r\na", "the header field host may be given only once"),
    ],
)
async def test_ambiguous_http_is_400_and_the_end_of_the_connection(server, data, message):
    status, text = await refused(server, data)
    assert status == 400
    assert message in text


async def test_a_smuggled_request_behind_a_refused_one_is_never_read(server):
    smuggled = b"POST /api/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 19\r\n\r\n" + ENTRY
    await refused(server, HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled)
    assert await server.accepted() == 1  # the one that refused() itself sends


async def test_an_empty_line_before_a_request_teaches_nothing_wrong(server):
    peer = await server.connect()
    request = HEAD + b"Content-Length: 19\r\n\r\n" + ENTRY
    for _ in range(3):
        await peer.send(b"\r\n\r\n" + request)
        assert (await peer.response()).status == 202
    assert await server.accepted() == 3


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"X: " + b"a" * 40_000 + b"\r\n\r\n",
        HEAD + b"X: " + b"a" * 40_000,
        b"POST /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        HEAD + b"".join(b"X-%d: %b\r\n" % (n, b"a" * 1000) for n in range(40)) + b"\r\n",
    ],
)
async def test_a_head_over_32_kib_is_431(server, head):
    assert await refused(server, head) == (431, "request line and header fields are larger than 32768 bytes")


async def test_more_than_100_header_fields_are_431(server):
    head = HEAD + b"".join(b"X-%d: a\r\n" % n for n in range(100)) + b"\r\n"
    assert await refused(server, head) == (431, "the request has more than 100 header fields")


async def test_a_declared_body_over_the_limit_is_413_before_it_is_sent(server):
    assert await refused(server, HEAD + b"Content-Length: 16777217\r\n\r\n") == (413, "the body is larger than 16777216 bytes")


async def test_a_chunked_body_over_the_limit_is_413_while_it_is_sent(serving):
    server = await serving(IngestHttpOptions(body_bytes_max=100_000))
    peer = await server.connect()
    await peer.send(CHUNKED)
    chunk = b"2710\r\n" + b" " * 10_000 + b"\r\n"
    for _ in range(11):
        await peer.send(chunk)
    assert (await peer.response()).error == (413, "the body is larger than 100000 bytes")


async def test_a_body_of_chunk_extensions_is_400(server):
    flood = b"1;" + b"x" * 30_000 + b"\r\na\r\n"
    assert await refused(server, CHUNKED + flood) == (400, "the chunked body is mostly chunk extensions")


async def test_unfinished_bodies_of_the_whole_process_are_bounded(serving):
    server = await serving(IngestHttpOptions(body_bytes_max=100_000, bodies_bytes_max=150_000))
    first, second = await server.connect(), await server.connect()
    begin = HEAD + b"Content-Length: 100000\r\n\r\n"
    await first.send(begin + b" " * 90_000)
    await asyncio.sleep(0.05)
    response = await second.exchange(begin + b" " * 90_000)
    assert response.error == (429, "too many bytes of unfinished bodies; try again")
    assert response.headers["retry-after"] == "1"
    first.writer.close()
    await asyncio.sleep(0.05)
    assert (await server.post(ENTRY + b" " * 99_000)).status == 202


async def test_a_body_cut_off_in_the_middle_is_400_and_nothing_of_it_is_kept(server):
    peer = await server.connect()
    await peer.send(HEAD + b"Content-Length: 100\r\n\r\n" + ENTRY)
    peer.writer.write_eof()
    assert (await peer.response()).error == (400, "the request ended in the middle of its body")
    assert await peer.ended()
    assert await server.accepted() == 0


async def test_a_peer_that_half_closes_after_its_request_still_gets_the_answer(server):
    peer = await server.connect()
    await peer.send(HEAD + b"Content-Length: 19\r\n\r\n" + ENTRY)
    peer.writer.write_eof()
    assert (await peer.response()).status == 202
    assert await peer.ended()


async def test_a_slow_head_is_408(serving):
    server = await serving(IngestHttpOptions(head_timeout_seconds=0.1, sweep_seconds=0.05))
    peer = await server.connect()
    await peer.send(b"POST /api/logs HTTP/1.1\r\n")
    response = await peer.response()
    assert response.error == (408, "the request head took longer than 0.1 s")
    assert response.headers["connection"] == "close"


async def test_a_stalled_body_is_408(serving):
    server = await serving(IngestHttpOptions(body_timeout_seconds=0.1, sweep_seconds=0.05))
    peer = await server.connect()
    response = await peer.exchange(HEAD + b"Content-Length: 100\r\n\r\n" + ENTRY)
    assert response.error == (408, "the request body stalled for 0.1 s or came too slowly")
    assert [event.reason for event in server.telemetry.of(ConnectionClosed)] in ([], ["slow_body"])


async def test_a_body_that_drips_is_408(serving):
    server = await serving(IngestHttpOptions(body_timeout_seconds=0.3, sweep_seconds=0.05))
    peer = await server.connect()
    await peer.send(HEAD + b"Content-Length: 100\r\n\r\n")

    async def drip():
        for _ in range(50):
            await peer.send(b" ")
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    assert (await peer.response()).status == 408
    dripping.cancel()


async def test_bodies_one_after_another_without_a_pause_are_not_taken_for_one_slow_body(serving):
    server = await serving(IngestHttpOptions(body_timeout_seconds=0.2, sweep_seconds=0.02))
    peer = await server.connect()
    request = HEAD + b"Content-Length: 1000\r\n\r\n" + ENTRY + b" " * 981
    await peer.send(request[:500])
    for _ in range(20):  # every read ends in the middle of a body
        await peer.send(request[500:] + request[:500])
        assert (await peer.response()).status == 202
        await asyncio.sleep(0.02)


async def test_an_idle_connection_is_closed(serving):
    server = await serving(IngestHttpOptions(idle_timeout_seconds=0.1, sweep_seconds=0.05))
    peer = await server.connect()
    await peer.exchange(HEAD + b"Content-Length: 19\r\n\r\n" + ENTRY)
    assert await peer.ended()
    assert [event.reason for event in server.telemetry.of(ConnectionClosed)] == ["idle"]


async def test_a_reader_that_does_not_read_is_cut_off(serving):
    options = IngestHttpOptions(write_timeout_seconds=0.2, sweep_seconds=0.05, write_bytes_max=1_000)
    server = await serving(options)
    peer = await server.connect()
    peer.reader._transport.pause_reading()
    flood = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 20_000
    with pytest.raises((ConnectionError, TimeoutError)):
        async with asyncio.timeout(60):
            while True:
                await peer.send(flood)
                await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert [event.reason for event in server.telemetry.of(ConnectionClosed)] == ["slow_reader"]
    assert (await server.post(ENTRY)).status == 202


async def test_connections_beyond_the_limit_get_503_and_are_closed(serving):
    server = await serving(IngestHttpOptions(connections_max=4))
    peers = [await server.connect() for _ in range(4)]
    await peers[3].exchange(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    one_more = await server.connect()
    response = await one_more.response()
    assert response.error == (503, "this process has its 4 connections already")
    assert response.headers["retry-after"] == "1"
    peers[0].writer.close()
    one_more.writer.close()
    await asyncio.sleep(0.05)
    assert (await server.post(ENTRY)).status == 202


async def test_connections_of_one_address_are_bounded(serving):
    server = await serving(IngestHttpOptions(connections_per_address_max=1))
    await (await server.connect()).exchange(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await (await server.connect()).response()).error == (503, "your address has its 1 connections already")


BOMBS = {
    "gzip": lambda: gzip.compress(bytes(100 << 20), 1),
    "deflate": lambda: zlib.compress(bytes(100 << 20), 1),
    "zstd": lambda: zstd.compress(bytes(200 << 20)),
    "lz4": lambda: lz4.frame.compress(bytes(100 << 20)),
    "snappy": lambda: bytes(cramjam.snappy.compress_raw(bytes(50 << 20))),
}


@pytest.mark.parametrize("encoding", BOMBS)
async def test_a_bomb_is_413_and_cheap(server, encoding):
    bomb = BOMBS[encoding]()
    began = time.process_time()
    response = await server.post(bomb, {"Content-Encoding": encoding})
    assert time.process_time() - began < 0.1
    assert response.error == (413, "the body is larger than 16777216 bytes after decompression")


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "zstd", "lz4", "snappy"])
async def test_a_compressed_body_is_read(server, encoding):
    compress = {
        "deflate": zlib.compress,
        "zstd": zstd.compress,
        "lz4": lz4.frame.compress,
        "snappy": lambda data: bytes(cramjam.snappy.compress(data)),
    }.get(encoding, gzip.compress)
    response = await server.post(compress(ENTRY + b"\n" + ENTRY), {"Content-Encoding": encoding})
    assert (response.status, response.json["accepted"]) == (202, 2)


async def test_a_broken_compressed_body_is_400(server):
    whole = gzip.compress(ENTRY)
    response = await server.post(whole[:-4], {"Content-Encoding": "gzip"})
    assert response.error == (400, f"the gzip body is cut off: it ends after {len(whole) - 4} bytes, before its end mark")
    response = await server.post(whole + b"garbage", {"Content-Encoding": "gzip"})
    assert response.status == 400
    assert response.json["error"]["message"].startswith(f"the gzip body is broken near byte {len(whole)}")


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "gzip,zstd", "compress"])
async def test_an_unknown_or_nested_encoding_is_415(server, encoding):
    response = await server.post(gzip.compress(ENTRY), {"Content-Encoding": encoding})
    message = f"content encoding '{encoding}' is not one we read; send one of gzip, deflate, zstd, snappy, lz4, once"
    assert response.error == (415, message)
    assert response.json["error"]["field"] == "Content-Encoding"


async def test_an_encoding_given_twice_is_415(server):
    peer = await server.connect()
    twice = HEAD + b"Content-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\na"
    assert (await peer.exchange(twice)).status == 415


async def test_what_is_refused_before_a_door_sees_it_is_counted_by_its_reason(serving):
    server = await serving(options=IngestHttpOptions(body_bytes_max=100))
    for path in ("/api/logs", "/api/logs", "/v1/logs", "/loki/api/v1/push"):  # the second head is known by its bytes
        assert (await server.post(ENTRY, {"Content-Type": "text/html"}, path)).status == 415
    assert (await server.post(b" " * 101)).status == 413
    assert (await refused(server, CHUNKED + b"65\r\n" + b" " * 101 + b"\r\n0\r\n\r\n"))[0] == 413
    reasons = [event.reason for event in server.telemetry.of(RequestRejected)]
    assert reasons == ["unsupported_media_type"] * 4 + ["too_large"] * 2
