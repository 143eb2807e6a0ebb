"""The native codec: the platform's hot path in C++."""

from collections.abc import Sequence
from enum import IntEnum

from zero.application.ports import Block, BulkDecoded, Decoded, RowRange
from zero.domain.entry import BatchLimits
from zero.domain.errors import CorruptFrame, InvalidInput, TooLarge
from zero.domain.frame import Frame
from zero.infrastructure.native import _core

Outcome = tuple[int, int, tuple[bytes, int, int, list[tuple[int, str]], int]]
"""A Refusal (0 for none), the position that it is about, and the fields of ``Decoded``."""


class Refusal(IntEnum):
    """Why a whole body was refused: the numbers of ``zero::Refusal`` (native/include/zero/decoded.hpp)."""

    EMPTY = 1
    NOT_JSON = 2
    NOT_ENTRIES = 3
    TOO_MANY_ENTRIES = 4
    TOO_MANY_BYTES = 5
    NOT_PROTOBUF = 6
    WRONG_FORM = 7
    TOO_MUCH_SHARED = 8


class NativeCodec:
    """Whole batches in, whole batches out; the interpreter lock is released meanwhile. Safe to call from any thread."""

    def crc32c(self, data: bytes | memoryview, seed: int = 0) -> int:
        """Return the CRC-32C (Castagnoli) of the bytes."""
        return _core.crc32c(data, seed)

    def decode_json(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode an object, an array, ``{"logs": […]}`` or NDJSON. Raises InvalidInput when the whole body is unreadable."""
        return _decoded(_core.decode_json(body, now_ns, source), "valid JSON")

    def decode_log_batch(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode ``zero.v1.LogBatch``. Raises InvalidInput when the whole body is unreadable."""
        return _decoded(_core.decode_log_batch(body, now_ns, source), "a valid LogBatch")

    def decode_otlp(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode OTLP's ``ExportLogsServiceRequest`` in protobuf. Raises InvalidInput when the whole body is unreadable."""
        return _decoded(_core.decode_otlp(body, now_ns, source), "a valid ExportLogsServiceRequest")

    def decode_otlp_json(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode the same in OTLP/JSON. Raises InvalidInput when the whole body is unreadable."""
        return _decoded(_core.decode_otlp_json(body, now_ns, source), "OTLP/JSON")

    def decode_loki(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode Loki's ``PushRequest`` in protobuf, uncompressed. Raises InvalidInput when the whole body is unreadable."""
        return _decoded(_core.decode_loki(body, now_ns, source), "a valid PushRequest")

    def decode_loki_json(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode the same in JSON. Raises InvalidInput when the whole body is unreadable."""
        return _decoded(_core.decode_loki_json(body, now_ns, source), "a Loki push")

    def decode_bulk(self, body: bytes | memoryview, now_ns: int, source: str, index: str) -> BulkDecoded:
        """Decode Elasticsearch's bulk lines; ``index`` is that of actions without one. Raises InvalidInput."""
        outcome, outcomes = _core.decode_bulk(body, now_ns, source, index)
        return BulkDecoded(_decoded(outcome, "a bulk request"), outcomes)

    def bulk_items(self, outcomes: bytes, batch_id: int, first_index: int) -> bytes:
        """Return the JSON array that answers the actions one by one, the entries accepted as the receipt says."""
        return _core.bulk_items(outcomes, batch_id, first_index)

    def decode_syslog(self, body: bytes | memoryview, now_ns: int, source: str, utc_offset_seconds: int = 0) -> Decoded:
        """Decode syslog messages as a stream brings them; times without a zone are ``utc_offset_seconds`` ahead of UTC."""
        return _decoded(_core.decode_syslog(body, now_ns, source, utc_offset_seconds), "syslog")

    def cut_syslog(self, stream: bytes | bytearray, frame_bytes_max: int, frames_max: int) -> tuple[int, int]:
        """Return how many bytes are whole messages, and how many behind them to skip: too long ones (-1: a line to its end)."""
        return _core.cut_syslog(stream, frame_bytes_max, frames_max)

    def encode_block(self, frames: Sequence[Frame], rows: Sequence[RowRange] | None = None) -> Block:
        """Encode the chosen rows (None: all) as one Native block of table ``logs``. Raises CorruptFrame on a bad payload."""
        ranges = None if rows is None else [(row.frame, row.start, row.stop) for row in rows]
        try:
            data, count = _core.encode_block([frame.data for frame in frames], ranges)
        except (ValueError, OverflowError) as error:
            raise CorruptFrame(str(error)) from error
        return Block(data, count)

    def pattern_id(self, message: str) -> int:
        """Return the 64-bit hash of the masked message."""
        return _core.pattern_ids([message.encode()])[0]

    def pattern_lines(self, lines: bytes) -> tuple[bytes, list[tuple[int, str]]]:
        """Return the number of each line's pattern (UInt32, native order), and the patterns in that order: id, masked text."""
        numbers, patterns = _core.pattern_lines(lines)
        return numbers, [(identity, text.decode()) for identity, text in patterns]

    def mask(self, message: str) -> str:
        """Return the message with its variable parts as ``<*>``."""
        return _core.mask(message.encode()).decode()


def _decoded(outcome: Outcome, expected: str) -> Decoded:
    refusal, position, report = outcome
    if refusal:
        raise _refused(refusal, position, expected)
    return Decoded(*report)


def _refused(refusal: int, position: int, expected: str) -> InvalidInput:
    """Return the error for a Refusal; ``expected`` is what the body should have been."""
    match refusal:
        case Refusal.EMPTY:
            return InvalidInput("body is empty")
        case Refusal.NOT_JSON:
            return InvalidInput(f"body is not valid JSON at byte {position}", position=position)
        case Refusal.NOT_ENTRIES:
            return InvalidInput('body is neither an entry, nor an array of entries, nor {"logs": [entries]}')
        case Refusal.TOO_MANY_ENTRIES:
            return TooLarge(f"body has more than {BatchLimits().entries} entries")
        case Refusal.TOO_MANY_BYTES:
            return TooLarge(f"body: {position} bytes, limit {BatchLimits().body_bytes}")
        case Refusal.TOO_MUCH_SHARED:
            limit = BatchLimits().payload_bytes
            return TooLarge(f"entries: more than {limit} bytes, each with all that they share; send fewer in one request")
        case _:
            return InvalidInput(f"body is not {expected} at byte {position}", position=position)
