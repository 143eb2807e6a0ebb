"""A reply, apart from how a protocol version frames it."""

import json
from http import HTTPStatus
from typing import NamedTuple

from zero.domain.errors import (
    Forbidden,
    InvalidInput,
    KeyReused,
    Overloaded,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
    ZeroError,
)

JSON = b"application/json"
_INTERNAL = "the request could not be handled; the log of this process says why"
CHALLENGE = (b"WWW-Authenticate", b'Bearer realm="zero"')


class Reply(NamedTuple):
    """Status, body and the header fields beyond the usual ones. ``close`` ends the connection after it; ``reason`` is the code
    of the error that it tells, for the metric alone."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    close: bool = False
    reason: str = ""


class HttpRefusal(Exception):
    """Raised where a request breaks the rules of HTTP itself."""

    def __init__(self, status: int, code: str, message: str, *, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.reply = error_reply(status, code, message, headers=headers)


def status_of(error: ZeroError) -> int:
    """Return the status that says what the error says."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR


def headers_for(error: ZeroError) -> tuple[tuple[bytes, bytes], ...]:
    """Return the header fields that belong to an error: ``Retry-After`` where trying again can help, how to show a key."""
    if isinstance(error, Overloaded | Unavailable):
        return ((b"Retry-After", b"%d" % max(1, round(error.retry_after_seconds))),)
    return (CHALLENGE,) if isinstance(error, Unauthenticated) else ()


def message_for(error: ZeroError) -> str:
    """Return what a sender may read of an error."""
    if isinstance(error, InvalidInput | Unauthenticated | Forbidden | Overloaded | Unavailable):
        return error.message
    return _INTERNAL


def reply_for(error: ZeroError) -> Reply:
    """Return the JSON reply for an error."""
    field, position = (error.field, error.position) if isinstance(error, InvalidInput) else (None, None)
    headers = headers_for(error)
    return error_reply(status_of(error), error.code, message_for(error), headers=headers, field=field, position=position)


def error_reply(
    status: int,
    code: str,
    message: str,
    *,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    field: str | None = None,
    position: int | None = None,
) -> Reply:
    """Return ``{"error": {"code", "message", "field"?, "position"?}}`` with the status."""
    error: dict[str, object] = {"code": code, "message": message}
    if field is not None:
        error["field"] = field
    if position is not None:
        error["position"] = position
    return Reply(status, json.dumps({"error": error}, separators=(",", ":")).encode(), headers=headers, reason=code)


_STATUS: tuple[tuple[type[ZeroError], int], ...] = (
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (UnsupportedMedia, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (KeyReused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (InvalidInput, HTTPStatus.BAD_REQUEST),
    (Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (Overloaded, HTTPStatus.TOO_MANY_REQUESTS),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)

INTERNAL_ERROR = error_reply(HTTPStatus.INTERNAL_SERVER_ERROR, "error", _INTERNAL)
