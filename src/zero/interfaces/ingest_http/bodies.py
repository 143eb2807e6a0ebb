"""What a head says about the bodies under it, whatever their protocol: media type, content coding, key and acknowledgement."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from zero.application.identity import Identity
from zero.application.ports import Decompressor
from zero.application.submission import Ack, Decode, Submission, Waiter, checked_key, parse_ack
from zero.domain.errors import UnsupportedMedia
from zero.interfaces.ingest_http.exchange import Exchange, Head

PROTOBUF_TYPES = ("application/x-protobuf", "application/protobuf")

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s;\"']*)", re.IGNORECASE)


def media_type(head: Head) -> str:
    """Return the media type of the bodies, in lower case and without parameters. Raises UnsupportedMedia."""
    media, _, parameters = head.get("content-type").partition(";")
    charset = _CHARSET.search(parameters)
    if charset and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMedia("bodies are read as UTF-8 only", field="Content-Type")
    return media.strip().lower()


def unknown_media(media: str, known: str) -> UnsupportedMedia:
    """Return the refusal of a media type; ``known`` names those that the door reads."""
    return UnsupportedMedia(f"content type '{media[:100]}' is not one we read; send {known}", field="Content-Type")


@dataclass(frozen=True, slots=True)
class Terms:
    """Who sends the bodies, in whose trace, what they wait for, and how to undo their content coding, if they have one."""

    identity: Identity
    key: str | None
    ack: Ack | None
    decompress: Callable[[bytes], bytes] | None
    trace: str

    def submission(self, body: bytes, decode: Decode, exchange: Exchange, waiter: Waiter) -> Submission:
        """Return one body as the ingest side takes it."""
        who, key, ack, decompress, trace = self.identity, self.key, self.ack, self.decompress, self.trace
        return Submission(body, decode, exchange.source, waiter, who, key, ack, decompress, trace)


class Bodies:
    """Reads what all doors have in common out of a head."""

    def __init__(self, decompressor: Decompressor, body_bytes_max: int) -> None:
        self._decompressor = decompressor
        self._body_bytes_max = body_bytes_max

    def terms(self, head: Head, encoding: str) -> Terms:
        """Return the terms of bodies in that content coding. Raises InvalidInput."""
        ack = parse_ack(head.headers["zero-ack"]) if "zero-ack" in head.headers else None
        key = checked_key(head.headers["idempotency-key"]) if "idempotency-key" in head.headers else None
        decompress = partial(self._decompress, encoding) if encoding else None
        return Terms(head.identity, key, ack, decompress, head.get("traceparent"))

    def encoding(self, head: Head) -> str:
        """Return the content coding of the bodies, '' for none. Raises UnsupportedMedia."""
        encoding = head.get("content-encoding").strip().lower()
        if encoding in ("", "identity"):
            return ""
        if not self._decompressor.reads(encoding):
            raise UnsupportedMedia(
                f"content encoding '{encoding[:100]}' is not one we read; send one of gzip, deflate, zstd, snappy, lz4, once",
                field="Content-Encoding",
            )
        return encoding

    def _decompress(self, encoding: str, body: bytes) -> bytes:
        return self._decompressor.decompress(encoding, body, self._body_bytes_max)
