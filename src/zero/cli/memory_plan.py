"""How the memory of a machine, or of a container, is shared out by ``zero up``."""

import os

from zero.settings import Settings

STORE_BYTES_MIN, STORE_BYTES_MAX = 512 << 20, 4 << 30
_ROLE_BYTES = 128 << 20
"""What an ingest process or a drain wants under load."""
_OTHERS_BYTES = 256 << 20
"""The same of the api, the supervisor and the process that forks them."""


def cores() -> int:
    """Return on how many cores we may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def beside_store_bytes(settings: Settings) -> int:
    """Return what the roles want, and the buffer when it is embedded and full."""
    roles = (settings.ingest_workers or cores() if settings.stage.all_cores else 1) + settings.shards
    return (0 if settings.buffer_url else settings.buffer_memory_max_bytes) + roles * _ROLE_BYTES + _OTHERS_BYTES


def store_bytes(settings: Settings, limit_bytes: int) -> int:
    """Return what the others leave of the memory for the embedded store: rather a query is refused than a process killed."""
    return max(STORE_BYTES_MIN, min(STORE_BYTES_MAX, limit_bytes - beside_store_bytes(settings)))
