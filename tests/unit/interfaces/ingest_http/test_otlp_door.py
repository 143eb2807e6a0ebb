"""``POST /v1/logs``: what is taken in, and how OTLP is told."""

import gzip
import json
from typing import Any

import pytest
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

from zero.domain.errors import BufferUnavailable, Overloaded
from zero.infrastructure.memory import ManualClock, MemoryBuffer
from zero.infrastructure.native.codec import NativeCodec

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}


def request(*bodies: str) -> ExportLogsServiceRequest:
    message = ExportLogsServiceRequest()
    records = message.resource_logs.add().scope_logs.add().log_records
    for body in bodies:
        records.add().body.string_value = body
    return message


def in_json(*bodies: str) -> bytes:
    records = [{"body": {"stringValue": body}} for body in bodies]
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).encode()


def read(kind: type[Message], body: bytes) -> Any:
    message = kind()
    message.ParseFromString(body)
    return message


@pytest.fixture
async def server(serving):
    return await serving(codec=NativeCodec())


async def test_a_protobuf_request_is_answered_in_protobuf(server):
    answer = await server.post(request("a", "b").SerializeToString(), PROTOBUF, "/v1/logs")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "application/x-protobuf", b"")
    assert await server.accepted() == 2


async def test_a_json_request_is_answered_in_json(server):
    answer = await server.post(in_json("a"), JSON | {"Content-Type": "application/json; charset=utf-8"}, "/v1/logs")
    assert (answer.status, answer.headers["content-type"], answer.json) == (200, "application/json", {})
    assert await server.accepted() == 1


async def test_a_compressed_request_is_read(server):
    body = gzip.compress(request("a").SerializeToString())
    assert (await server.post(body, PROTOBUF | {"Content-Encoding": "gzip"}, "/v1/logs")).status == 200
    assert await server.accepted() == 1


async def test_an_empty_request_is_a_success(server):
    assert (await server.post(b"", PROTOBUF, "/v1/logs")).status == 200
    assert (await server.post(b"{}", JSON, "/v1/logs")).json == {}


async def test_rejected_records_are_a_partial_success_in_both_encodings(server):
    answer = await server.post(request("a", "", "").SerializeToString(), PROTOBUF, "/v1/logs")
    partial = read(ExportLogsServiceResponse, answer.body).partial_success
    assert (answer.status, partial.rejected_log_records) == (200, 2)
    assert partial.error_message.startswith("record 1: message: missing or empty")
    answer = await server.post(in_json("", "b", ""), JSON, "/v1/logs")
    partial = answer.json["partialSuccess"]
    assert (answer.status, partial["rejectedLogRecords"]) == (200, "2")
    assert partial["errorMessage"].count("record") == 2
    assert await server.accepted() == 2


async def test_a_request_of_which_every_record_is_rejected_is_not_to_be_sent_again(server):
    answer = await server.post(in_json(*[""] * 9), JSON, "/v1/logs")
    assert answer.status == 200
    assert answer.json["partialSuccess"]["rejectedLogRecords"] == "9"
    assert answer.json["partialSuccess"]["errorMessage"].endswith("; and 4 more")


async def test_an_unreadable_body_is_a_status_with_400(server):
    answer = await server.post(b"\x0a\x05ab", PROTOBUF, "/v1/logs")
    status = read(Status, answer.body)
    assert (answer.status, status.code) == (400, 3)
    assert status.message == "body is not a valid ExportLogsServiceRequest at byte 0"
    answer = await server.post(b'{"resourceLogs":5}', JSON, "/v1/logs")
    assert (answer.status, answer.json) == (400, {"code": 3, "message": "body is not OTLP/JSON at byte 16"})


async def test_too_many_records_are_a_status_with_413(server):
    answer = await server.post(request(*["m"] * 20_001).SerializeToString(), PROTOBUF, "/v1/logs")
    assert (answer.status, read(Status, answer.body).code) == (413, 3)
    assert await server.accepted() == 0


async def test_what_records_share_cannot_be_blown_up(server):
    message = request(*["m"] * 20_000)
    for number in range(100):
        attribute = message.resource_logs[0].resource.attributes.add(key=f"k{number}")
        attribute.value.string_value = "v" * 1000
    answer = await server.post(message.SerializeToString(), PROTOBUF, "/v1/logs")
    assert answer.status == 413
    assert "share" in read(Status, answer.body).message


async def test_an_unknown_media_type_or_coding_is_a_status_with_415(server):
    answer = await server.post(b"x", {"Content-Type": "text/plain"}, "/v1/logs")
    assert (answer.status, read(Status, answer.body).code) == (415, 3)
    answer = await server.post(b"x", JSON | {"Content-Encoding": "br"}, "/v1/logs")
    assert (answer.status, answer.json["code"]) == (415, 3)


class FailingBuffer(MemoryBuffer):
    def __init__(self, error):
        super().__init__(ManualClock())
        self._error = error

    async def append(self, appends):
        raise self._error


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(BufferUnavailable("gone"), 503, 14), (Overloaded("full"), 429, 8), (RuntimeError("x"), 500, 13)],
)
async def test_what_may_pass_later_is_a_status_that_otlp_calls_retryable(serving, error, status, code):
    server = await serving(codec=NativeCodec(), buffer=FailingBuffer(error))
    answer = await server.post(in_json("a"), JSON, "/v1/logs")
    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.headers.get("retry-after") == ("1" if status != 500 else None)
    answer = await server.post(request("a").SerializeToString(), PROTOBUF, "/v1/logs")
    assert (answer.status, read(Status, answer.body).code) == (status, code)
