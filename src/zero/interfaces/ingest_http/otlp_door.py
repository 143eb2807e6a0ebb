"""``POST /v1/logs``: OTLP over HTTP, in protobuf and JSON. Each answer is in the encoding of its request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zero.application.ingest import Ingest
from zero.application.ingest_events import RequestRejected
from zero.application.otlp_answer import export_response, export_response_json, status, status_code, status_json
from zero.application.ports import Codec, Telemetry
from zero.application.receipt import Receipt
from zero.application.submission import Decode
from zero.domain.errors import ZeroError
from zero.interfaces.ingest_http.bodies import PROTOBUF_TYPES, Bodies, media_type, unknown_media
from zero.interfaces.ingest_http.exchange import Exchange, Handle, Head
from zero.interfaces.ingest_http.reply import JSON, Reply, headers_for, message_for, status_of

PROTOBUF = b"application/x-protobuf"


@dataclass(frozen=True, slots=True)
class Encoding:
    """One of OTLP's two encodings: how to write what we say in it."""

    content_type: bytes
    response: Callable[[Receipt], bytes]
    status: Callable[[int, str], bytes]

    def refusal(self, error: ZeroError) -> Reply:
        """Return the reply for an error: a ``google.rpc.Status``."""
        body = self.status(status_code(error), message_for(error))
        return Reply(status_of(error), body, self.content_type, headers_for(error))


_IN_PROTOBUF = Encoding(PROTOBUF, export_response, status)
_IN_JSON = Encoding(JSON, export_response_json, status_json)


class OtlpDoor:
    """Turns export requests into submissions, and receipts into export responses."""

    def __init__(self, ingest: Ingest, codec: Codec, bodies: Bodies, telemetry: Telemetry) -> None:
        self._ingest = ingest
        self._bodies = bodies
        self._telemetry = telemetry
        self._types: Mapping[str, tuple[Decode, Encoding]] = {
            **dict.fromkeys(PROTOBUF_TYPES, (codec.decode_otlp, _IN_PROTOBUF)),
            "application/json": (codec.decode_otlp_json, _IN_JSON),
        }

    def prepare(self, head: Head) -> Handle:
        """Return how to take bodies under this head. Raises UnsupportedMedia or InvalidInput."""
        media = media_type(head)
        if media not in self._types:
            raise unknown_media(media, "application/x-protobuf or application/json")
        decode, answers = self._types[media]
        encoding = self._bodies.encoding(head)
        submission = self._bodies.terms(head, encoding).submission
        accept, telemetry = self._ingest.accept, self._telemetry

        def handle(body: bytes, exchange: Exchange) -> None:
            accept(submission(body, decode, exchange, OtlpReply(exchange, telemetry, answers)))

        return handle

    def refuse(self, head: Head, error: ZeroError) -> Reply:
        """Return the refusal of a head."""
        is_json = head.get("content-type").strip().lower().startswith("application/json")
        return (_IN_JSON if is_json else _IN_PROTOBUF).refusal(error)


class OtlpReply:
    """Answers an exchange with an export response, or with a status."""

    __slots__ = ("_answers", "_exchange", "_telemetry")

    def __init__(self, exchange: Exchange, telemetry: Telemetry, answers: Encoding) -> None:
        self._exchange = exchange
        self._telemetry = telemetry
        self._answers = answers

    def settled(self, receipt: Receipt) -> None:
        """Reply 200; a partial success names what was rejected, and sending that again would not help."""
        if receipt.rejected and not receipt.accepted:
            self._telemetry.emit(RequestRejected("invalid_entries"))
        self._exchange.reply(Reply(200, self._answers.response(receipt), self._answers.content_type))

    def failed(self, error: ZeroError) -> None:
        """Reply with the error."""
        self._telemetry.emit(RequestRejected(error.code))
        self._exchange.reply(self._answers.refusal(error))
