"""Searching, health and reflection, as grpcio clients see them."""

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.unit.interfaces.ingest_grpc.conftest import Serve, Server, batch, failed
from zero.domain.entry import Level, LogEntry
from zero.domain.errors import BufferUnavailable, StoreUnavailable
from zero.domain.stored import StoredEntry
from zero.infrastructure.memory import ManualClock, MemoryBuffer
from zero.infrastructure.system.clock import SystemClock

METADATA = {"text": "a", "int": -3, "uint": (1 << 63) + 1, "float": 0.5, "bool": True}


def fill(server: Server, count: int, tenant: str = "default") -> None:
    now = SystemClock().now_ns()
    for number in range(count):
        entry = LogEntry(f"log {number}", now - number, Level.ERROR, "shop" if number % 2 else "web", metadata=METADATA)
        server.reader.stored.append((tenant, StoredEntry(7, number, entry)))


async def test_a_search_streams_what_matches_newest_first_over_many_pages(server: Server) -> None:
    fill(server, 500)
    found = await server.search(query="app_id:web", limit=240)
    assert [log.entry.message for log in found] == [f"log {number}" for number in range(0, 480, 2)]


async def test_an_entry_comes_back_with_its_id_and_every_kind_of_metadata(server: Server) -> None:
    fill(server, 1)
    (log,) = await server.search()
    values = {item.key: getattr(item.value, item.value.WhichOneof("kind")) for item in log.entry.metadata}
    assert (log.id, log.entry.level, log.entry.app_id) == ("000000000000000700000000", Level.ERROR, "web")
    assert values == METADATA
    assert {item.key: item.value.WhichOneof("kind") for item in log.entry.metadata} == {kind: kind for kind in METADATA}


async def test_an_application_is_read_page_by_page(server: Server) -> None:
    fill(server, 10)
    first = await server.ask("GetLogsByAppId", app_id="shop", limit=3)
    rest = await server.ask("GetLogsByAppId", app_id="shop", limit=3, cursor=first.next_cursor)
    assert [log.entry.message for log in (*first.logs, *rest.logs)] == ["log 1", "log 3", "log 5", "log 7", "log 9"]
    assert rest.next_cursor == ""


@pytest.mark.parametrize(
    ("rpc", "fields"),
    [
        ("Search", {"query": "("}),
        ("Search", {"limit": 10_001}),
        ("Search", {"levels": ["loud"]}),
        ("Search", {"to": "yesterday-ish"}),
        ("GetLogsByAppId", {}),
        ("GetLogsByAppId", {"app_id": "a", "limit": 1001}),
        ("GetLogsByAppId", {"app_id": "a", "cursor": "x"}),
    ],
)
async def test_a_question_that_cannot_be_meant_is_invalid(server: Server, rpc: str, fields: dict[str, object]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await (server.search(**fields) if rpc == "Search" else server.ask(rpc, **fields))
    assert failed(error)[0] is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_request_that_is_no_message_is_invalid(server: Server) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await server.channel().unary_unary("/zero.v1.LogService/GetLogsByAppId")(b"\xff\xff", timeout=60)
    assert failed(error)[0] is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_store_that_is_away_is_unavailable(server: Server) -> None:
    server.reader.failure = StoreUnavailable("the store is away")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await server.search()
    assert failed(error) == (grpc.StatusCode.UNAVAILABLE, "the store is away")


async def test_a_client_that_stops_reading_ends_its_search(server: Server) -> None:
    fill(server, 2000)
    call = server.channel().unary_stream("/zero.v1.LogService/Search")(b"\x30\x90\x4e", timeout=60)
    assert await call.read() is not grpc.aio.EOF
    call.cancel()
    assert len(await server.search(limit=5)) == 5


async def test_the_health_check_says_what_an_acknowledgement_means(server: Server) -> None:
    answer = await server.ask("HealthCheck")
    assert (answer.ready, answer.durability, answer.detail) == (True, "relaxed", "kept in memory")


class AbsentBuffer(MemoryBuffer):
    """A buffer that does not answer."""

    async def durability(self):
        raise BufferUnavailable("the buffer is away")


async def test_the_standard_health_service_follows_readiness(serving: Serve) -> None:
    for buffer, state in ((None, "SERVING"), (AbsentBuffer(ManualClock()), "NOT_SERVING")):
        stub = health_pb2_grpc.HealthStub((await serving(buffer=buffer)).channel())
        for name in ("", "zero.v1.LogService", "opentelemetry.proto.collector.logs.v1.LogsService"):
            async with asyncio.timeout(60):
                answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
            assert health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status) == state
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stub.Check(health_pb2.HealthCheckRequest(service="nobody"))
        assert failed(error)[0] is grpc.StatusCode.NOT_FOUND


async def test_reflection_describes_every_service(server: Server) -> None:
    def ask():
        with grpc.insecure_channel(server.address) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            file = database.FindFileContainingSymbol("zero.v1.LogService")
            return set(database.get_services()), {method.name for method in file.service[0].method}

    services, methods = await asyncio.to_thread(ask)
    assert methods == {"IngestLogs", "IngestStream", "GetLogsByAppId", "Search", "HealthCheck"}
    assert services == {
        "zero.v1.LogService",
        "opentelemetry.proto.collector.logs.v1.LogsService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


async def test_an_unknown_method_is_unimplemented(server: Server) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await server.channel().unary_unary("/zero.v1.LogService/Erase")(batch("x"), timeout=60)
    assert failed(error)[0] is grpc.StatusCode.UNIMPLEMENTED
