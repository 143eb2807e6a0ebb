"""Errors become answers of one form, here and nowhere else."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from zero.domain.errors import (
    Forbidden,
    InvalidInput,
    NotFound,
    Overloaded,
    QueryTooExpensive,
    StoreHalted,
    TooLarge,
    Unauthenticated,
    Unavailable,
    ZeroError,
)
from zero.interfaces.api.shapes import problem

_STATUS: tuple[tuple[type[ZeroError], int], ...] = (
    (TooLarge, 413),
    (QueryTooExpensive, 422),
    (NotFound, 404),
    (InvalidInput, 400),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (Overloaded, 429),
    (Unavailable, 503),
    (StoreHalted, 503),
)
_OPERATOR_SECONDS = 30
"""What a 503 asks for that only an operator can end: every 503 says when to come again."""
_DOORS = ("/api/logs", "/v1/logs", "/_bulk", "/loki/api/v1/push")


def zero_problem(error: ZeroError) -> JSONResponse:
    """Return the answer for an error of the platform."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    answer = problem(
        status,
        error.code,
        error.message,
        field=getattr(error, "field", None),
        position=getattr(error, "position", None),
        retry_after_seconds=getattr(error, "retry_after_seconds", _OPERATOR_SECONDS if status == 503 else None),
    )
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="zero"'
    return answer


def install(app: FastAPI) -> None:
    """Give the app its error handlers."""

    @app.exception_handler(ZeroError)
    async def on_zero_error(request: Request, error: ZeroError) -> JSONResponse:
        return zero_problem(error)

    @app.exception_handler(RequestValidationError)
    async def on_validation(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            at = int(first["loc"][-1])
            return problem(400, "invalid_input", f"the body is not valid JSON at character {at}", position=at)
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if isinstance(error.body, bytes) and media != "application/json":
            message = f"the body has to be JSON: send it as 'Content-Type: application/json', not '{media[:100]}'"
            return problem(415, "unsupported_media_type", message, field="Content-Type")
        field = ".".join(str(place) for place in first["loc"][1:]) or None
        return problem(400, "invalid_input", f"{field or 'the body'}: {first['msg']}", field=field)

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        code = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}.get(error.status_code, "error")
        hint = "; logs are sent to ingest, at ZERO_INGEST_HTTP" if request.url.path.endswith(_DOORS) else ""
        answer = problem(error.status_code, code, f"{request.method} {request.url.path}: {str(error.detail).lower()}{hint}")
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def on_bug(request: Request, error: Exception) -> JSONResponse:
        return problem(500, "internal", "an error of ours; the log of the api has it")
