"""``POST /loki/api/v1/push``: Loki's push, in protobuf (always compressed) and JSON. ``X-Scope-OrgID`` says nothing here."""

from http import HTTPStatus

from zero.application.ingest import Ingest
from zero.application.ingest_events import RequestRejected
from zero.application.ports import Codec, Telemetry
from zero.application.receipt import Receipt
from zero.application.submission import Decode
from zero.domain.errors import ZeroError
from zero.interfaces.ingest_http.bodies import PROTOBUF_TYPES, Bodies, media_type, unknown_media
from zero.interfaces.ingest_http.exchange import Exchange, Handle, Head
from zero.interfaces.ingest_http.reply import Reply, headers_for, message_for, status_of

TEXT = b"text/plain; charset=utf-8"
_ERRORS_TOLD = 5


class LokiDoor:
    """Turns pushes into submissions, and receipts into what Loki says."""

    def __init__(self, ingest: Ingest, codec: Codec, bodies: Bodies, telemetry: Telemetry) -> None:
        self._ingest = ingest
        self._codec = codec
        self._bodies = bodies
        self._telemetry = telemetry

    def prepare(self, head: Head) -> Handle:
        """Return how to take bodies under this head. Raises UnsupportedMedia or InvalidInput."""
        media = media_type(head)
        encoding = self._bodies.encoding(head)
        if media in PROTOBUF_TYPES:
            encoding = encoding or "snappy"  # Loki's clients do not say so
            decode: Decode = self._codec.decode_loki
        elif media == "application/json":
            decode = self._codec.decode_loki_json
        else:
            raise unknown_media(media, "application/x-protobuf or application/json")
        submission = self._bodies.terms(head, encoding).submission
        accept, telemetry = self._ingest.accept, self._telemetry

        def handle(body: bytes, exchange: Exchange) -> None:
            accept(submission(body, decode, exchange, LokiReply(exchange, telemetry)))

        return handle

    def refuse(self, head: Head, error: ZeroError) -> Reply:
        """Return the refusal of a head."""
        return _refusal(error)


class LokiReply:
    """Answers an exchange with nothing, or with a line of text."""

    __slots__ = ("_exchange", "_telemetry")

    def __init__(self, exchange: Exchange, telemetry: Telemetry) -> None:
        self._exchange = exchange
        self._telemetry = telemetry

    def settled(self, receipt: Receipt) -> None:
        """Reply 204; 400 when some of the entries were rejected, as Loki does, although the others are kept."""
        if not receipt.rejected:
            self._exchange.reply(Reply(HTTPStatus.NO_CONTENT))
            return
        if not receipt.accepted:
            self._telemetry.emit(RequestRejected("invalid_entries"))
        self._exchange.reply(Reply(HTTPStatus.BAD_REQUEST, _told(receipt), TEXT))

    def failed(self, error: ZeroError) -> None:
        """Reply with the error."""
        self._telemetry.emit(RequestRejected(error.code))
        self._exchange.reply(_refusal(error))


def _refusal(error: ZeroError) -> Reply:
    return Reply(status_of(error), message_for(error).encode() + b"\n", TEXT, headers_for(error))


def _told(receipt: Receipt) -> bytes:
    seen = receipt.accepted + receipt.rejected
    lines = [f"{receipt.rejected} of {seen} entries rejected, {receipt.accepted} accepted"]
    lines += [f"entry {index}: {reason}" for index, reason in receipt.errors[:_ERRORS_TOLD]]
    return "\n".join([*lines, ""]).encode("utf-8", "replace")
