"""Every door that takes a body, and how to knock at it with whatever bytes."""

import gzip
import http.client
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import cramjam
import grpc
import lz4.frame
from backports import zstd

from tests.patience import READY_SECONDS_MAX

JSON, PROTOBUF = "application/json", "application/x-protobuf"


@dataclass(frozen=True)
class Door:
    """A path of HTTP and the media type it reads, or a method of gRPC."""

    path: str
    media: str

    def knock(self, port: int, body: bytes, encoding: str = "") -> int:
        """Return the status of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=READY_SECONDS_MAX)
        headers = {"Content-Type": self.media} | ({"Content-Encoding": encoding} if encoding else {})
        try:
            connection.request("POST", self.path, body, headers)
            return connection.getresponse().status
        finally:
            connection.close()


DOORS = {
    "JSON": Door("/api/logs", JSON),
    "LogBatch": Door("/api/logs", PROTOBUF),
    "OTLP": Door("/v1/logs", PROTOBUF),
    "OTLP/JSON": Door("/v1/logs", JSON),
    "bulk": Door("/shop/_bulk", "application/x-ndjson"),
    "Loki": Door("/loki/api/v1/push", PROTOBUF),
    "Loki/JSON": Door("/loki/api/v1/push", JSON),
}
RPCS = {
    "IngestLogs": "/zero.v1.LogService/IngestLogs",
    "IngestStream": "/zero.v1.LogService/IngestStream",
    "Export": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}


def call(port: int, path: str, body: bytes, *metadata: tuple[str, str]) -> grpc.StatusCode:
    """Return the status of an RPC whose message has these bytes."""
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.max_send_message_length", -1)]) as channel:
        try:
            if path.endswith("Stream"):
                channel.stream_unary(path)(iter([body]), timeout=READY_SECONDS_MAX, metadata=metadata)
            else:
                channel.unary_unary(path)(body, timeout=READY_SECONDS_MAX, metadata=metadata)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


def _streamed(compressor: Any, size: int) -> bytes:
    piece = bytes(1 << 20)
    return b"".join(compressor.compress(piece) for _ in range(size >> 20)) + compressor.flush()


def _zstd(size: int, **options: int) -> bytes:
    chosen = {zstd.CompressionParameter[name]: value for name, value in options.items()}
    return _streamed(zstd.ZstdCompressor(options=chosen), size)


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "gzip": ("gzip", lambda: _streamed(zlib.compressobj(wbits=31), 128 << 20)),
    "gzip behind honest gzip": ("gzip", lambda: gzip.compress(b" " * (15 << 20), 1) + bomb("gzip")[1]),
    "gzip of many members": ("gzip", lambda: gzip.compress(b"") * 500_000),
    "zlib": ("deflate", lambda: _streamed(zlib.compressobj(), 128 << 20)),
    "deflate": ("deflate", lambda: _streamed(zlib.compressobj(wbits=-15), 128 << 20)),
    "zstd": ("zstd", lambda: _zstd(2 << 30)),
    "zstd of a wide window": ("zstd", lambda: _zstd(256 << 20, window_log=27)),
    "zstd of many frames": ("zstd", lambda: zstd.compress(b"") * 500_000),
    "lz4": ("lz4", lambda: lz4.frame.compress(bytes(256 << 20))),
    "snappy": ("snappy", lambda: bytes(cramjam.snappy.compress_raw(bytes(128 << 20)))),
    "snappy in frames": ("snappy", lambda: bytes(cramjam.snappy.compress(bytes(128 << 20)))),
}
"""Small bodies that are very large, by a name: the content encoding, and what makes the body."""


@cache
def bomb(name: str) -> tuple[str, bytes]:
    """Return the content encoding of a bomb, and its bytes."""
    encoding, make = BOMBS[name]
    return encoding, make()
