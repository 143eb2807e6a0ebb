"""Frames to the text that ``COPY`` reads: what the drain hands this store instead of a Native block.

The columns of COPY's text form are separated by tabs; a backslash, tab or line end inside a value is written with a backslash.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from zero.application.ports import Block, RowRange
from zero.domain.entry import MetadataValue
from zero.domain.errors import CorruptFrame
from zero.domain.frame import Crc32c, Frame
from zero.domain.ledger import day_of
from zero.infrastructure.postgres.values import signed, to_json, to_text

COLUMNS = (
    "timestamp_ns, received_ms, bid, pattern_id, idx, level, tenant, app_id, source, environment, trace_id, span_id, user_id, "
    "message, metadata"
)
"""The columns of a row, in the order in which they are copied."""
_BETWEEN = "\0"  # no value holds one


@dataclass(frozen=True, slots=True)
class CopyBlock(Block):
    """Rows as COPY's text; ``days`` are the days of receipt (counted from 1970), each a partition."""

    days: frozenset[int]


class PostgresCodec:
    """Implements what the drain asks of a codec. The checksum and the pattern of a message come from the native one."""

    def __init__(self, crc32c: Crc32c, pattern_id: Callable[[str], int]) -> None:
        self._crc32c = crc32c
        self._pattern_id = pattern_id

    def crc32c(self, data: bytes | memoryview, seed: int = 0) -> int:
        """Return the CRC-32C (Castagnoli) of the bytes."""
        return self._crc32c(data, seed)

    def encode_block(self, frames: Sequence[Frame], rows: Sequence[RowRange] | None = None) -> CopyBlock:
        """Encode the chosen rows (None: all). Raises CorruptFrame on a bad payload or range."""
        ranges = [RowRange(at, 0, frame.count) for at, frame in enumerate(frames)] if rows is None else rows
        batches: dict[int, Any] = {}
        lines: list[str] = []
        for part in ranges:
            if not (0 <= part.frame < len(frames) and 0 <= part.start <= part.stop <= frames[part.frame].count):
                raise CorruptFrame(f"no such rows: {part}")
            frame = frames[part.frame]
            if part.frame not in batches:
                batches[part.frame] = _entries(frame)
            lines.extend(self._lines(frame, batches[part.frame], part))
        days = frozenset(day_of(frames[part.frame].received_ms) for part in ranges)
        return CopyBlock("".join(lines).encode(), len(lines), days)

    def _lines(self, frame: Frame, entries: Any, part: RowRange) -> Iterator[str]:
        received, batch, tenant = str(frame.received_ms), str(signed(frame.batch_id)), to_text(frame.tenant)
        for index in range(part.start, part.stop):
            entry = entries[index]
            texts = entry.app_id, entry.source, entry.environment, entry.trace_id, entry.span_id, entry.user_id
            message = entry.message
            pattern = str(signed(self._pattern_id(message)))
            numbers = str(entry.timestamp_ns), received, batch, pattern, str(index), str(entry.level)
            metadata = to_json(_metadata(entry)) if entry.metadata else "{}"
            yield _line(_BETWEEN.join((*numbers, tenant, *map(to_text, texts), to_text(message), metadata)))


def _line(values: str) -> str:
    if "\\" in values:
        values = values.replace("\\", "\\\\")
    if "\n" in values or "\t" in values or "\r" in values:
        values = values.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return values.replace(_BETWEEN, "\t") + "\n"


def _entries(frame: Frame) -> Any:
    try:
        entries = _log_batch().FromString(bytes(frame.payload)).entries
    except DecodeError as error:
        raise CorruptFrame(f"payload is not a LogBatch: {error}") from error
    if len(entries) != frame.count:
        raise CorruptFrame(f"the frame holds {len(entries)} entries, not {frame.count}")
    return entries


def _metadata(entry: Any) -> dict[str, MetadataValue]:
    found = {}
    for attribute in entry.metadata:
        value = attribute.value
        kind = value.WhichOneof("kind")
        if kind is not None:
            found[attribute.key] = getattr(value, kind)
    return found


@cache
def _log_batch() -> Any:
    """Return the class of the payload, made from the compiled contract in a pool of its own."""
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(Path(__file__).with_name("log.binpb").read_bytes()).file:
        pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName("zero.v1.LogBatch"))
