"""``POST /_bulk`` and ``POST /{index}/_bulk``: Elasticsearch's bulk requests, each action answered on its own."""

import re
import time

from zero.application.ingest import Ingest
from zero.application.ingest_events import RequestRejected
from zero.application.ports import Codec, Decoded, Telemetry
from zero.application.receipt import Receipt
from zero.domain.errors import InvalidInput, ZeroError
from zero.interfaces.ingest_http.bodies import Bodies, media_type, unknown_media
from zero.interfaces.ingest_http.elastic import answer, answer_type, error_answer
from zero.interfaces.ingest_http.exchange import Exchange, Handle, Head

MEDIA_TYPES = (
    "",
    "application/json",
    "application/x-ndjson",
    "application/vnd.elasticsearch+json",
    "application/vnd.elasticsearch+x-ndjson",
)
_INDEX = re.compile(r"[A-Za-z0-9.][A-Za-z0-9._+-]{0,254}")


class BulkDoor:
    """Turns bulk requests into submissions, and receipts into items."""

    def __init__(self, ingest: Ingest, codec: Codec, bodies: Bodies, telemetry: Telemetry) -> None:
        self._ingest = ingest
        self.codec = codec
        self.bodies = bodies
        self.telemetry = telemetry

    def prepare(self, head: Head) -> Handle:
        """Return how to take bodies under this head. Raises UnsupportedMedia or InvalidInput."""
        media = media_type(head)
        if media not in MEDIA_TYPES:
            raise unknown_media(media, "application/x-ndjson")
        index, encoding, content_type = _index_of(head.path), self.bodies.encoding(head), answer_type(head)
        submission = self.bodies.terms(head, encoding).submission
        accept = self._ingest.accept

        def handle(body: bytes, exchange: Exchange) -> None:
            request = _BulkRequest(self, exchange, index, content_type)
            accept(submission(body, request.decode, exchange, request))

        return handle


class _BulkRequest:
    """One request: decodes its body, and keeps what became of each action for the answer."""

    __slots__ = ("_began", "_content_type", "_door", "_exchange", "_index", "_outcomes")

    def __init__(self, door: BulkDoor, exchange: Exchange, index: str, content_type: bytes) -> None:
        self._door = door
        self._exchange = exchange
        self._index = index
        self._content_type = content_type
        self._began = time.monotonic()
        self._outcomes = b""

    def decode(self, body: bytes, now_ns: int, source: str) -> Decoded:
        """Decode the body. Raises InvalidInput."""
        decoded, self._outcomes = self._door.codec.decode_bulk(body, now_ns, source, self._index)
        return decoded

    def settled(self, receipt: Receipt) -> None:
        """Reply 200 with an item for each action."""
        if receipt.rejected and not receipt.accepted:
            self._door.telemetry.emit(RequestRejected("invalid_entries"))
        items = self._door.codec.bulk_items(self._outcomes, receipt.batch_id, receipt.first_index)
        took_ms = int((time.monotonic() - self._began) * 1000)
        errors = b"true" if receipt.rejected else b"false"
        self._exchange.reply(answer(b'{"took":%d,"errors":%b,"items":%b}' % (took_ms, errors, items), self._content_type))

    def failed(self, error: ZeroError) -> None:
        """Reply with the error."""
        self._door.telemetry.emit(RequestRejected(error.code))
        self._exchange.reply(error_answer(error, self._content_type))


def _index_of(path: str) -> str:
    """Return the index that the path names, '' for none: as it is, for no good name has anything to decode."""
    index = path.removesuffix("_bulk").strip("/")
    if index and not _INDEX.fullmatch(index):
        raise InvalidInput("the index in the path must be 1 to 255 of letters, digits, '.', '_', '-' and '+'", field="index")
    return index
