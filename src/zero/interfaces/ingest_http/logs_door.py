"""``POST /api/logs``: JSON, NDJSON and ``zero.v1.LogBatch``, plain or compressed."""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus

from zero.application.ingest import Ingest
from zero.application.ingest_events import RequestRejected
from zero.application.ports import Codec, Decoded, Decompressor, Telemetry
from zero.application.receipt import Receipt
from zero.application.submission import Ack, Decode, Submission, checked_key, parse_ack
from zero.domain.errors import UnsupportedMedia, ZeroError
from zero.interfaces.ingest_http.exchange import Exchange, Handle, Head
from zero.interfaces.ingest_http.reply import Reply, reply_for

JSON_TYPES = (
    "",
    "application/json",
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-www-form-urlencoded",  # what curl -d says when it is not told otherwise
    "text/plain",  # what a browser's fetch says
)
PROTOBUF_TYPES = ("application/x-protobuf", "application/protobuf")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s;\"']*)", re.IGNORECASE)


class LogsDoor:
    """Turns requests into submissions, and receipts into replies."""

    def __init__(
        self, ingest: Ingest, codec: Codec, decompressor: Decompressor, telemetry: Telemetry, body_bytes_max: int
    ) -> None:
        self._ingest = ingest
        self._decompressor = decompressor
        self._telemetry = telemetry
        self._body_bytes_max = body_bytes_max
        self._decoders: Mapping[str, Decode] = {
            **dict.fromkeys(JSON_TYPES, codec.decode_json),
            **dict.fromkeys(PROTOBUF_TYPES, codec.decode_log_batch),
        }

    def prepare(self, head: Head) -> Handle:
        """Return how to take bodies under this head. Raises UnsupportedMedia or InvalidInput."""
        decode = self._decoder(head.get("content-type"))
        encoding = head.get("content-encoding").strip().lower()
        heavy = encoding not in ("", "identity")
        if heavy:
            decode = self._decompressed(encoding, decode)
        ack = parse_ack(head.headers["zero-ack"]) if "zero-ack" in head.headers else None
        key = checked_key(head.headers["idempotency-key"]) if "idempotency-key" in head.headers else None
        if ack or key or heavy:
            return self._full_handle(head, decode, key, ack, heavy)
        accept, telemetry, identity = self._ingest.accept, self._telemetry, head.identity

        def handle(body: bytes, exchange: Exchange) -> None:
            accept(Submission(body, decode, exchange.source, LogsReply(exchange, telemetry), identity))

        return handle

    def _full_handle(self, head: Head, decode: Decode, key: str | None, ack: Ack | None, heavy: bool) -> Handle:
        def handle(body: bytes, exchange: Exchange) -> None:
            waiter = LogsReply(exchange, self._telemetry)
            submission = Submission(body, decode, exchange.source, waiter, head.identity, key=key, ack=ack, heavy=heavy)
            self._ingest.accept(submission)

        return handle

    def _decoder(self, content_type: str) -> Decode:
        media, _, parameters = content_type.partition(";")
        decode = self._decoders.get(media.strip().lower())
        if decode is None:
            raise UnsupportedMedia(
                f"content type '{media.strip()[:100]}' is not one we read; send application/json, application/x-ndjson or "
                "application/x-protobuf",
                field="Content-Type",
            )
        charset = _CHARSET.search(parameters)
        if charset and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
            raise UnsupportedMedia("bodies are read as UTF-8 only", field="Content-Type")
        return decode

    def _decompressed(self, encoding: str, decode: Decode) -> Decode:
        if not self._decompressor.reads(encoding):
            raise UnsupportedMedia(
                f"content encoding '{encoding[:100]}' is not one we read; send one of gzip, deflate, zstd, snappy, lz4, once",
                field="Content-Encoding",
            )
        decompress: Callable[[str, bytes, int], bytes] = self._decompressor.decompress
        bytes_max = self._body_bytes_max

        def decompress_and_decode(body: bytes, now_ns: int, source: str) -> Decoded:
            return decode(decompress(encoding, body, bytes_max), now_ns, source)

        return decompress_and_decode


class LogsReply:
    """Answers an exchange with the receipt, or with the error."""

    __slots__ = ("_exchange", "_telemetry")

    def __init__(self, exchange: Exchange, telemetry: Telemetry) -> None:
        self._exchange = exchange
        self._telemetry = telemetry

    def settled(self, receipt: Receipt) -> None:
        """Reply 202, or 400 when every entry was rejected."""
        if receipt.accepted or not receipt.rejected:
            self._exchange.reply(Reply(202, receipt.to_json()))
            return
        self._telemetry.emit(RequestRejected("invalid_entries"))
        self._exchange.reply(Reply(HTTPStatus.BAD_REQUEST, receipt.to_json()))

    def failed(self, error: ZeroError) -> None:
        """Reply with the error."""
        self._telemetry.emit(RequestRejected(error.code))
        self._exchange.reply(reply_for(error))
