"""The hot path: whole batches in, whole batches out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from zero.domain.frame import Frame


class Decoded(NamedTuple):
    """What a decoder made of one body: a tuple, the cheapest thing to make, because every request makes one.

    ``payload`` is the ``LogBatch`` of the accepted entries, complete and valid. ``errors`` names the rejected ones: (index in
    the body, message), the first 100. ``repaired`` counts entries in which invalid UTF-8 became U+FFFD.
    """

    payload: bytes
    accepted: int
    rejected: int
    errors: Sequence[tuple[int, str]] = ()
    repaired: int = 0


class BulkDecoded(NamedTuple):
    """What a decoder made of one bulk body: ``outcomes`` says what became of each action, for ``Codec.bulk_items`` to read."""

    decoded: Decoded
    outcomes: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """Rows in the form that the store takes: the codec that makes it is chosen together with the store."""

    data: bytes
    rows: int


@dataclass(frozen=True, slots=True)
class RowRange:
    """Entries ``start`` to ``stop`` (exclusive) of the frame at position ``frame`` of a list."""

    frame: int
    start: int
    stop: int


class Codec(Protocol):
    """The hot path: whole batches in, whole batches out. Safe to call from any thread."""

    def crc32c(self, data: bytes | memoryview, seed: int = 0) -> int:
        """Return the CRC-32C (Castagnoli) of the bytes; ``seed`` is that of the bytes before them."""

    def decode_json(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode an object, an array, ``{"logs": […]}`` or NDJSON. Raises InvalidInput when the whole body is unreadable."""

    def decode_log_batch(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode ``zero.v1.LogBatch``. Raises InvalidInput when the whole body is unreadable."""

    def decode_otlp(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode OTLP's ``ExportLogsServiceRequest`` in protobuf. Raises InvalidInput when the whole body is unreadable."""

    def decode_otlp_json(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode the same in OTLP/JSON. Raises InvalidInput when the whole body is unreadable."""

    def decode_loki(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode Loki's ``PushRequest`` in protobuf, uncompressed. Raises InvalidInput when the whole body is unreadable."""

    def decode_loki_json(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode the same in JSON. Raises InvalidInput when the whole body is unreadable."""

    def decode_bulk(self, body: bytes | memoryview, now_ns: int, source: str, index: str) -> BulkDecoded:
        """Decode Elasticsearch's bulk lines; ``index`` is that of actions without one. Raises InvalidInput."""

    def bulk_items(self, outcomes: bytes, batch_id: int, first_index: int) -> bytes:
        """Return the JSON array that answers the actions one by one, the entries accepted as the receipt says."""

    def encode_block(self, frames: Sequence[Frame], rows: Sequence[RowRange] | None = None) -> Block:
        """Encode the chosen rows (None: all) as one block of table ``logs``. Raises CorruptFrame on a bad payload."""


class Decompressor(Protocol):
    """Reads compressed bodies. Safe to call from any thread."""

    def reads(self, encoding: str) -> bool:
        """Say whether the HTTP content coding is one it reads."""

    def decompress(self, encoding: str, body: bytes, bytes_max: int) -> bytes:
        """Return the body, holding at most ``bytes_max`` of it. Raises TooLarge beyond, InvalidInput when it is broken."""
