"""The limits of the syslog door."""

from dataclasses import dataclass

from zero.domain.entry import EntryLimits


@dataclass(frozen=True, slots=True)
class SyslogOptions:
    """Bounds of one process.

    Memory of what was received and is not acknowledged by the buffer yet: ``streams_bytes_max`` of all streams together (plus a
    read), ``datagrams_bytes_max`` of datagrams with what Python needs for each. A frame holds a message of the greatest length
    and its header. At a stop senders have ``linger_seconds`` to notice, and what they send until then is taken still.
    """

    frame_bytes_max: int = EntryLimits().message_bytes + 8 * 1024
    body_frames_max: int = 10_000
    stream_bytes_max: int = 512 * 1024
    streams_bytes_max: int = 16 * 1024 * 1024
    streams_max: int = 1_024
    streams_per_address_max: int = 256
    handshakes_max: int = 512
    datagrams_bytes_max: int = 8 * 1024 * 1024
    datagram_parcels_max: int = 32
    receive_buffer_bytes: int = 4 * 1024 * 1024
    frame_timeout_seconds: float = 60.0
    idle_timeout_seconds: float = 3600.0
    handshake_timeout_seconds: float = 10.0
    retry_seconds_max: float = 5.0
    sweep_seconds: float = 1.0
    linger_seconds: float = 1.0
    stop_timeout_seconds: float = 8.0

    def __post_init__(self) -> None:
        if not self.frame_bytes_max <= self.stream_bytes_max <= self.streams_bytes_max:
            raise ValueError("frame_bytes_max <= stream_bytes_max <= streams_bytes_max must hold")
