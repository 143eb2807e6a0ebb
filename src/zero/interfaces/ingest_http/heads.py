"""Request heads: checked once, then known by their bytes.

Clients send the same head again and again. The bytes of a head that the parser took whole, from the first to the empty line,
decide everything about it, so a head seen before needs neither parser nor routing.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus

from zero.domain.errors import Forbidden, Unauthenticated, Unavailable, ZeroError
from zero.interfaces.ingest_http.exchange import Handle, Head
from zero.interfaces.ingest_http.options import IngestHttpOptions
from zero.interfaces.ingest_http.reply import HttpRefusal, Reply
from zero.interfaces.ingest_http.routes import Routes

_ORIGIN = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_NEVER_THE_SAME = ("upgrade", "idempotency-key", "traceparent")
_ONCE = ("host", "content-length", "transfer-encoding")


@dataclass(frozen=True, slots=True)
class KnownHead:
    """What a checked head means. Either ``handle`` takes the body, or ``refusal`` answers whatever the body is."""

    handle: Handle | None
    refusal: Reply | None
    content_length: int
    chunked: bool
    keep_alive: bool
    bodiless_reply: bool
    expects_continue: bool
    learnable: bool


@dataclass(slots=True)
class RawHead:
    """A head as it comes out of the parser."""

    method: str
    target: str
    version: str
    fields: list[tuple[str, str]]
    keep_alive: bool


class Heads:
    """Checks heads, and remembers a bounded number of them."""

    def __init__(self, routes: Routes, options: IngestHttpOptions) -> None:
        self._routes = routes
        self._options = options
        self._known: dict[bytes, KnownHead] = {}
        self.get = self._known.get
        routes.keys.on_change(self._known.clear)

    def learn(self, data: bytes, head: KnownHead) -> None:
        """Remember what these bytes, from the first to the empty line, mean. Forgets everything when full: cheap, and rare."""
        if head.learnable and len(data) <= self._options.known_head_bytes_max:
            if len(self._known) >= self._options.known_heads_max:
                self._known.clear()
            self._known[data] = head

    def check(self, raw: RawHead) -> KnownHead:
        """Return what the head means. Raises HttpRefusal when nothing behind it can be trusted."""
        fields = self._fields(raw)
        chunked = _chunked(raw, fields)
        length = int(fields.get("content-length", "0"))
        if length > self._options.body_bytes_max:
            message = f"the body is larger than {self._options.body_bytes_max} bytes"
            raise HttpRefusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", message)
        expects_continue = _expects_continue(fields)
        handle, refusal, lasting = self._find(raw, fields)
        return KnownHead(
            handle=handle,
            refusal=refusal,
            content_length=length,
            chunked=chunked,
            keep_alive=raw.keep_alive and not (refusal and refusal.close),
            bodiless_reply=raw.method == "HEAD",
            expects_continue=expects_continue,
            learnable=lasting and not (chunked or expects_continue or any(name in fields for name in _NEVER_THE_SAME)),
        )

    def _fields(self, raw: RawHead) -> dict[str, str]:
        if len(raw.fields) > self._options.headers_max:
            raise too_many_fields(self._options.headers_max)
        fields: dict[str, str] = {}
        for name, value in raw.fields:
            if name in fields and name in _ONCE:
                raise HttpRefusal(HTTPStatus.BAD_REQUEST, "bad_request", f"the header field {name} may be given only once")
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
        if raw.version == "1.1" and "host" not in fields:
            raise HttpRefusal(HTTPStatus.BAD_REQUEST, "bad_request", "HTTP/1.1 needs the header field Host")
        return fields

    def _find(self, raw: RawHead, fields: dict[str, str]) -> tuple[Handle | None, Reply | None, bool]:
        """Return how to handle it, or the refusal, and whether that is so for good: a key may become known, or come back."""
        target = _ORIGIN.sub("", raw.target, count=1) if raw.target[:1] not in ("/", "*") else raw.target
        path, _, query = target.partition("?")
        head = Head(raw.method, path or "/", query, fields)
        try:
            return self._routes.find(head), None, True
        except HttpRefusal as refusal:
            return None, refusal.reply, True
        except ZeroError as error:
            return None, self._routes.refuse(head, error), not isinstance(error, Unauthenticated | Forbidden | Unavailable)


def too_many_fields(most: int) -> HttpRefusal:
    """Return the refusal of a head with more header fields than allowed."""
    message = f"the request has more than {most} header fields"
    return HttpRefusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", message)


def _chunked(raw: RawHead, fields: dict[str, str]) -> bool:
    """Say whether the body is chunked. Any other transfer coding could be read differently by a proxy before us."""
    coding = fields.get("transfer-encoding")
    if coding is None:
        return False
    if coding.strip().lower() != "chunked" or raw.version != "1.1" or "content-length" in fields:
        message = "the only Transfer-Encoding we read is 'chunked', in HTTP/1.1 and without Content-Length"
        raise HttpRefusal(HTTPStatus.BAD_REQUEST, "bad_request", message)
    return True


def _expects_continue(fields: dict[str, str]) -> bool:
    expect = fields.get("expect")
    if expect is not None and expect.lower() != "100-continue":
        raise HttpRefusal(HTTPStatus.EXPECTATION_FAILED, "expectation_failed", "the only Expect we know is '100-continue'")
    return expect is not None
