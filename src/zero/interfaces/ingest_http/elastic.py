"""How Elasticsearch words what it says: its media types, its errors, and the field that its clients look for in each answer."""

import json
import re

from zero.domain.errors import Forbidden, Overloaded, TooLarge, Unauthenticated, Unavailable, UnsupportedMedia, ZeroError
from zero.interfaces.ingest_http.exchange import Head
from zero.interfaces.ingest_http.reply import JSON, Reply, headers_for, message_for, status_of

_PRODUCT = (b"X-Elastic-Product", b"Elasticsearch")
_COMPATIBLE = re.compile(r"application/vnd\.elasticsearch\+(?:x-nd)?json\s*;\s*compatible-with\s*=\s*([789])\b", re.IGNORECASE)
_TYPES: tuple[tuple[type[ZeroError], str], ...] = (
    (TooLarge, "content_too_long_exception"),
    (UnsupportedMedia, "media_type_header_exception"),
    (Unauthenticated, "security_exception"),
    (Forbidden, "security_exception"),
    (Overloaded, "es_rejected_execution_exception"),
    (Unavailable, "no_shard_available_action_exception"),
)


def answer_type(head: Head) -> bytes:
    """Return the media type of the answers: with the version that the client asks for, if it does."""
    asked = _COMPATIBLE.search(head.get("accept"))
    return f"application/vnd.elasticsearch+json;compatible-with={asked[1]}".encode() if asked else JSON


def answer(body: bytes, content_type: bytes) -> Reply:
    """Return a good answer."""
    return Reply(200, body, content_type, (_PRODUCT,))


def json_answer(value: object, content_type: bytes) -> Reply:
    """Return a good answer with that value."""
    return answer(json.dumps(value, separators=(",", ":")).encode(), content_type)


def error_answer(error: ZeroError, content_type: bytes) -> Reply:
    """Return the answer for an error."""
    kind = next((name for known, name in _TYPES if isinstance(error, known)), "illegal_argument_exception")
    if status_of(error) >= 500 and not isinstance(error, Unavailable):
        kind = "exception"
    cause = {"type": kind, "reason": message_for(error)}
    body = {"error": {"root_cause": [cause], **cause}, "status": status_of(error)}
    return Reply(
        status_of(error), json.dumps(body, separators=(",", ":")).encode(), content_type, (_PRODUCT, *headers_for(error))
    )


def refuse(head: Head, error: ZeroError) -> Reply:
    """Return the refusal of a head."""
    return error_answer(error, answer_type(head))
