"""``logging``'s handler.

On the thread that logs: the message is formatted, a traceback becomes text, ``extra`` and what is bound to the context are
copied, the active span is read; then one append. On the sender's thread: everything else. So nothing that the application
changes or lets go of afterwards is looked at again, and nothing of it is kept alive.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from operator import itemgetter
from typing import Any

from zero.client.context import bound_fields, current_span
from zero.client.lines import FIELDS, Site, level_name
from zero.client.metadata import metadata_of, shortened
from zero.client.receipt import Receipt
from zero.client.sender import Sender

_USUAL_HERE = frozenset(vars(logging.makeLogRecord({})))
_USUAL = _USUAL_HERE | {"message", "asctime", "taskName"}
_USUAL_COUNT = len(_USUAL_HERE)
_SITE = frozenset(Site._fields)
_SITE_KEYS = ("levelno", "name", "pathname", "lineno", "funcName", "threadName", "process")
_site_of: itemgetter[Any] = itemgetter(*_SITE_KEYS, *(["taskName"] if "taskName" in _USUAL_HERE else []))
_modules = sys.modules


class ZeroHandler(logging.Handler):
    """Sends what is logged. ``ZeroHandler(url=…, app_id=…, api_key=…)``; the other options are those of SenderOptions.

    ``context`` names variables (ContextVar) whose values become metadata under their names. Without ``sender`` it makes one of
    its own, which is closed with it.
    """

    def __init__(
        self,
        level: int | str = logging.NOTSET,
        context: Iterable[ContextVar[Any]] = (),
        sender: Sender | None = None,
        **options: Any,
    ) -> None:
        if sender is not None and options:
            raise TypeError(f"with a sender, its options are its own: {', '.join(sorted(options))}")
        super().__init__(level)
        self._owned = sender is None
        self.sender = Sender(**options) if sender is None else sender
        self.sender.closed_by_logging = self.sender.closed_by_logging or self._owned
        self._context = tuple(context)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {logging.getLevelName(self.level)}: {self.sender!r}>"

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record, without a lock: the queue needs none."""
        if self.filters:
            passed: Any = self.filter(record)
            if not passed:
                return False
            if isinstance(passed, logging.LogRecord):
                record = passed
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record. Never raises, and never waits unless ``overflow`` is ``block``."""
        try:
            inbox = self.sender.inbox
            if inbox.closed and self._owned:  # logging closes all handlers when it is configured, also those that stay
                self.sender.reopen()
                inbox = self.sender.inbox
            known = record.__dict__
            if inbox.reader == (known["thread"] or threading.get_ident()):
                self.sender.own_records += 1  # of whatever the sender itself uses: sending it would make more of it
                return
            message = record.getMessage() if self.formatter is None else self.formatter.format(record)
            site = _site_of(known)
            fields = len(known)
            if fields != _USUAL_COUNT:  # the formatter of another handler leaves these two behind
                fields -= ("message" in known) + ("asctime" in known)
            if (
                fields == _USUAL_COUNT
                and not known["exc_info"]
                and not known["stack_info"]
                and not self._context
                and not bound_fields()
            ):
                span = current_span() if "opentelemetry.trace" in _modules else None
                inbox.put((known["created"], message, "", span, site), len(message))
                return
            self._put_with_fields(record, message, site)
        except Exception as error:
            self._put_unformatted(record, error)

    def flush(  # type: ignore[override]
        self, wait_for: str = "durable", timeout_seconds: float | None = None
    ) -> list[Receipt]:
        """Wait until what was logged is delivered; return the receipts (see Sender.flush)."""
        return self.sender.flush(wait_for, timeout_seconds)

    def counters(self) -> dict[str, int]:
        """Return what became of the entries so far."""
        return self.sender.counters()

    def close(self) -> None:
        """Deliver what waits, and end; what is logged later all the same opens an own sender again."""
        if self._owned:
            self.sender.close()
        super().close()

    def _put_unformatted(self, record: logging.LogRecord, error: Exception) -> None:
        """Queue what can be said of a record whose message cannot be made."""
        try:
            message = f"{record.msg!s} (not formatted: {type(error).__name__}: {error})"
            self._put_with_fields(record, message, _site_of(record.__dict__))
        except Exception:
            self.sender.inbox.dropped_newest += 1

    def _put_with_fields(self, record: logging.LogRecord, message: str, site: tuple[Any, ...]) -> None:
        fields = self._fields(record)
        span = current_span()
        if not _SITE.isdisjoint(fields) or not FIELDS.keys().isdisjoint(fields):
            own = {name: value for name, value in Site(*site)._asdict().items() if name != "level" and value is not None}
            if span is not None:
                own.update(trace_id=f"{span[0]:032x}", span_id=f"{span[1]:016x}")
            own.update(fields)
            line = self.sender.lines.entry(message, level_name(record.levelno), int(record.created * 1e6) * 1000, own)
            self.sender.inbox.put(line, len(line))
            return
        more = metadata_of(fields)
        self.sender.inbox.put((record.created, message, more, span, site), len(message) + len(more))

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the metadata of a record beyond where it was logged; what is given with it wins over what surrounds it."""
        fields: dict[str, Any] = {}
        for variable in self._context:
            value = variable.get(None)
            if value is not None:
                fields[variable.name] = value
        fields.update(bound_fields())
        fields.update((name, value) for name, value in record.__dict__.items() if name not in _USUAL)
        if record.exc_info:
            fields["exception"] = exception_fields(record.exc_info, record.exc_text)
        if record.stack_info:
            fields["stack"] = shortened(record.stack_info)
        return fields


def exception_fields(exc_info: Any, text: str | None = None) -> Mapping[str, str]:
    """Return type, message and stack trace of what ``sys.exc_info()`` returned."""
    kind, error, frames = exc_info
    if kind is None:
        return {}
    try:
        said = str(error)
    except Exception:
        said = "(cannot be shown)"
    stack = text or "".join(traceback.format_exception(kind, error, frames))
    return {"type": f"{kind.__module__}.{kind.__qualname__}", "message": shortened(said), "stacktrace": shortened(stack)}
