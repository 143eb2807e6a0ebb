"""``POST /api/logs``: JSON, NDJSON and ``zero.v1.LogBatch``, plain or compressed."""

from collections.abc import Mapping
from http import HTTPStatus

from zero.application.ingest import Ingest
from zero.application.ingest_events import RequestRejected
from zero.application.ports import Codec, Telemetry
from zero.application.receipt import Receipt
from zero.application.submission import Decode
from zero.domain.errors import ZeroError
from zero.interfaces.ingest_http.bodies import PROTOBUF_TYPES, Bodies, media_type, unknown_media
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


class LogsDoor:
    """Turns requests into submissions, and receipts into replies."""

    def __init__(self, ingest: Ingest, codec: Codec, bodies: Bodies, telemetry: Telemetry) -> None:
        self._ingest = ingest
        self._bodies = bodies
        self._telemetry = telemetry
        self._decoders: Mapping[str, Decode] = {
            **dict.fromkeys(JSON_TYPES, codec.decode_json),
            **dict.fromkeys(PROTOBUF_TYPES, codec.decode_log_batch),
        }

    def prepare(self, head: Head) -> Handle:
        """Return how to take bodies under this head. Raises UnsupportedMedia or InvalidInput."""
        media = media_type(head)
        if media not in self._decoders:
            raise unknown_media(media, "application/json, application/x-ndjson or application/x-protobuf")
        encoding = self._bodies.encoding(head)
        decode = self._decoders[media]
        submission = self._bodies.terms(head, encoding).submission
        accept, telemetry = self._ingest.accept, self._telemetry

        def handle(body: bytes, exchange: Exchange) -> None:
            accept(submission(body, decode, exchange, LogsReply(exchange, telemetry)))

        return handle


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
