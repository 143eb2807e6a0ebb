"""What ASGI and WSGI middleware log of a request, and what they bind to everything logged while it lasts."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from zero.client.context import current_span
from zero.client.sender import Sender

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_VISIBLE = re.compile(r"[!-~]{1,128}")


class Request:
    """One request: method, path and what identifies it; neither query string nor headers nor body, where secrets live."""

    def __init__(self, method: str, path: str, client: str, headers: Mapping[str, str]) -> None:
        self._started = time.perf_counter()
        self._about = {"method": method, "path": path, "client": client}
        self.bound: dict[str, Any] = {}
        if _VISIBLE.fullmatch(headers.get("x-request-id", "")):
            self.bound["request_id"] = headers["x-request-id"]
        trace = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
        if trace and current_span() is None:
            self.bound["trace_id"], self.bound["span_id"] = trace[1], trace[2]

    def log(self, sender: Sender, status: int, failure: Mapping[str, str] | None = None, cancelled: bool = False) -> None:
        """Send one entry about the request as a whole."""
        seconds = time.perf_counter() - self._started
        http: dict[str, Any] = {**self._about, "status": status, "duration_ms": round(seconds * 1000, 3)}
        if cancelled:
            http["cancelled"] = True
        fields = {**self.bound, "http": http, **({"exception": failure} if failure else {})}
        level = "ERROR" if failure or status >= 500 else "WARN" if cancelled or status >= 400 else "INFO"
        sender.put(f"{http['method']} {http['path']} {status}", level, time.time_ns(), fields)
