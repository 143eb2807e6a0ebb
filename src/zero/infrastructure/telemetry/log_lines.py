"""Our own log lines on standard error: one line an event, as ``key=value`` or as JSON."""

import json
import logging
import sys
import time
from typing import Any

from zero.domain.unseen import escaped

# Every failure they log also comes to us as an exception, and becomes an event with the words of the platform.
_REPEATED_BY_US = ("urllib3", "clickhouse_connect")
_PLAIN = str.maketrans({" ": None, '"': None, "=": None})


class LineFormatter(logging.Formatter):
    """Formats a record and its ``fields`` (an attribute set with ``extra``) as one line."""

    def __init__(self, form: str, role: str) -> None:
        super().__init__()
        self._form = form
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; what is not seen in values is escaped, so that none starts a line, or is obeyed by a terminal."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        values: dict[str, Any] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "role": self._role,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            values["error"] = self.formatException(record.exc_info)
        if self._form == "json":
            return escaped(json.dumps(values, default=str, ensure_ascii=False))
        return " ".join(f"{key}={_quoted(value)}" for key, value in values.items())


def _quoted(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    if text and text.isprintable() and text.translate(_PLAIN) == text:
        return text
    return escaped(json.dumps(text, ensure_ascii=False))


def write_log_lines(form: str, level: str, role: str) -> None:
    """Send every log record of this process to standard error as one line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(form, role))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.raiseExceptions = False
    for name in _REPEATED_BY_US:
        logging.getLogger(name).setLevel(logging.CRITICAL)
