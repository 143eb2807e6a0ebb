"""The span that the present task works for, if it is traced."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from zero.application.ports.tracing import Span

_current: ContextVar[Span | None] = ContextVar("zero_span", default=None)


def traceparent() -> str:
    """Return what to tell those who are asked now, as the header ``traceparent``; '' when nothing is traced."""
    span = _current.get()
    return "" if span is None else span.traceparent


@contextmanager
def within(span: Span) -> Iterator[Span]:
    """Work for the span, which ends with the block."""
    before = _current.set(span)
    error = ""
    try:
        yield span
    except BaseException as problem:
        error = getattr(problem, "code", "") or type(problem).__name__
        raise
    finally:
        _current.reset(before)
        span.end(error)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Do a part of the present work, if that is traced."""
    span = _current.get()
    if span is None:
        yield
        return
    with within(span.child(name)):
        yield
