"""The ports a drain works with."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from zero.application.ports import Block, Clock, Random, RowRange, ShardLog, Store, Telemetry
from zero.domain.frame import Frame


class FrameCodec(Protocol):
    """The part of the codec that the drain needs."""

    def crc32c(self, data: bytes | memoryview, seed: int = 0) -> int:
        """Return the CRC-32C of the bytes; ``seed`` is that of the bytes before them."""

    def encode_block(self, frames: Sequence[Frame], rows: Sequence[RowRange] | None = None) -> Block:
        """Encode the chosen rows (None: all). Raises CorruptFrame on a bad payload."""


@dataclass(frozen=True, slots=True)
class DrainParts:
    """Everything outside a drain. It waits for nothing else, so whoever runs these parts runs the drain."""

    log: ShardLog
    store: Store
    codec: FrameCodec
    clock: Clock
    random: Random
    telemetry: Telemetry
    start: Callable[[Coroutine[Any, Any, None]], Awaitable[None]] = asyncio.ensure_future
    """Runs a coroutine beside the caller, who awaits its end."""
