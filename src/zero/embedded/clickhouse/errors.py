"""Errors as the ClickHouse HTTP interface shows them: a code, a name, and the HTTP status that goes with the code."""

import re

# Code → HTTP status, as the ClickHouse server maps them; every other code is 500.
_STATUS_OF_CODES: dict[int, frozenset[int]] = {
    401: frozenset({194, 516}),
    403: frozenset({192, 193, 291, 164, 497}),
    400: frozenset({6, 25, 26, 27, 33, 34, 36, 38, 41, 43, 44, 51, 53, 57, 62, 69, 70, 72, 117, 130, 167, 168, 235, 284})
    | frozenset({427, 441, 456, 457}),
    404: frozenset({46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336}),
    408: frozenset({159}),
    411: frozenset({381}),
    413: frozenset({307}),
    501: frozenset({48}),
    503: frozenset({202, 203, 209, 439}),
}
_STATUS = {code: status for status, codes in _STATUS_OF_CODES.items() for code in codes}
_SHAPE = re.compile(r"Code: (\d+)\. DB::Exception: (.*?)(?:\s*\(version [^)]*\)+)?\s*\Z", re.DOTALL)
_NAMED = re.compile(r"\(([A-Z][A-Z0-9_]+)\)\s*\Z")

UNKNOWN = 1002


class EngineError(Exception):
    """A refusal with a ClickHouse error code. ``text`` is the message without code, name and version."""

    def __init__(self, code: int, name: str, text: str) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {text} ({name})")
        self.code = code
        self.name = name
        self.text = text

    @property
    def status(self) -> int:
        """The HTTP status that ClickHouse answers with."""
        return _STATUS.get(self.code, 500)

    def body(self, version: str) -> str:
        """Return the text that a client sees."""
        return f"{self} (version {version} (official build))\n"


def from_engine(message: str) -> EngineError:
    """Read what the engine raised."""
    found = _SHAPE.search(message)
    if found is None:
        return EngineError(UNKNOWN, "UNKNOWN_EXCEPTION", message.strip())
    text = found[2]
    named = _NAMED.search(text)
    name = named[1] if named else "UNKNOWN_EXCEPTION"
    return EngineError(int(found[1]), name, text[: named.start()].rstrip() if named else text)


def authentication_failed(user: str) -> EngineError:
    """Wrong user or password; says no more than that."""
    return EngineError(
        516,
        "AUTHENTICATION_FAILED",
        f"{user}: Authentication failed: password is incorrect, or there is no user with such name.",
    )


def too_many_queries(bound: int) -> EngineError:
    """The bound on concurrent queries was reached."""
    return EngineError(202, "TOO_MANY_SIMULTANEOUS_QUERIES", f"Too many simultaneous queries. Maximum: {bound}.")


def readonly(text: str) -> EngineError:
    """The ``reader`` user asked for more than reading."""
    return EngineError(164, "READONLY", text)


def cancelled() -> EngineError:
    """The query was killed."""
    return EngineError(394, "QUERY_WAS_CANCELLED", "Query was cancelled.")
