"""What the platform needs from outside: each port has an adapter in ``zero.infrastructure`` and a fake in tests. Ports are
asynchronous where they wait. The application never sees a foreign exception: adapters raise ``zero.domain.errors``."""

from zero.application.ports.buffer import (
    Append,
    Appended,
    Buffer,
    BufferLevel,
    DeadLetter,
    Durability,
    IdempotencyKey,
    Position,
)
from zero.application.ports.codec import Block, BulkDecoded, Codec, Decoded, Decompressor, RowRange
from zero.application.ports.draining import Delivery, Lease, Settlement, ShardLog, Store
from zero.application.ports.keys import KeyStore
from zero.application.ports.patterns import (
    Order,
    PatternCount,
    PatternFigures,
    PatternQuery,
    PatternReader,
    PatternSeries,
    PatternStore,
    PatternTally,
    Sighting,
)
from zero.application.ports.process import Clock, Random, Telemetry
from zero.application.ports.reading import FieldReader, LogReader, QueryParser, Scope, StoreFigures, Tally

__all__ = [
    "Append",
    "Appended",
    "Block",
    "Buffer",
    "BufferLevel",
    "BulkDecoded",
    "Clock",
    "Codec",
    "DeadLetter",
    "Decoded",
    "Decompressor",
    "Delivery",
    "Durability",
    "FieldReader",
    "IdempotencyKey",
    "KeyStore",
    "Lease",
    "LogReader",
    "Order",
    "PatternCount",
    "PatternFigures",
    "PatternQuery",
    "PatternReader",
    "PatternSeries",
    "PatternStore",
    "PatternTally",
    "Position",
    "QueryParser",
    "Random",
    "RowRange",
    "Scope",
    "Settlement",
    "ShardLog",
    "Sighting",
    "Store",
    "StoreFigures",
    "Tally",
    "Telemetry",
]
