"""What surrounds a log: fields bound to the context, and the active span of OpenTelemetry."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

_bound: ContextVar[Mapping[str, Any]] = ContextVar("zero_bound", default={})  # noqa: B039 - never changed, only replaced
bound_fields = _bound.get
_modules = sys.modules


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Give every entry of this thread or task the fields for as long as the block lasts."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        with suppress(ValueError):  # the block may end in another context than it began
            _bound.reset(token)


def bind(**fields: Any) -> None:
    """Give every entry of this thread or task the fields from now on."""
    _bound.set({**_bound.get(), **fields})


def unbind(*names: str) -> None:
    """Take fields back."""
    _bound.set({name: value for name, value in _bound.get().items() if name not in names})


def current_span() -> tuple[int, int] | None:
    """Return (trace id, span id) of the active span; None without one, or while OpenTelemetry is not imported."""
    trace = _modules.get("opentelemetry.trace")
    if trace is None:
        return None
    try:
        context = trace.get_current_span().get_span_context()
        return (context.trace_id, context.span_id) if context.is_valid else None
    except Exception:
        return None
