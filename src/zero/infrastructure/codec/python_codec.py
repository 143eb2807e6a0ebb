"""The codec in plain Python: what the stages of ``zero bench`` before the native one run on (docs/decisions/0240)."""

import json
from collections.abc import Sequence

from zero.application.ports import Block, BulkDecoded, Decoded, RowRange
from zero.domain.entry import entry_id
from zero.domain.frame import Crc32c, Frame
from zero.infrastructure.codec import (
    block_twin,
    decode_bulk_twin,
    decode_log_batch_twin,
    decode_loki_twin,
    decode_otlp_json_twin,
    decode_otlp_twin,
    plain_json,
)

_CREATED = 201


class PythonCodec:
    """Implements ``ports.Codec``; the checksum is given, because nobody computes one in Python."""

    def __init__(self, crc32c: Crc32c) -> None:
        self._crc32c = crc32c

    def crc32c(self, data: bytes | memoryview, seed: int = 0) -> int:
        """Return the CRC-32C (Castagnoli) of the bytes."""
        return self._crc32c(data, seed)

    def decode_json(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode an object, an array, ``{"logs": […]}`` or NDJSON. Raises InvalidInput when the whole body is unreadable."""
        return plain_json.decode_json(body, now_ns, source)

    def decode_log_batch(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode ``zero.v1.LogBatch``. Raises InvalidInput when the whole body is unreadable."""
        return decode_log_batch_twin.decode_log_batch(body, now_ns, source)

    def decode_otlp(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode OTLP's ``ExportLogsServiceRequest`` in protobuf. Raises InvalidInput when the whole body is unreadable."""
        return decode_otlp_twin.decode_otlp(body, now_ns, source)

    def decode_otlp_json(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode the same in OTLP/JSON. Raises InvalidInput when the whole body is unreadable."""
        return decode_otlp_json_twin.decode_otlp_json(body, now_ns, source)

    def decode_loki(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode Loki's ``PushRequest`` in protobuf, uncompressed. Raises InvalidInput when the whole body is unreadable."""
        return decode_loki_twin.decode_loki(body, now_ns, source)

    def decode_loki_json(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode the same in JSON. Raises InvalidInput when the whole body is unreadable."""
        return decode_loki_twin.decode_loki_json(body, now_ns, source)

    def decode_bulk(self, body: bytes | memoryview, now_ns: int, source: str, index: str) -> BulkDecoded:
        """Decode Elasticsearch's bulk lines; ``index`` is that of actions without one. Raises InvalidInput."""
        decoded, items = decode_bulk_twin.decode_bulk(body, now_ns, source, index)
        return BulkDecoded(decoded, json.dumps(items).encode())

    def bulk_items(self, outcomes: bytes, batch_id: int, first_index: int) -> bytes:
        """Return the JSON array that answers the actions one by one, the entries accepted as the receipt says."""
        items = json.loads(outcomes)
        for answer in (answer for item in items for answer in item.values()):
            if answer["status"] == _CREATED:
                answer.setdefault("_id", entry_id(batch_id, first_index % (1 << 32)))
                first_index += 1
        return json.dumps(items, separators=(",", ":")).encode()

    def encode_block(self, frames: Sequence[Frame], rows: Sequence[RowRange] | None = None) -> Block:
        """Encode the chosen rows (None: all) as one Native block of table ``logs``. Raises CorruptFrame on a bad payload."""
        return block_twin.encode_block(frames, rows)
