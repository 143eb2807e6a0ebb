"""Stopping: what is in flight is answered, what is idle is closed, and nothing takes longer than it may."""

import asyncio
import time

import pytest

from zero.domain.errors import BufferUnavailable, Overloaded
from zero.infrastructure.memory import ManualClock, MemoryBuffer

pytestmark = pytest.mark.timed
ENTRY = b'{"message":"hello"}'
REQUEST = b"POST /api/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 19\r\n\r\n" + ENTRY


class GatedBuffer(MemoryBuffer):
    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def append(self, appends):
        await self.gate.wait()
        if self.error:
            raise self.error
        return await super().append(appends)


async def test_requests_in_flight_are_answered_and_their_connections_closed(serving):
    buffer = GatedBuffer()
    server = await serving(buffer=buffer)
    idle, busy = await server.connect(), await server.connect()
    await idle.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    await idle.response()
    await busy.send(REQUEST + REQUEST)
    await asyncio.sleep(0.05)
    server.stop.set()
    assert await idle.ended()
    buffer.gate.set()
    first, last = await busy.response(), await busy.response()
    assert (first.status, last.status) == (202, 202)
    assert "connection" not in first.headers
    assert last.headers["connection"] == "close"
    assert await busy.ended()
    await server.task
    assert await server.accepted() == 2


async def test_nothing_connects_after_the_stop(server):
    server.stop.set()
    await server.task
    with pytest.raises(ConnectionRefusedError):
        await server.connect()


async def test_a_request_that_never_ends_does_not_hold_up_the_stop(server):
    peer = await server.connect()
    await peer.send(REQUEST[:40])
    await asyncio.sleep(0.05)
    began = time.monotonic()
    server.stop.set()
    await server.task
    assert time.monotonic() - began < 2.5
    assert await peer.ended()


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(BufferUnavailable("gone"), 503, "buffer_unavailable"), (Overloaded("full"), 429, "overloaded")],
)
async def test_a_buffer_that_does_not_take_it_says_so_with_retry_after(serving, error, status, code):
    buffer = GatedBuffer()
    buffer.error = error
    buffer.gate.set()
    server = await serving(buffer=buffer)
    response = await server.post(ENTRY)
    assert (response.status, response.json["error"]["code"], response.headers["retry-after"]) == (status, code, "1")
    assert response.json["error"]["message"] == error.message


async def test_a_sender_that_goes_before_the_answer_does_no_harm(serving):
    buffer = GatedBuffer()
    server = await serving(buffer=buffer)
    peer = await server.connect()
    await peer.send(REQUEST)
    await asyncio.sleep(0.05)
    peer.writer.close()
    await asyncio.sleep(0.05)
    buffer.gate.set()
    assert (await server.post(ENTRY)).status == 202
    assert await server.accepted() == 2


async def test_a_key_and_an_acknowledgement_travel_in_headers(server):
    first = await server.post(ENTRY, {"Idempotency-Key": "k-1"})
    again = await server.post(ENTRY, {"Idempotency-Key": "k-1"})
    assert (first.status, again.status) == (202, 202)
    assert again.json == first.json
    other = await server.post(b'{"message":"another"}', {"Idempotency-Key": "k-1"})
    assert other.error[0] == 422
    assert "Idempotency-Key was used before" in other.error[1]
    assert other.json["error"]["field"] == "Idempotency-Key"
    assert (other.json["error"]["code"], other.headers.get("retry-after")) == ("idempotency_key_reused", None)
    assert (await server.post(ENTRY, {"Zero-Ack": "durable"})).json["ack"] == "durable"
    assert (await server.post(ENTRY, {"Zero-Ack": "fast"})).error == (400, "Zero-Ack must be 'durable' or 'stored'")
    response = await server.post(ENTRY, {"Idempotency-Key": "a b"})
    assert response.error == (400, "Idempotency-Key must be 1 to 255 visible ASCII characters")
    assert response.json["error"]["field"] == "Idempotency-Key"
    assert await server.accepted() == 2
