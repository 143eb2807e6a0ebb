"""What is too large, too slow, too many or no HTTP at all, on real connections to the api."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from tests.patience import READY_SECONDS_MAX
from zero.interfaces.api.options import ApiOptions
from zero.interfaces.api.server import serve

pytestmark = pytest.mark.timed
PATIENT = ApiOptions()
QUICK = replace(PATIENT, head_seconds_max=0.3, body_seconds_max=0.3, read_seconds_max=0.3)
HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
GET = HEAD + b"\r\n"
POST = b"POST /api/keys HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


class Peer:
    """A connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self.body = b""

    @property
    def error(self) -> dict[str, str]:
        """What the last answer says is wrong."""
        found: dict[str, str] = json.loads(self.body)["error"]
        return found

    async def send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def status(self, data: bytes = b"") -> int:
        """Send, and return the status of the next answer, 0 when the connection ends instead."""
        await self.send(data)
        try:
            async with asyncio.timeout(60):
                head = await self._reader.readuntil(b"\r\n\r\n")
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
                self.body = await self._reader.readexactly(int(fields.get(b"content-length", b"0")))
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        return int(head.split(b" ", 2)[1])

    async def ended(self) -> bool:
        """Whether the connection ends, whatever comes before."""
        async with asyncio.timeout(60):
            with contextlib.suppress(ConnectionError):
                while await self._reader.read(65_536):
                    pass
        return True


Connect = Callable[[], Awaitable[Peer]]


@pytest.fixture
async def serving(api) -> AsyncIterator[Callable[[ApiOptions], Connect]]:
    """Starts the api with the options; returns what connects to it."""
    with contextlib.ExitStack() as stack:
        stops: list[tuple[asyncio.Event, asyncio.Task[None]]] = []
        peers: list[Peer] = []

        def start(options: ApiOptions) -> Connect:
            sock = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            stop = asyncio.Event()
            stops.append((stop, asyncio.create_task(serve(api.services, options, [sock], stop))))

            async def connect() -> Peer:
                peers.append(Peer(*await asyncio.open_connection("127.0.0.1", sock.getsockname()[1])))
                return peers[-1]

            return connect

        yield start
        for peer in peers:
            peer.writer.close()
        for stop, task in stops:
            stop.set()
            await asyncio.wait_for(task, 60)


@pytest.mark.parametrize("sent", [b"", b"GET /hea", HEAD, HEAD + b"X: "], ids=["nothing", "a target", "a field", "a name"])
async def test_a_head_that_does_not_come_to_its_end_is_not_waited_for(serving, sent):
    connect = serving(QUICK)
    peer = await connect()
    await peer.send(sent)
    assert await peer.ended()
    assert await (await connect()).status(GET) == 200


async def test_a_head_that_drips_has_as_long_as_any_other(serving):
    peer = await serving(QUICK)()

    async def drip() -> None:
        await peer.send(HEAD)
        while True:
            await peer.send(b"X: a\r\n")
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    assert await peer.ended()
    dripping.cancel()


async def test_the_second_head_of_a_connection_has_its_own_time_and_no_more(serving):
    peer = await serving(QUICK)()
    assert await peer.status(GET) == 200
    assert await peer.status(GET) == 200
    await peer.send(HEAD)
    assert await peer.ended()


async def test_a_body_that_does_not_come_to_its_end_is_not_waited_for(serving):
    peer = await serving(QUICK)()
    await peer.send(POST + b"Content-Length: 100\r\n\r\n{")
    assert await peer.ended()


async def test_an_answer_that_nobody_reads_ends_the_connection(serving, api):
    for number in range(20):
        api.store("x" * 200_000, 0, number)
    connect = serving(QUICK)
    peer = await connect()
    peer.writer.transport.pause_reading()
    await peer.send(b"GET /api/logs?limit=20 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10)
    await asyncio.sleep(1)
    assert await (await connect()).status(GET) == 200
    peer.writer.transport.resume_reading()
    assert await peer.ended()


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"X: " + b"a" * 40_000 + b"\r\n\r\n",
        HEAD + b"X: " + b"a" * 40_000,
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /" + b"a" * 40_000,
        HEAD + b"a:\r\n" * 2_000 + b"\r\n",
        HEAD + b"".join(b"x-%d: %b\r\n" % (number, b"a" * 1000) for number in range(40)),
    ],
    ids=["a field", "a field without end", "a target", "a target without end", "many fields", "many that do not end"],
)
async def test_a_head_beyond_32_kib_is_431(serving, head):
    connect = serving(PATIENT)
    peer = await connect()
    assert await peer.status(head) == 431
    assert peer.error["code"] == "head_too_large"
    assert await (await connect()).status(GET) == 200


async def test_fields_behind_a_chunked_body_are_no_part_of_the_head_and_have_a_bound(serving):
    connect = serving(PATIENT)
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    assert await (await connect()).status(chunked + b"X: a\r\n\r\n") == 200
    peer = await connect()
    await peer.send(chunked + b"X: a\r\n" * 2_000 + b"\r\n")
    assert await peer.ended()


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na",
        POST + b"Content-Length: +1\r\n\r\na",
        POST + b"Content-Length: 18446744073709551616\r\n\r\n",
        POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\na\r\n0\r\n\r\n",
        POST + b"X: a\r\n folded\r\nContent-Length: 1\r\n\r\na",
        POST + b"X : a\r\nContent-Length: 1\r\n\r\na",
        POST + b"X: a\x00b\r\nContent-Length: 1\r\n\r\na",
        POST + b"X: a\nContent-Length: 1\r\n\r\na",
        POST.replace(b"\r\n", b"\n") + b"Content-Length: 1\n\na",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_could_smuggle_a_request_is_400_and_the_end_of_the_connection(serving, request_):
    connect = serving(PATIENT)
    peer = await connect()
    assert await peer.status(request_) == 400
    assert peer.error == {"code": "bad_request", "message": "Invalid HTTP request received."}
    assert await peer.ended()
    assert await (await connect()).status(GET) == 200


async def test_requests_sent_ahead_have_a_bound(serving):
    connect = serving(PATIENT)
    peer = await connect()
    await peer.send(GET * 2_000)
    assert await peer.ended()
    peer = await connect()
    await peer.send(GET * 10)
    assert [await peer.status() for _ in range(10)] == [200] * 10


async def test_of_too_many_connections_the_one_that_waits_longest_is_closed(serving):
    connect = serving(replace(PATIENT, connections_max=5))
    first, *silent = [await connect() for _ in range(5)]
    assert await silent[-1].status(GET) == 200
    assert await (await connect()).status(GET) == 200
    assert await first.ended()
    assert [await peer.status(GET) for peer in silent] == [200] * 4


async def test_a_body_after_its_answer_leaves_no_connection_open(serving: Callable[[ApiOptions], Connect]) -> None:
    peer = await serving(QUICK)()
    assert await peer.status(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n") in (401, 403, 404, 405)
    await peer.send(b"12345")
    assert await peer.ended()


async def test_an_endless_trailer_is_not_kept(serving: Callable[[ApiOptions], Connect]) -> None:
    peer = await serving(replace(PATIENT, body_seconds_max=50))()
    await peer.send(POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: ")
    for _ in range(64):
        await peer.send(b"a" * 65_536)
    assert await peer.ended()


async def test_connections_whose_bodies_do_not_come_make_room(serving: Callable[[ApiOptions], Connect]) -> None:
    connect = serving(replace(PATIENT, connections_max=5, body_seconds_max=600))
    slow = [await connect() for _ in range(5)]
    for peer in slow:
        await peer.send(POST + b"Content-Length: 5\r\n\r\n{")
    assert await slow[-1].status(b"}   ") != 0  # all are there by now
    assert await (await connect()).status(GET) == 200
    assert await slow[0].ended()


async def test_connections_that_do_not_read_make_room(serving: Callable[[ApiOptions], Connect], api) -> None:
    for number in range(20):
        api.store("x" * 200_000, 0, number)
    connect = serving(replace(PATIENT, connections_max=1, read_seconds_max=600))
    peer = await connect()
    peer.writer.transport.pause_reading()
    await peer.send(b"GET /api/logs?limit=20 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10)
    async with asyncio.timeout(READY_SECONDS_MAX):
        while await (await connect()).status(GET) != 200:  # noqa: ASYNC110 - until the answers fill the kernel's room
            await asyncio.sleep(0.05)
    peer.writer.transport.resume_reading()
    assert await peer.ended()


async def test_what_is_no_request_is_no_line_in_the_log(serving: Callable[[ApiOptions], Connect], caplog) -> None:
    connect = serving(PATIENT)
    for sent in (b"nonsense\r\n\r\n", HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"):
        await (await connect()).status(sent)
    assert not caplog.records
