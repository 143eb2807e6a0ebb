"""The limits of the ingest HTTP door."""

from dataclasses import dataclass

from zero.domain.entry import BatchLimits

WINDOW_BYTES_MIN = 64 * 1024
"""What a peer of HTTP/2 may send before it has read our settings, rounded up."""


@dataclass(frozen=True, slots=True)
class IngestHttpOptions:
    """Bounds of one process.

    Memory of bodies still arriving is at most ``bodies_bytes_max`` plus one read; of heads ``connections_max *
    head_bytes_max``; of replies a client does not read ``connections_max * write_bytes_max`` plus the reply in hand.

    HTTP/2 adds to a connection 4 KiB of header table, a frame of 16 KiB, a head of twice ``head_bytes_max``. Replies that wait
    for a window share ``replies_bytes_max``; streams that wait for a body count against ``bodies_bytes_max`` with head and
    bookkeeping. ``strain_points_max`` is what a peer may ask for in a second without bringing anything (http2/patience.py).
    A handshake of TLS that is under way takes some 50 KiB.
    """

    body_bytes_max: int = BatchLimits().body_bytes
    head_bytes_max: int = 32 * 1024
    headers_max: int = 100
    pipelined_requests_max: int = 64
    connections_max: int = 4_096
    connections_per_address_max: int = 1_024
    handshakes_max: int = 512
    bodies_bytes_max: int = 64 * 1024 * 1024
    write_bytes_max: int = 64 * 1024
    streams_max: int = 128
    stream_window_bytes: int = 1024 * 1024
    connection_window_bytes: int = 4 * 1024 * 1024
    replies_bytes_max: int = 32 * 1024 * 1024
    strain_points_max: int = 1_000
    known_heads_max: int = 1_024
    known_head_bytes_max: int = 1_024
    body_rate_min_bytes_per_second: int = 4 * 1024
    head_timeout_seconds: float = 10.0
    body_timeout_seconds: float = 15.0
    write_timeout_seconds: float = 15.0
    idle_timeout_seconds: float = 75.0
    linger_seconds: float = 2.0
    stop_timeout_seconds: float = 10.0
    sweep_seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.bodies_bytes_max < self.body_bytes_max:
            raise ValueError("bodies_bytes_max must hold at least one body of body_bytes_max")
        if self.connection_window_bytes < self.stream_window_bytes or self.stream_window_bytes < WINDOW_BYTES_MIN:
            raise ValueError(f"connection_window_bytes >= stream_window_bytes >= {WINDOW_BYTES_MIN} must hold")
        counts = (self.pipelined_requests_max, self.streams_max, self.connections_max, self.connections_per_address_max)
        if min(*counts, self.headers_max) < 1:
            raise ValueError("limits on connections, headers, streams and pipelined requests must be at least 1")
