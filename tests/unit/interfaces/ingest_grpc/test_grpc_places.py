"""RPCs that take long keep no place from senders: watchers, questions that do not come, answers that nobody reads."""

import asyncio
import contextlib
import time
from dataclasses import replace

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes

from tests.patience import READY_SECONDS_MAX
from tests.unit.interfaces.ingest_grpc.conftest import LOG_SERVICE, batch
from zero.interfaces.ingest_grpc.options import IngestGrpcOptions

pytestmark = pytest.mark.timed
FEW = IngestGrpcOptions(
    rpcs_max=4,
    slow_reads_max=1,
    slow_reads_per_tenant_max=1,
    streams_max=1,
    streams_per_tenant_max=1,
    open_streams_max=1,
    open_questions_max=1,
    read_timeout_seconds=0.5,
    ready_look_seconds=0.1,
)
CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


async def sent(server) -> int:
    """Send a batch until there is a place for it; returns what was accepted."""
    until = time.monotonic() + READY_SECONDS_MAX
    while True:
        try:
            return (await server.ingest(batch("hello"))).accepted
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and time.monotonic() < until
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def unread(server, path: str, message: bytes, calls: int):
    """Make calls whose answers have no room: the window of every stream is shut."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    peer = H2Connection(H2Configuration(client_side=True))
    peer.initiate_connection()
    peer.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
    head = [(":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", path), ("te", "trailers")]
    for _ in range(calls):
        stream = peer.get_next_available_stream_id()
        peer.send_headers(stream, [*head, ("content-type", "application/grpc")])
        peer.send_data(stream, b"\0" + len(message).to_bytes(4, "big") + message, end_stream=True)
    writer.write(peer.data_to_send())
    await writer.drain()
    peer.receive_data(await reader.read(65_536))
    writer.write(peer.data_to_send())  # the server's settings are agreed to, or it would end the connection
    try:
        yield
    finally:
        writer.close()


async def test_streams_that_never_end_have_few_places_and_leave_the_others_to_senders(serving):
    server = await serving(options=FEW)
    calls = [server.channel().unary_stream(WATCH)(b"") for _ in range(4)]
    ended = asyncio.as_completed([call.code() for call in calls])
    assert [await next(ended) for _ in range(3)] == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 3
    assert await sent(server) == 1
    assert sum(call.done() for call in calls) == 3
    for call in calls:
        call.cancel()
    assert {await code for code in ended} == {grpc.StatusCode.CANCELLED}


async def test_questions_about_health_that_never_come_end(serving):
    server = await serving(options=FEW)
    calls = [server.channel().stream_stream(CHECK)() for _ in range(4)]
    codes = {await call.code() for call in calls}
    assert codes == {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert await sent(server) == 1


@pytest.mark.parametrize("path", [CHECK, f"/{LOG_SERVICE}/HealthCheck"])
async def test_answers_about_health_that_nobody_reads_leave_the_other_places_to_senders(serving, path):
    server = await serving(options=FEW)
    async with unread(server, path, b"", 4):
        assert await sent(server) == 1


async def test_a_watcher_that_does_not_read_keeps_nobody_from_the_state(serving):
    server = await serving(options=replace(FEW, open_streams_max=2))
    stub = health_pb2_grpc.HealthStub(server.channel())
    async with unread(server, WATCH, b"", 1):
        answers = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await answers.read()).status == health_pb2.HealthCheckResponse.SERVING
        server.stop.set()
        assert (await answers.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert await answers.read() is grpc.aio.EOF
        async with asyncio.timeout(READY_SECONDS_MAX):
            await asyncio.shield(server.task)


@pytest.mark.parametrize("path", [CHECK, WATCH, REFLECTION])
async def test_what_is_no_message_of_its_kind_is_refused_without_a_line_in_the_log(serving, caplog, path):
    server = await serving(options=FEW)
    call = server.channel().stream_stream(path)()
    await call.write(b"\xff\xff")
    assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert not caplog.records
