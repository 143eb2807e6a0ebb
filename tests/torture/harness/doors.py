"""One client for each way in; each tells what a sender may conclude from the answer, or from there being none."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import grpc
import grpc.aio
import httpx
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from tests.torture.harness.entries import Entry, as_json, as_log_batch, as_otlp

ANSWER_SECONDS_MAX = 15.0
IDLE_SECONDS_MAX = 5.0


class Told(Enum):
    """What a sender may conclude."""

    ACCEPTED = "accepted"
    LATER = "later"  # refused before anything was done: 429, RESOURCE_EXHAUSTED
    NEVER_SENT = "never sent"  # there was no connection
    UNKNOWN = "unknown"  # 503, UNAVAILABLE, a connection that broke, silence
    WRONG = "wrong"  # an answer that the platform must not give to a correct request


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``status`` is 0 when nothing did; ``retry_after`` whether it said when to come again."""

    told: Told
    status: int
    seconds: float
    detail: str = ""
    retry_after: bool = False


class Door(Protocol):
    """A way in."""

    name: str

    def body(self, entries: list[Entry]) -> bytes:
        """Return the entries as they travel."""
        ...

    async def send(self, body: bytes, key: str | None) -> Answer:
        """Send once."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class HttpDoor:
    """JSON at ``/api/logs`` or OTLP at ``/v1/logs``, over HTTP/1.1 or HTTP/2 with prior knowledge."""

    def __init__(self, name: str, url: str, key: str = "", http2: bool = False, otlp: bool = False) -> None:
        self.name = name
        self._otlp = otlp
        self._url = f"{url}/v1/logs" if otlp else f"{url}/api/logs"
        self._type = "application/x-protobuf" if otlp else "application/json"
        limits = httpx.Limits(max_connections=64, keepalive_expiry=IDLE_SECONDS_MAX)
        self._client = httpx.AsyncClient(
            http1=not http2, http2=http2, limits=limits, timeout=ANSWER_SECONDS_MAX, trust_env=False, headers=shown(key)
        )

    def body(self, entries: list[Entry]) -> bytes:
        return as_otlp(entries) if self._otlp else as_json(entries)

    async def send(self, body: bytes, key: str | None) -> Answer:
        headers = {"Content-Type": self._type} | ({"Idempotency-Key": key} if key else {})
        begun = time.monotonic()
        try:
            answer = await self._client.post(self._url, content=body, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Answer(Told.NEVER_SENT, 0, time.monotonic() - begun, repr(error))
        except (httpx.HTTPError, OSError, RuntimeError) as error:
            return Answer(Told.UNKNOWN, 0, time.monotonic() - begun, repr(error))
        seconds, status = time.monotonic() - begun, answer.status_code
        told = self._told(answer)
        return Answer(told, status, seconds, answer.text[:300], "retry-after" in answer.headers)

    def _told(self, answer: httpx.Response) -> Told:
        if answer.is_success:
            return Told.ACCEPTED if self._whole(answer) else Told.WRONG
        return {429: Told.LATER, 503: Told.UNKNOWN}.get(answer.status_code, Told.WRONG)

    def _whole(self, answer: httpx.Response) -> bool:
        if self._otlp:
            return not ExportLogsServiceResponse.FromString(answer.content).partial_success.rejected_log_records
        return answer.json()["rejected"] == 0

    async def close(self) -> None:
        await self._client.aclose()


class GrpcDoor:
    """``LogBatch`` at our own service, or OTLP at its own."""

    def __init__(self, name: str, address: str, key: str = "", otlp: bool = False) -> None:
        self.name = name
        self._otlp = otlp
        self._shown = tuple((field.lower(), value) for field, value in shown(key).items())
        options = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]
        self._channel = grpc.aio.insecure_channel(address, [*options, ("grpc.use_local_subchannel_pool", 1)])
        service = "opentelemetry.proto.collector.logs.v1.LogsService/Export" if otlp else "zero.v1.LogService/IngestLogs"
        self._call = self._channel.unary_unary(f"/{service}")

    def body(self, entries: list[Entry]) -> bytes:
        return as_otlp(entries) if self._otlp else as_log_batch(entries)

    async def send(self, body: bytes, key: str | None) -> Answer:
        metadata = (*self._shown, ("idempotency-key", key)) if key else self._shown
        begun = time.monotonic()
        try:
            found = await self._call(body, timeout=ANSWER_SECONDS_MAX, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            seconds, code = time.monotonic() - begun, error.code()
            later = any(field == "grpc-status-details-bin" for field, _ in error.trailing_metadata() or ())
            return Answer(_GRPC.get(code, Told.WRONG), code.value[0], seconds, f"{code.name}: {error.details()}"[:300], later)
        told = Told.ACCEPTED
        if self._otlp and ExportLogsServiceResponse.FromString(found).partial_success.rejected_log_records:
            told = Told.WRONG
        return Answer(told, 200, time.monotonic() - begun)

    async def close(self) -> None:
        await self._channel.close()


_GRPC = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: Told.LATER,
    grpc.StatusCode.UNAVAILABLE: Told.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED: Told.UNKNOWN,
    grpc.StatusCode.CANCELLED: Told.UNKNOWN,
}


class EitherDoor:
    """One way in at several hosts, by turns, as a balancer does it: a try that is repeated is repeated at another host."""

    def __init__(self, doors: Sequence[Door]) -> None:
        self.name = doors[0].name
        self._doors = doors
        self._at = 0

    def body(self, entries: list[Entry]) -> bytes:
        return self._doors[0].body(entries)

    async def send(self, body: bytes, key: str | None) -> Answer:
        door = self._doors[self._at % len(self._doors)]
        self._at += 1
        return await door.send(body, key)

    async def close(self) -> None:
        for door in self._doors:
            await door.close()


def all_doors(http_url: str, grpc_address: str, key: str = "") -> list[Door]:
    """Return one client for each door; ``key`` is the API key that they show."""
    return [
        HttpDoor("http1", http_url, key),
        HttpDoor("http2", http_url, key, http2=True),
        HttpDoor("otlp-http", http_url, key, otlp=True),
        GrpcDoor("grpc", grpc_address, key),
        GrpcDoor("otlp-grpc", grpc_address, key, otlp=True),
    ]


def shown(key: str) -> dict[str, str]:
    """Return the header that shows an API key; none without one."""
    return {"Authorization": f"Bearer {key}"} if key else {}
