"""Adapters that live in memory, with the semantics of the real ones; for tests, the simulator and trials without servers."""

from zero.infrastructure.memory.buffer import MemoryBuffer, MemoryBufferOptions
from zero.infrastructure.memory.clock import ManualClock
from zero.infrastructure.memory.codec import MemoryCodec, entry_hash
from zero.infrastructure.memory.key_store import MemoryKeyStore
from zero.infrastructure.memory.store import MemoryStore
from zero.infrastructure.memory.telemetry import MemoryTelemetry

__all__ = [
    "ManualClock",
    "MemoryBuffer",
    "MemoryBufferOptions",
    "MemoryCodec",
    "MemoryKeyStore",
    "MemoryStore",
    "MemoryTelemetry",
    "entry_hash",
]
