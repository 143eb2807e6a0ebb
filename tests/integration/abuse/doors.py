"""Every door that takes a body, and how to knock at it with whatever bytes."""

import gzip
import http.client
import zlib
from dataclasses import dataclass
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


def bombs() -> dict[str, tuple[str, bytes]]:
    """Return small bodies that are very large, by a name, with the content encoding each is in."""
    wide = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    gzipped = _streamed(zlib.compressobj(wbits=31), 128 << 20)
    return {
        "gzip": ("gzip", gzipped),
        "gzip behind honest gzip": ("gzip", gzip.compress(b" " * (15 << 20), 1) + gzipped),
        "gzip of many members": ("gzip", gzip.compress(b"") * 500_000),
        "zlib": ("deflate", _streamed(zlib.compressobj(), 128 << 20)),
        "deflate": ("deflate", _streamed(zlib.compressobj(wbits=-15), 128 << 20)),
        "zstd": ("zstd", _streamed(zstd.ZstdCompressor(), 2 << 30)),
        "zstd of a wide window": ("zstd", _streamed(wide, 256 << 20)),
        "zstd of many frames": ("zstd", zstd.compress(b"") * 500_000),
        "lz4": ("lz4", lz4.frame.compress(bytes(256 << 20))),
        "snappy": ("snappy", bytes(cramjam.snappy.compress_raw(bytes(128 << 20)))),
        "snappy in frames": ("snappy", bytes(cramjam.snappy.compress(bytes(128 << 20)))),
    }
