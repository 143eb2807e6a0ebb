"""What standard error is told: one kind of trouble at most once in a while, and never a secret."""

from __future__ import annotations

import sys
import time


class Complaints:
    """Tells, and counts what it did not tell."""

    def __init__(self, seconds: float, secret: str) -> None:
        self._seconds = seconds
        self._secret = secret
        self._told: dict[str, float] = {}
        self._untold: dict[str, int] = {}

    def tell(self, kind: str, text: str) -> None:
        """Write a line, unless one of that kind was written a moment ago. Never raises."""
        now = time.monotonic()
        if kind in self._told and now - self._told[kind] < self._seconds:
            self._untold[kind] = self._untold.get(kind, 0) + 1
            return
        self._told[kind] = now
        more = self._untold.pop(kind, 0)
        if self._secret:
            text = text.replace(self._secret, "***").replace(repr(self._secret)[1:-1], "***")
        try:
            sys.stderr.write(f"zero.client: {text}{f' ({more} more like this)' if more else ''}\n")
        except Exception:
            return
