"""PostgreSQL's errors in our words, told by their SQLSTATE.

Definite refusals of data are bisected; what an operator must change halts the drain with an alert; everything else (no answer,
timeouts, a restart, a full disk, a standby) may pass by itself, and its outcome is unknown until verified.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from zero.domain.errors import StoreHalted, StoreRejected, StoreUnavailable, ZeroError

FOREIGN = (psycopg.Error, OSError, TimeoutError)
"""What the driver raises."""

# Data exceptions, violated constraints, and values that pass a limit of the program (54): wrong, however often they are sent.
_REJECTED = ("22", "23", "54")
# Not supported, no rights, no such database or schema, syntax error or no such table or column.
_HALTED = ("0A", "28", "3D", "3F", "42")
_NO_PARTITION = "23514"  # the partition of the day was dropped meanwhile: the next try makes it
_TOO_EXPENSIVE = ("57014", "53200", "53400", "54000", "54001", "2201B")
_TEXT_MAX = 500


def sqlstate(error: BaseException) -> str:
    """Return PostgreSQL's code of the error, '' where there is none."""
    return (error.sqlstate or "") if isinstance(error, psycopg.Error) else ""


def is_too_expensive(error: BaseException) -> bool:
    """Say whether a query was stopped by a bound of time, memory or size."""
    return sqlstate(error) in _TOO_EXPENSIVE


def translate(error: BaseException) -> ZeroError:
    """Return the error of our tree for one of the driver's or the system's."""
    state = sqlstate(error)
    text = f"PostgreSQL: {str(error).strip()[:_TEXT_MAX] or type(error).__name__}"
    if state.startswith(_REJECTED) and state != _NO_PARTITION:
        return StoreRejected(text, store_code=int(state, 36))
    if state.startswith(_HALTED):
        return StoreHalted(text, store_code=int(state, 36))
    return StoreUnavailable(text)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the driver and the system raise in the block into errors of our tree."""
    try:
        yield
    except FOREIGN as error:
        raise translate(error) from error
