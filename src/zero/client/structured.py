"""structlog and loguru, by their own plain interfaces: neither is imported."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, MutableMapping
from datetime import datetime
from typing import Any

from zero.client.handler import exception_fields
from zero.client.lines import level_name
from zero.client.sender import Sender

_NANOSECONDS_MAX = 1 << 63
_UNITS = ((1e11, 10**9), (1e14, 10**6), (1e17, 1000), (_NANOSECONDS_MAX, 1))
"""Numbers below so much are seconds, milliseconds, microseconds or nanoseconds since 1970, as the door reads them."""


class StructlogProcessor:
    """A processor of structlog: sends the event and passes it on; the last of a chain is made with ``last=True``.

    Put it before the renderer, behind what adds fields, as ``merge_contextvars``.
    """

    def __init__(self, sender: Sender, last: bool = False) -> None:
        self._sender = sender
        self._last = last

    def __call__(self, logger: Any, method: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Send one event."""
        try:
            self._send(method, event_dict)
        except Exception:
            self._sender.inbox.dropped_newest += 1
        if self._last:
            raise sys.modules["structlog"].DropEvent
        return event_dict

    def _send(self, method: str, event_dict: Mapping[str, Any]) -> None:
        fields = dict(event_dict)
        message, level = fields.pop("event", ""), str(fields.pop("level", method))
        when = _nanoseconds(fields, "timestamp")
        raised = fields.pop("exc_info", None)
        if raised is True or (raised is None and method == "exception"):
            raised = sys.exc_info()
        elif isinstance(raised, BaseException):
            raised = (type(raised), raised, raised.__traceback__)
        if raised and isinstance(raised, tuple) and raised[0] is not None:
            fields["exception"] = exception_fields(raised)
        self._sender.put(str(message), "ERROR" if level == "exception" else level, when, fields)


class LoguruSink:
    """A sink of loguru: ``logger.add(LoguruSink(sender))``. It needs no ``enqueue``: the sender has a queue."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def __call__(self, message: Any) -> None:
        """Send one message of loguru."""
        try:
            self._send(message.record)
        except Exception:
            self._sender.inbox.dropped_newest += 1

    def _send(self, record: Mapping[str, Any]) -> None:
        fields = {
            "logger": record["name"],
            "file": record["file"].path,
            "line": record["line"],
            "function": record["function"],
            "thread": record["thread"].name,
            "process": record["process"].id,
            **record["extra"],
        }
        if record["exception"] is not None:
            fields["exception"] = exception_fields(tuple(record["exception"]))
        nanoseconds = int(record["time"].timestamp() * 1e6) * 1000
        self._sender.put(record["message"], level_name(record["level"].no), nanoseconds, fields)


def _nanoseconds(fields: dict[str, Any], name: str) -> int:
    """Take the time out of the fields, ISO 8601 or a number; what cannot be read stays where it is."""
    value = fields.get(name)
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < _NANOSECONDS_MAX:
            scale = next(scale for below, scale in _UNITS if value < below)
            nanoseconds = value * scale if isinstance(value, int) else int(value * scale / 1000) * 1000
            del fields[name]
            return nanoseconds
    except (ValueError, OverflowError, OSError):
        pass
    return time.time_ns()
