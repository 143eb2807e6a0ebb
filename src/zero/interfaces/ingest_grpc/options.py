"""The limits of the gRPC door."""

from dataclasses import dataclass
from typing import Any

from zero.domain.entry import BatchLimits


@dataclass(frozen=True, slots=True)
class IngestGrpcOptions:
    """Bounds of one process.

    A message is read once the key of its sender was found good; until then HTTP/2 holds it back after ``window_bytes``. Memory
    of messages still arriving: what comes in ``read_grace_seconds``, plus ``(slow_reads_max + streams_max) *
    message_bytes_max``.
    """

    message_bytes_max: int = BatchLimits().body_bytes
    metadata_bytes_max: int = 16 * 1024
    connections_max: int = 1_024
    rpcs_max: int = 1_024
    rpcs_per_connection_max: int = 32
    window_bytes: int = 64 * 1024
    slow_reads_max: int = 16
    slow_reads_per_tenant_max: int = 8
    streams_max: int = 16
    streams_per_tenant_max: int = 8
    stream_batches_max: int = 8
    stream_bytes_max: int = 4 * 1024 * 1024
    searches_max: int = 4
    open_streams_max: int = 128
    open_questions_max: int = 128
    read_grace_seconds: float = 0.1
    read_timeout_seconds: float = 15.0
    wait_seconds: float = 5.0
    stream_idle_seconds: float = 60.0
    handshake_timeout_seconds: float = 10.0
    idle_timeout_seconds: float = 300.0
    keepalive_seconds: float = 60.0
    keepalive_timeout_seconds: float = 20.0
    ping_seconds_min: float = 10.0
    ready_look_seconds: float = 2.0
    stop_timeout_seconds: float = 8.0

    def __post_init__(self) -> None:
        if (
            not 1 <= self.slow_reads_per_tenant_max <= self.slow_reads_max
            or not 1 <= self.streams_per_tenant_max <= self.streams_max
        ):
            raise ValueError("a tenant's share lies between 1 and the whole")
        if self.slow_reads_max + self.streams_max > self.rpcs_max:
            raise ValueError("rpcs_max must leave room for all that are read")

    def channel_arguments(self) -> list[tuple[str, Any]]:
        """Return the bounds that gRPC's own HTTP/2 layer keeps, before any of our code runs."""
        return [
            ("grpc.so_reuseport", 1),
            ("grpc.per_message_decompression", 0),
            ("grpc.max_receive_message_length", self.message_bytes_max),
            ("grpc.max_send_message_length", self.message_bytes_max),
            ("grpc.max_metadata_size", self.metadata_bytes_max),
            ("grpc.absolute_max_metadata_size", 2 * self.metadata_bytes_max),
            ("grpc.max_concurrent_streams", self.rpcs_per_connection_max),
            ("grpc.max_allowed_incoming_connections", self.connections_max),
            ("grpc.http2.lookahead_bytes", self.window_bytes),
            ("grpc.http2.bdp_probe", 0),
            ("grpc.server_handshake_timeout_ms", _ms(self.handshake_timeout_seconds)),
            ("grpc.max_connection_idle_ms", _ms(self.idle_timeout_seconds)),
            ("grpc.keepalive_time_ms", _ms(self.keepalive_seconds)),
            ("grpc.keepalive_timeout_ms", _ms(self.keepalive_timeout_seconds)),
            ("grpc.http2.min_ping_interval_without_data_ms", _ms(self.ping_seconds_min)),
            ("grpc.http2.max_ping_strikes", 2),
        ]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
