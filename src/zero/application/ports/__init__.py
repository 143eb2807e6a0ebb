"""What the platform needs from outside: each port has an adapter in ``zero.infrastructure`` and a fake in tests. Ports are
asynchronous where they wait. The application never sees a foreign exception: adapters raise ``zero.domain.errors``."""

from zero.application.ports.buffer import (
    Append,
    Appended,
    Buffer,
    BufferLevel,
    DeadLetter,
    DeadLetterStore,
    Durability,
    IdempotencyKey,
    Position,
)
from zero.application.ports.codec import Block, BulkDecoded, Codec, Decoded, Decompressor, RowRange
from zero.application.ports.draining import Delivery, Lease, Settlement, ShardLog, Store
from zero.application.ports.duty import Duty
from zero.application.ports.embedding import Embedder, Vector
from zero.application.ports.keys import KeyStore
from zero.application.ports.meaning import Asked, MeaningReader, MeaningStore, Mode, PatternText, Question, Ranked, RankedTexts
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
    Steps,
)
from zero.application.ports.process import Clock, Random, Telemetry
from zero.application.ports.reading import BUCKET_NS, FieldReader, LogReader, QueryParser, Scope, StoreFigures, Tally
from zero.application.ports.retention import RetentionLedger, RetentionStore
from zero.application.ports.tracing import Span, Tracer

__all__ = [
    "BUCKET_NS",
    "Append",
    "Appended",
    "Asked",
    "Block",
    "Buffer",
    "BufferLevel",
    "BulkDecoded",
    "Clock",
    "Codec",
    "DeadLetter",
    "DeadLetterStore",
    "Decoded",
    "Decompressor",
    "Delivery",
    "Durability",
    "Duty",
    "Embedder",
    "FieldReader",
    "IdempotencyKey",
    "KeyStore",
    "Lease",
    "LogReader",
    "MeaningReader",
    "MeaningStore",
    "Mode",
    "Order",
    "PatternCount",
    "PatternFigures",
    "PatternQuery",
    "PatternReader",
    "PatternSeries",
    "PatternStore",
    "PatternTally",
    "PatternText",
    "Position",
    "QueryParser",
    "Question",
    "Random",
    "Ranked",
    "RankedTexts",
    "RetentionLedger",
    "RetentionStore",
    "RowRange",
    "Scope",
    "Settlement",
    "ShardLog",
    "Sighting",
    "Span",
    "Steps",
    "Store",
    "StoreFigures",
    "Tally",
    "Telemetry",
    "Tracer",
    "Vector",
]
