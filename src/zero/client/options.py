"""What a sender may be told, and what it does when nobody tells it."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field

DROP_OLDEST, DROP_NEWEST, BLOCK = "drop_oldest", "drop_newest", "block"
OVERFLOWS = (DROP_OLDEST, DROP_NEWEST, BLOCK)
ACKS = ("durable", "stored")
ENTRIES_MAX, BYTES_MAX = 20_000, 8 * 1024 * 1024
_HERE = ("127.0.0.1", "::1", "localhost")


def _key_of_environment() -> str:
    return os.environ.get("ZERO_API_KEY", "")


@dataclass(frozen=True)
class SenderOptions:
    """Where entries go, how many may wait, and for how long anything is tried.

    ``queue_entries_max`` and ``queue_bytes_max`` bound what waits; ``overflow`` says what happens beyond: ``drop_oldest``,
    ``drop_newest``, or ``block`` for at most ``block_seconds_max`` and then drop the newest. ``compress`` None: unless the door
    is on this machine. ``give_up_seconds`` bounds the tries of one batch when there is no ``spool`` (a folder, of this sender's
    tenant alone). ``report_seconds``: standard error is told of one kind of trouble at most once in so long.
    """

    url: str = "http://127.0.0.1:4318"
    app_id: str = "default"
    api_key: str = field(default_factory=_key_of_environment, repr=False)
    environment: str = ""
    source: str = field(default_factory=socket.gethostname)
    queue_entries_max: int = 50_000
    queue_bytes_max: int = 64 * 1024 * 1024
    overflow: str = DROP_OLDEST
    block_seconds_max: float = 1.0
    batch_entries_max: int = 5_000
    batch_bytes_max: int = 2 * 1024 * 1024
    flush_seconds: float = 1.0
    ack: str = "durable"
    compress: bool | None = None
    timeout_seconds: float = 10.0
    pause_seconds: float = 0.1
    pause_seconds_max: float = 10.0
    give_up_seconds: float = 600.0
    exit_seconds_max: float = 5.0
    spool: str = ""
    spool_bytes_max: int = 256 * 1024 * 1024
    ca_file: str = ""
    report_seconds: float = 60.0

    def __post_init__(self) -> None:
        """Refuse what cannot work, where the application starts and can still be told; the key is never shown."""
        object.__setattr__(self, "api_key", self.api_key.strip())  # a file or a variable often ends in a newline
        if not all("!" <= character <= "~" for character in self.api_key):
            raise ValueError("api_key (or ZERO_API_KEY) has a character that no key has, as a space or a newline in the middle")
        if self.overflow not in OVERFLOWS:
            raise ValueError(f"overflow is one of {', '.join(OVERFLOWS)}, not {self.overflow!r}")
        if self.ack not in ACKS:
            raise ValueError(f"ack is one of {', '.join(ACKS)}, not {self.ack!r}")
        if not 1 <= self.batch_entries_max <= ENTRIES_MAX or not 1 <= self.batch_bytes_max <= BYTES_MAX:
            raise ValueError(f"a batch has 1 to {ENTRIES_MAX} entries and at most {BYTES_MAX} bytes")
        if min(self.queue_entries_max, self.queue_bytes_max, self.spool_bytes_max) < 1:
            raise ValueError("queue_entries_max, queue_bytes_max and spool_bytes_max must be at least 1")
        positive = (self.timeout_seconds, self.pause_seconds, self.pause_seconds_max, self.flush_seconds)
        others = (self.block_seconds_max, self.give_up_seconds, self.exit_seconds_max, self.report_seconds)
        if min(positive) <= 0 or min(others) < 0:
            raise ValueError("times are positive, in seconds")

    @property
    def compresses(self) -> bool:
        """Say whether bodies are compressed."""
        if self.compress is not None:
            return self.compress
        from urllib.parse import urlsplit

        return (urlsplit(self.url).hostname or "") not in _HERE
