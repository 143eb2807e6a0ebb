"""What OTLP says to a sender, in both of its encodings: the same for its HTTP and its gRPC door.

The messages are so small that they are written here: ``ExportLogsServiceResponse`` holds ``partial_success = 1`` with ``int64
rejected_log_records = 1`` and ``string error_message = 2``; ``google.rpc.Status`` holds ``int32 code = 1`` and ``string
message = 2``.
"""

import json

from zero.application.receipt import Receipt
from zero.domain.errors import Forbidden, InvalidInput, Overloaded, Unauthenticated, Unavailable, ZeroError
from zero.domain.varint import varint

_ERRORS_TOLD = 5
_INTERNAL = 13
_CODES: tuple[tuple[type[ZeroError], int], ...] = (
    (InvalidInput, 3),
    (Unauthenticated, 16),
    (Forbidden, 7),
    (Overloaded, 8),
    (Unavailable, 14),
)


def rejection_message(receipt: Receipt) -> str:
    """Return why records were rejected: the first few reasons, with the place of the record in the request."""
    told = [f"record {index}: {reason}" for index, reason in receipt.errors[:_ERRORS_TOLD]]
    more = receipt.rejected - len(told)
    return "; ".join([*told, f"and {more} more"] if more > 0 else told)


def export_response(receipt: Receipt) -> bytes:
    """Return the ``ExportLogsServiceResponse`` as protobuf; it is empty when every record was accepted."""
    if not receipt.rejected:
        return b""
    partial = b"\x08" + varint(receipt.rejected) + _text(2, rejection_message(receipt))
    return b"\x0a" + varint(len(partial)) + partial


def export_response_json(receipt: Receipt) -> bytes:
    """Return the ``ExportLogsServiceResponse`` as OTLP/JSON, in which an int64 is a string."""
    if not receipt.rejected:
        return b"{}"
    partial = {"rejectedLogRecords": str(receipt.rejected), "errorMessage": rejection_message(receipt)}
    return _json({"partialSuccess": partial})


def status_code(error: ZeroError) -> int:
    """Return the number of ``google.rpc.Code`` that says what the error says."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), _INTERNAL)


def status(code: int, message: str) -> bytes:
    """Return a ``google.rpc.Status`` as protobuf."""
    return b"\x08" + varint(code) + _text(2, message)


def status_json(code: int, message: str) -> bytes:
    """Return a ``google.rpc.Status`` as JSON."""
    return _json({"code": code, "message": message})


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _text(number: int, text: str) -> bytes:
    encoded = text.encode("utf-8", "replace")
    return bytes((number << 3 | 2,)) + varint(len(encoded)) + encoded
