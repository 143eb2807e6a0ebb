"""Traces of our own work: what a request or a block took, step by step."""

from collections.abc import Sequence
from typing import Protocol


class Span(Protocol):
    """A stretch of work that is being traced. Nothing here raises or blocks."""

    @property
    def traceparent(self) -> str:
        """What names this span to those who are asked on its behalf (W3C Trace Context)."""

    def child(self, name: str, start_ns: int | None = None, links: Sequence[str] = ()) -> "Span":
        """Begin a part of it, now or at a time of before; ``links`` are the traceparents of others that it is done for, too."""

    def note(self, name: str, value: str | int) -> None:
        """Keep a fact about it."""

    def end(self, error: str = "", end_ns: int | None = None) -> None:
        """It is over, for that error if there was one."""


class Tracer(Protocol):
    """Where traces begin."""

    def begin(self, name: str, traceparent: str = "", start_ns: int | None = None, *, serves: bool = False) -> Span | None:
        """Begin to trace, within the caller's trace if it names one; None when this is not to be traced.

        ``serves``: it is a request of somebody else. Never raises, never blocks.
        """
