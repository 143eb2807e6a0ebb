"""Errors as gRPC statuses.

``RetryInfo`` marks what may pass later; without it RESOURCE_EXHAUSTED means that the request never will. It goes out twice:
among the details of ``google.rpc.Status``, as the specification says, and alone, where the OpenTelemetry SDK of Python looks.
"""

from dataclasses import dataclass
from typing import Any

from grpc import StatusCode

from zero.domain.errors import (
    Forbidden,
    InvalidInput,
    NotFound,
    Overloaded,
    StoreUnavailable,
    TooLarge,
    Unauthenticated,
    Unavailable,
    ZeroError,
)
from zero.interfaces.ingest_grpc.messages import encoded, message

_MESSAGE_CHARACTERS = 1000
_TYPE_URL = "type.googleapis.com/"
_INTERNAL = "the request could not be handled; the log of this process says why"

Metadata = tuple[tuple[str, str | bytes], ...]

_CODES: tuple[tuple[type[ZeroError], StatusCode], ...] = (
    (TooLarge, StatusCode.RESOURCE_EXHAUSTED),
    (NotFound, StatusCode.NOT_FOUND),
    (InvalidInput, StatusCode.INVALID_ARGUMENT),
    (Unauthenticated, StatusCode.UNAUTHENTICATED),
    (Forbidden, StatusCode.PERMISSION_DENIED),
    (Overloaded, StatusCode.RESOURCE_EXHAUSTED),
    (StoreUnavailable, StatusCode.UNAVAILABLE),
    (Unavailable, StatusCode.UNAVAILABLE),
)


@dataclass(frozen=True, slots=True)
class RpcStatus:
    """How an RPC ends when it fails."""

    code: StatusCode
    message: str
    metadata: Metadata = ()


class RpcFailure(Exception):
    """Raised where an RPC breaks a rule that is gRPC's own."""

    def __init__(self, status: RpcStatus) -> None:
        super().__init__(status.message)
        self.status = status


def status_of(error: ZeroError, detail: Any = None) -> RpcStatus:
    """Return the status of an error, with ``detail``, a message, among its details."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), StatusCode.INTERNAL)
    text = error.message[:_MESSAGE_CHARACTERS] if code is not StatusCode.INTERNAL else _INTERNAL
    details, metadata = [] if detail is None else [detail], []
    if isinstance(error, Overloaded | Unavailable):
        retry = _retry_info(error.retry_after_seconds)
        details.append(retry)
        metadata.append(("google.rpc.retryinfo-bin", retry.SerializeToString()))
    if details:
        packed = [{"type_url": _TYPE_URL + one.DESCRIPTOR.full_name, "value": one.SerializeToString()} for one in details]
        whole = encoded("google.rpc.Status", code=code.value[0], message=text, details=packed)
        metadata.append(("grpc-status-details-bin", whole))
    return RpcStatus(code, text, tuple(metadata))


def _retry_info(seconds: float) -> Any:
    whole = int(seconds)
    return message("google.rpc.RetryInfo", retry_delay={"seconds": whole, "nanos": int((seconds - whole) * 1e9)})
