"""Bounds of the api's own doors."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """``host`` is where it listens: on a loopback address only requests for this machine's own names are answered.

    Each field of a head counts ``field_bytes`` beside its text, as in HTTP/2. Of more than ``connections_max`` connections the
    one that has waited longest for a request is closed; while all are busy, one more gets 503.
    """

    host: str = "127.0.0.1"
    body_bytes_max: int = 64 * 1024
    head_bytes_max: int = 32 * 1024
    field_bytes: int = 32
    pipelined_requests_max: int = 16
    connections_max: int = 512
    handshake_seconds_max: int = 10
    head_seconds_max: float = 10.0
    body_seconds_max: float = 15.0
    read_seconds_max: float = 15.0
    tail_clients_max: int = 64
    tail_send_seconds_max: float = 10.0
    tail_heartbeat_seconds: float = 15.0
    stop_seconds_max: float = 5.0
