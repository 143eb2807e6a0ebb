"""What the gRPC door reports about itself."""

from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event


@dataclass(frozen=True, slots=True)
class RpcFailed(Event):
    """An RPC that did not end with OK. ``code`` is the gRPC status."""

    name: ClassVar[str] = "grpc_rpc_failed"
    labels: ClassVar[tuple[str, ...]] = ("code",)
    cases: ClassVar[tuple[tuple[str, ...], ...]] = (("INVALID_ARGUMENT",), ("RESOURCE_EXHAUSTED",), ("UNAVAILABLE",))
    help: ClassVar[str] = "RPCs that did not end with OK"

    code: str


@dataclass(frozen=True, slots=True)
class RpcBroken(Event):
    """A defect of ours met while an RPC was handled; the client got INTERNAL."""

    name: ClassVar[str] = "grpc_rpc_broken"
    level: ClassVar[str | None] = "error"
    help: ClassVar[str] = "RPCs answered with INTERNAL"

    message: str
