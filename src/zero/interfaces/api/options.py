"""Bounds of the api's own doors."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """``host`` is where it listens: on a loopback address only requests for this machine's own names are answered."""

    host: str = "127.0.0.1"
    body_bytes_max: int = 64 * 1024
    connections_max: int = 512
    tail_clients_max: int = 64
    tail_send_seconds_max: float = 10.0
    tail_heartbeat_seconds: float = 15.0
    stop_seconds_max: float = 5.0
