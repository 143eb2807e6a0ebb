"""From bytes to requests, without input or output of its own: llhttp, the limits around it, and a short cut for known heads."""

from enum import Enum
from http import HTTPStatus
from typing import Protocol

import httptools

from zero.interfaces.ingest_http.heads import Heads, KnownHead, RawHead, too_many_fields
from zero.interfaces.ingest_http.options import IngestHttpOptions
from zero.interfaces.ingest_http.reply import HttpRefusal

_FIELD_OVERHEAD_BYTES = 4  # colon, space, CR, LF
_CHUNK_OVERHEAD = 8  # wire bytes for each byte of body: '1\r\nx\r\n' is 6
_CHUNK_ALLOWANCE_BYTES = 16 * 1024
_HEAD_END = b"\r\n\r\n"


class Phase(Enum):
    """What the next byte belongs to."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"


_IDLE, _HEAD, _BODY = Phase.IDLE, Phase.HEAD, Phase.BODY  # an enum's members are slow to look up, and this is the hot path


class BodyBudget:
    """Bytes of bodies that are still arriving, over all connections of the process."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.used = 0

    def take(self, size: int) -> None:
        """Raise HttpRefusal when the process holds as many bytes as it may."""
        if self.used + size > self.bytes_max:
            message = "too many bytes of unfinished bodies; try again"
            raise HttpRefusal(HTTPStatus.TOO_MANY_REQUESTS, "overloaded", message, headers=((b"Retry-After", b"1"),))
        self.used += size


class Receiver(Protocol):
    """Who takes what the reader finds, in the order of arrival."""

    def head_arrived(self, head: KnownHead) -> None:
        """Take a head whose body is not there yet."""

    def request_arrived(self, head: KnownHead, body: bytes) -> None:
        """Take a complete request."""


class Shared(Protocol):
    """What the connections of a process share. ``now`` is monotonic, in seconds, and coarse."""

    heads: Heads
    options: IngestHttpOptions
    budget: BodyBudget
    now: float


class MessageReader:
    """Reads the requests of one connection."""

    def __init__(self, shared: Shared, receiver: Receiver) -> None:
        self._heads = shared.heads
        self._options = shared.options
        self._budget = shared.budget
        self._shared = shared
        self._receiver = receiver
        self._parser = httptools.HttpRequestParser(self)
        self._refusal: HttpRefusal | None = None
        self._fields: list[tuple[str, str]] = []
        self._target = b""
        self._parts: list[bytes] = []
        self._head: KnownHead | None = None
        self._head_bytes = 0
        self._heads_found = 0
        self._wire_bytes = 0
        self._upgrading = False
        self.phase = _IDLE
        self.phase_since = 0.0
        self.body_bytes = 0

    def feed(self, data: bytes, start: int) -> int:
        """Read on from ``start``, up to one request. Returns where to go on. Raises HttpRefusal: then nothing more is read."""
        end = 0
        if self.phase is _IDLE:
            end = data.find(_HEAD_END, start) + len(_HEAD_END)
            known = self._heads.get(data[start:end])
            if known is not None and end + known.content_length <= len(data):
                stop = end + known.content_length
                self._receiver.request_arrived(known, data[end:stop])
                return stop
            return self._feed_head(data, start, end)
        if self.phase is _HEAD or self._head is None or self._head.chunked:
            return self._parse(data, start, len(data))
        stop = min(len(data), start + self._head.content_length - self.body_bytes)
        return self._take_body(data, start, stop) if self._upgrading else self._parse(data, start, stop)

    def release(self) -> None:
        """Give up an unfinished body."""
        self._budget.used -= sum(map(len, self._parts))
        self._parts.clear()

    def _feed_head(self, data: bytes, start: int, end: int) -> int:
        """Feed a head alone where its end is in sight, so that what the parser says of it belongs to just these bytes."""
        self._enter(_HEAD)
        if end < len(_HEAD_END) or data[start] in b"\r\n":
            return self._parse(data, start, len(data))
        self._heads_found = 0
        stop = self._parse(data, start, end)
        if self._heads_found == 1 and stop == end and self._head:
            self._heads.learn(data[start:end], self._head)
        return stop

    def _parse(self, data: bytes, start: int, stop: int) -> int:
        piece = data[start:stop]
        self._wire_bytes += len(piece)
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:  # we speak nothing else: what follows is HTTP/1.1 still
            self._parser = httptools.HttpRequestParser(self)
            stop = start + upgrade.args[0]
        except httptools.HttpParserError as error:
            reason = f"malformed HTTP: {error}"
            raise self._refusal or HttpRefusal(HTTPStatus.BAD_REQUEST, "bad_request", reason) from error
        if self.phase is _HEAD:
            self._check_head_size(self._wire_bytes)
        elif self.phase is _BODY and self._head and self._head.chunked:
            self._check_chunk_overhead()
        return stop

    def _take_body(self, data: bytes, start: int, stop: int) -> int:
        """Take a body past the parser, which leaves those of requests with ``Upgrade`` to the other protocol."""
        self.on_body(data[start:stop])
        if self._head and self.body_bytes == self._head.content_length:
            self._upgrading = False
            self.on_message_complete()
        return stop

    # What httptools calls. An exception in here stops the parser, which then raises one of its own.

    def on_message_begin(self) -> None:
        self._enter(_HEAD)
        self._fields, self._target, self._head_bytes = [], b"", 0

    def on_url(self, url: bytes) -> None:
        self._target += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value) + _FIELD_OVERHEAD_BYTES)
        if len(self._fields) > self._options.headers_max:
            self._refuse(too_many_fields(self._options.headers_max))
        self._fields.append((name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")))

    def on_headers_complete(self) -> None:
        parser = self._parser
        method, version = parser.get_method().decode("latin-1"), parser.get_http_version()
        keep_alive = parser.should_keep_alive() and method != "CONNECT"
        try:
            self._head = self._heads.check(RawHead(method, self._target.decode("latin-1"), version, self._fields, keep_alive))
        except HttpRefusal as refusal:
            self._refuse(refusal)
        if parser.should_upgrade() and self._head and self._head.chunked:
            self._refuse(HttpRefusal(HTTPStatus.BAD_REQUEST, "bad_request", "a request to upgrade cannot have a chunked body"))
        self._upgrading = bool(parser.should_upgrade() and self._head and self._head.content_length)
        self._heads_found += 1
        self._wire_bytes = self.body_bytes = 0
        self._enter(_BODY)
        if self._head and (self._head.content_length or self._head.chunked):
            self._receiver.head_arrived(self._head)

    def on_body(self, piece: bytes) -> None:
        self.body_bytes += len(piece)
        if self.body_bytes > self._options.body_bytes_max:
            message = f"the body is larger than {self._options.body_bytes_max} bytes"
            self._refuse(HttpRefusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", message))
        if self._head and self._head.refusal:
            return  # it is answered already, whatever it says
        try:
            self._budget.take(len(piece))
        except HttpRefusal as refusal:
            self._refuse(refusal)
        self._parts.append(piece)

    def on_message_complete(self) -> None:
        if self._upgrading:
            return  # says the parser, which has not looked at the body
        body = b"".join(self._parts)
        self.release()
        self._wire_bytes = 0
        self._enter(_IDLE)
        if self._head:
            self._receiver.request_arrived(self._head, body)

    def _enter(self, phase: Phase) -> None:
        self.phase, self.phase_since = phase, self._shared.now

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        self._check_head_size(self._head_bytes)

    def _check_head_size(self, size: int) -> None:
        if size > self._options.head_bytes_max:
            message = f"request line and header fields are larger than {self._options.head_bytes_max} bytes"
            self._refuse(HttpRefusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", message))

    def _check_chunk_overhead(self) -> None:
        if self._wire_bytes > self.body_bytes * _CHUNK_OVERHEAD + _CHUNK_ALLOWANCE_BYTES:
            message = "the chunked body is mostly chunk extensions"
            self._refuse(HttpRefusal(HTTPStatus.BAD_REQUEST, "bad_request", message))

    def _refuse(self, refusal: HttpRefusal) -> None:
        self._refusal = refusal
        raise refusal
