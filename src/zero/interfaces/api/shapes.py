"""What the api sends, as JSON."""

import json
import math
from typing import Any

from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from zero.application.meaning.search import Hit
from zero.domain.instant import format_instant
from zero.domain.pattern import format_pattern_id
from zero.domain.stored import StoredEntry


class LogOut(BaseModel):
    """One log. ``metadata`` is flat; integers are exact whatever their size."""

    id: str = Field(description="24 hex digits")
    timestamp: str = Field(description="RFC 3339 with nanoseconds, UTC")
    level: str
    app_id: str
    message: str
    source: str
    environment: str
    trace_id: str
    span_id: str
    user_id: str
    pattern_id: str | None = Field(None, description="16 hex digits; q=pattern_id:… finds the lines of its pattern")
    metadata: dict[str, str | int | float | bool]


class LogsOut(BaseModel):
    """A page of logs, newest first; ``next_cursor`` is null on the last one."""

    logs: list[LogOut]
    next_cursor: str | None


class ProblemOut(BaseModel):
    """What went wrong; ``position`` is the 0-based character of the query."""

    code: str
    message: str
    field: str | None = None
    position: int | None = None


class ErrorOut(BaseModel):
    """Every answer that is not a success has this form."""

    error: ProblemOut


def log_shape(stored: StoredEntry) -> dict[str, Any]:
    """Return the entry as LogOut."""
    entry = stored.entry
    return {
        "id": stored.id,
        "timestamp": format_instant(entry.timestamp_ns),
        "level": entry.level.name,
        "app_id": entry.app_id,
        "message": entry.message,
        "source": entry.source,
        "environment": entry.environment,
        "trace_id": entry.trace_id,
        "span_id": entry.span_id,
        "user_id": entry.user_id,
        **({} if stored.pattern_id is None else {"pattern_id": format_pattern_id(stored.pattern_id)}),
        "metadata": {key: _json_value(value) for key, value in entry.metadata.items()},
    }


def answer_shape(hit: Hit) -> dict[str, Any]:
    """Return how well a pattern answers a question, and why: which of its words answer which, and how near the vectors are."""
    ranked = hit.ranked
    matched = [{"asked": asked, "found": found} for asked, found in hit.matched]
    why = {"words": matched, "words_score": ranked.words, "nearness": ranked.nearness}
    return {"score": ranked.score, "why": why, "pattern_id": format_pattern_id(ranked.pattern_id)}


def to_json(content: Any) -> str:
    """Return compact JSON."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def json_answer(content: Any) -> Response:
    """Return the content as the body of a 200."""
    return Response(to_json(content), media_type="application/json")


def problem(
    status: int,
    code: str,
    message: str,
    *,
    field: str | None = None,
    position: int | None = None,
    retry_after_seconds: float | None = None,
) -> JSONResponse:
    """Return an error answer, an ErrorOut; what is None is left out of it. ``retry_after_seconds`` becomes a header."""
    headers = None if retry_after_seconds is None else {"Retry-After": str(math.ceil(retry_after_seconds))}
    error = ProblemOut(code=code, message=message, field=field, position=position)
    return JSONResponse({"error": error.model_dump(exclude_none=True)}, status, headers)


def _json_value(value: str | int | float | bool) -> str | int | float | bool:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
