"""The library ``h2`` as client, which shares no frame, window or stream of ours and checks all that it is told."""

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Callable

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.frame_buffer import FrameBuffer
from h2.settings import SettingCodes

from tests.patience import READY_SECONDS_MAX
from tests.unit.interfaces.ingest_http.test_http_stop import GatedBuffer
from zero.interfaces.ingest_http.options import WINDOW_BYTES_MIN, IngestHttpOptions

ENTRY = b'{"message":"hello"}'
POST = [(":method", "POST"), (":scheme", "http"), (":authority", "zero"), (":path", "/api/logs")]


class LibraryPeer:
    """One connection of ``h2``: it raises where the server breaks a rule, and sends nothing that would break one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reads_bytes: int | None) -> None:
        self._reader, self._writer, self._reads_bytes = reader, writer, reads_bytes
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.events: list[Event] = []
        self.bodies: defaultdict[int, bytes] = defaultdict(bytes)
        self.statuses: dict[int, int] = {}
        self.ended: set[int] = set()
        self.closed = False

    async def greet(self, settings: dict[SettingCodes, int]) -> "LibraryPeer":
        self.h2.initiate_connection()
        if settings:
            self.h2.update_settings(settings)
        await self.until(lambda: self.h2.remote_settings.max_concurrent_streams == IngestHttpOptions().streams_max)
        return self

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(READY_SECONDS_MAX):
            while not condition():
                assert not self.closed, self.events[-3:]
                self.flush()
                data = await self._reader.read(65_536)
                self.closed = not data
                for event in self.h2.receive_data(data):
                    self._take(event)
        self.flush()

    def flush(self) -> None:
        self._writer.write(self.h2.data_to_send())

    def _take(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, ResponseReceived):
            self.statuses[event.stream_id] = int(dict(event.headers)[":status"])
        elif isinstance(event, DataReceived):
            self.bodies[event.stream_id] += event.data
            self._open_windows(event)
        elif isinstance(event, StreamEnded):
            self.ended.add(event.stream_id)

    def _open_windows(self, event: DataReceived) -> None:
        size = event.flow_controlled_length
        if self._reads_bytes is None or event.stream_ended is not None:
            self.h2.acknowledge_received_data(size, event.stream_id)
            return
        for _ in range(0, size, self._reads_bytes):  # one byte at a time, if so wished: each is a frame of its own
            self.h2.increment_flow_control_window(min(self._reads_bytes, size), event.stream_id)

    async def rest(self) -> bytes:
        """Return what comes before the end of the connection."""
        return await self._reader.read()

    def open(self, *more: tuple[str, str], end: bool = False, **priority: object) -> int:
        stream_id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream_id, [*POST, ("content-type", "application/json"), *more], end_stream=end, **priority)
        return stream_id

    async def body(self, stream_id: int, data: bytes, *, end: bool = True) -> None:
        """Send as the windows of the server allow."""
        while data:
            await self.until(lambda: self.h2.local_flow_control_window(stream_id) > 0)
            size = min(self.h2.local_flow_control_window(stream_id), self.h2.max_outbound_frame_size)
            self.h2.send_data(stream_id, data[:size], end_stream=end and size >= len(data))
            data = data[size:]
        self.flush()

    async def answer(self, stream_id: int) -> tuple[int, bytes]:
        await self.until(lambda: stream_id in self.ended)
        return self.statuses[stream_id], self.bodies[stream_id]

    def close(self) -> None:
        self._writer.close()


@pytest.fixture
async def connect(server):
    """Connects clients to the default server, or to another."""
    peers = []

    async def connected(to=None, reads_bytes=None, **settings):
        peers.append(LibraryPeer(*await asyncio.open_connection("127.0.0.1", (to or server).port), reads_bytes))
        return await peers[-1].greet({SettingCodes[name.upper()]: value for name, value in settings.items()})

    yield connected
    for peer in peers:
        peer.close()


async def test_a_hundred_streams_whose_frames_are_interleaved_are_all_answered(server, connect):
    peer = await connect()
    pieces = {peer.open(): [ENTRY[at : at + 3] for at in range(0, len(ENTRY), 3)] for _ in range(100)}
    turns = [stream_id for stream_id, parts in pieces.items() for _ in parts]
    random.Random(7).shuffle(turns)
    for stream_id in turns:
        part = pieces[stream_id].pop(0)
        peer.h2.send_data(stream_id, part, end_stream=not pieces[stream_id])
    answers = [await peer.answer(stream_id) for stream_id in pieces]
    assert {status for status, _ in answers} == {202}
    assert [json.loads(body)["accepted"] for _, body in answers] == [1] * 100
    assert await server.accepted() == 100


@pytest.mark.parametrize("reads_bytes", [1, 7, None])
async def test_replies_come_whole_through_the_smallest_windows(connect, reads_bytes):
    peer = await connect(initial_window_size=reads_bytes or 50, reads_bytes=reads_bytes)
    streams = [peer.open() for _ in range(10)]
    for stream_id in streams:
        await peer.body(stream_id, ENTRY)
    for stream_id in streams:
        status, body = await peer.answer(stream_id)
        assert (status, json.loads(body)["accepted"]) == (202, 1)


async def test_bodies_larger_than_the_windows_of_the_server_arrive_side_by_side(serving, connect):
    options = IngestHttpOptions(stream_window_bytes=WINDOW_BYTES_MIN, connection_window_bytes=WINDOW_BYTES_MIN)
    server = await serving(options=options)
    peer = await connect(server)
    line = ENTRY + b"\n"
    streams = [peer.open() for _ in range(4)]
    for _ in range(5):
        for stream_id in streams:
            await peer.body(stream_id, line * 2_000, end=False)
    for stream_id in streams:
        await peer.body(stream_id, line)
    for stream_id in streams:
        status, body = await peer.answer(stream_id)
        assert (status, json.loads(body)["accepted"]) == (202, 10_001)
    assert await server.accepted() == 4 * 10_001


async def test_padding_priorities_and_trailers_are_read_past(server, connect):
    peer = await connect()
    first = peer.open(priority_weight=200, priority_exclusive=True)
    second = peer.open(priority_weight=3, priority_depends_on=first)
    peer.h2.prioritize(first, weight=1, depends_on=second)
    peer.h2.prioritize(second + 2, weight=256)  # of a stream that is idle yet
    for stream_id in (first, second):
        peer.h2.send_data(stream_id, ENTRY[:4], pad_length=255)
        peer.h2.send_data(stream_id, b"", pad_length=0)
        peer.h2.send_data(stream_id, ENTRY[4:], pad_length=1)
        peer.h2.send_headers(stream_id, [("x-checksum", "1"), ("x-more", "2")], end_stream=True)
    assert [(await peer.answer(stream_id))[0] for stream_id in (second, first)] == [202, 202]
    assert await server.accepted() == 2


async def test_a_head_of_several_frames_is_put_together(server, connect):
    peer = await connect()
    long = "".join(random.Random(7).choices("^~|{}<>", k=12_000))  # what Huffman's code makes longer
    head = [*POST, ("content-type", "application/json"), ("x-long", long)]
    assert len(peer.h2.encoder.encode(head)) > peer.h2.max_outbound_frame_size
    peer = await connect()
    stream_id = peer.open(("x-long", long))
    peer.h2.send_data(stream_id, ENTRY, end_stream=True)
    assert (await peer.answer(stream_id))[0] == 202
    assert await server.accepted() == 1


async def test_settings_that_change_under_way_are_acknowledged_and_heeded(connect):
    peer = await connect(header_table_size=0, enable_push=0)
    for size in (65_535, 20, 100_000):
        peer.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: size, SettingCodes.MAX_FRAME_SIZE: 16_384 + size})
        peer.h2.ping(b"12345678")
        await peer.until(lambda size=size: peer.h2.local_settings.initial_window_size == size)
        stream_id = peer.open()
        await peer.body(stream_id, ENTRY)
        assert (await peer.answer(stream_id))[0] == 202
    assert sum(isinstance(event, PingAckReceived) for event in peer.events) == 3


async def test_a_cancelled_stream_leaves_the_others_alone(server, connect):
    peer = await connect()
    streams = [peer.open() for _ in range(20)]
    for stream_id in streams[::2]:
        peer.h2.reset_stream(stream_id, ErrorCodes.CANCEL)
    for stream_id in streams[1::2]:
        await peer.body(stream_id, ENTRY)
    assert {(await peer.answer(stream_id))[0] for stream_id in streams[1::2]} == {202}
    assert await server.accepted() == 10


async def test_a_stop_says_goaway_answers_what_is_in_flight_and_closes(serving, connect):
    buffer = GatedBuffer()
    server = await serving(buffer=buffer)
    busy, idle = await connect(server), await connect(server)
    streams = [busy.open() for _ in range(3)]
    for stream_id in streams:
        await busy.body(stream_id, ENTRY)
    await asyncio.sleep(0.05)
    server.stop.set()
    for peer in (idle, busy):
        await peer.until(lambda peer=peer: any(isinstance(event, ConnectionTerminated) for event in peer.events))
        (said,) = (event for event in peer.events if isinstance(event, ConnectionTerminated))
        assert said.error_code == ErrorCodes.NO_ERROR
    assert said.last_stream_id == streams[-1]
    buffer.gate.set()
    rest = FrameBuffer()  # the library itself takes nothing more behind a GOAWAY
    rest.max_frame_size = 16_384
    async with asyncio.timeout(READY_SECONDS_MAX):
        rest.add_data(await busy.rest())
    ended = {frame.stream_id for frame in rest if "END_STREAM" in frame.flags}
    assert ended == set(streams)
    for peer in (idle, busy):
        peer.close()
    await server.task
    assert await server.accepted() == 3


async def test_nothing_that_the_library_checks_was_broken(connect):
    """It raises for every frame that may not be sent; here it also sees each kind of answer."""
    peer = await connect()
    heads = {"/nope": 404, "/health": 200, "/metrics": 200, "/api/logs": 405}
    for path, status in heads.items():
        stream_id = peer.h2.get_next_available_stream_id()
        head = [(":method", "GET"), (":scheme", "http"), (":authority", "zero"), (":path", path)]
        peer.h2.send_headers(stream_id, head, end_stream=True)
        assert (await peer.answer(stream_id))[0] == status
    assert not [event for event in peer.events if isinstance(event, StreamReset | ConnectionTerminated)]
