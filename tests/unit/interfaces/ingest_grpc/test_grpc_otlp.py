"""OTLP over gRPC, with the OpenTelemetry SDK of Python as applications use it."""

import asyncio
import logging
import warnings

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from tests.unit.interfaces.ingest_grpc.conftest import Serve, Server, details, failed
from tests.unit.interfaces.ingest_grpc.test_grpc_ingest import FailingBuffer
from zero.domain.entry import Level
from zero.domain.errors import BufferUnavailable

RESOURCE = {"service.name": "shop", "host.name": "web-1", "deployment.environment.name": "test", "team": "blue"}


def records(*bodies: str) -> logs_service_pb2.ExportLogsServiceRequest:
    request = logs_service_pb2.ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for body in bodies:
        record = scope.log_records.add(severity_number=17)
        if body:
            record.body.string_value = body
    return request


async def export(server: Server, request, **more):
    stub = logs_service_pb2_grpc.LogsServiceStub(server.channel())
    return await stub.Export(request, timeout=60, **more)


def send_with_sdk(address: str, compression: grpc.Compression) -> bool:
    """Log one warning through the SDK; whether it was exported before the time was up."""
    exporter = OTLPLogExporter(endpoint=address, insecure=True, timeout=60, compression=compression)
    provider = LoggerProvider(resource=Resource(RESOURCE))
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from opentelemetry.sdk._logs import LoggingHandler

        handler = LoggingHandler(logger_provider=provider)
    logger = logging.Logger("checkout", logging.INFO)
    logger.addHandler(handler)
    logger.warning("card %s declined", "4242", extra={"order": 7, "amount": 9.5})
    return provider.force_flush() and provider.shutdown() is None


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_a_log_of_the_sdk_arrives_field_by_field(server: Server, compression: grpc.Compression) -> None:
    assert await asyncio.to_thread(send_with_sdk, server.address, compression)
    (entry,) = server.entries()
    assert (entry.message, entry.level, entry.app_id) == ("card 4242 declined", Level.WARN, "shop")
    assert (entry.source, entry.environment) == ("web-1", "test")
    assert entry.metadata["order"] == 7
    assert entry.metadata["amount"] == 9.5
    assert entry.metadata["team"] == "blue"


async def test_all_accepted_is_an_empty_response(server: Server) -> None:
    answer = await export(server, records("one", "two"))
    assert not answer.HasField("partial_success")
    assert [entry.message for entry in server.entries()] == ["one", "two"]


async def test_no_records_at_all_is_a_success(server: Server) -> None:
    assert not (await export(server, records())).HasField("partial_success")


async def test_rejected_records_are_a_partial_success(server: Server) -> None:
    answer = await export(server, records("one", "", "x" * 300_000))
    assert answer.partial_success.rejected_log_records in (1, 2)
    assert "record 2" in answer.partial_success.error_message


async def test_bytes_that_are_no_request_are_invalid(server: Server) -> None:
    call = server.channel().unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call(b"\xff\xff", timeout=60)
    assert failed(error)[0] is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_sdk_waits_as_told_and_sends_again_when_the_buffer_is_back(serving: Serve) -> None:
    buffer = FailingBuffer(BufferUnavailable("away", retry_after_seconds=0.3))
    server = await serving(buffer=buffer)
    sending = asyncio.create_task(asyncio.to_thread(send_with_sdk, server.address, grpc.Compression.NoCompression))
    await asyncio.sleep(0.5)
    buffer.error = None
    assert await sending
    assert [entry.message for entry in server.entries()] == ["card 4242 declined"]


async def test_an_unavailable_buffer_carries_retry_info(serving: Serve) -> None:
    server = await serving(buffer=FailingBuffer(BufferUnavailable("away")))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await export(server, records("one"))
    assert failed(error)[0] is grpc.StatusCode.UNAVAILABLE
    assert "google.rpc.RetryInfo" in details(error)
