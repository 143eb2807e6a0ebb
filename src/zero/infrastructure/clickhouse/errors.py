"""ClickHouse's errors in our words.

Definite refusals of data are bisected; what an operator must change halts the drain with an alert; everything else (no answer,
timeouts, overload, disk full, read-only) may pass by itself, and its outcome is unknown until verified.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_connect.driver.exceptions import ClickHouseError, Error

from zero.domain.errors import StoreHalted, StoreRejected, StoreUnavailable, ZeroError

# The value of a row cannot be stored, however often it is sent.
REJECTED = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        33,  # CANNOT_READ_ALL_DATA
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        69,  # ARGUMENT_OUT_OF_BOUND
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA
        131,  # TOO_LARGE_STRING_SIZE
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        469,  # VIOLATED_CONSTRAINT
        691,  # UNKNOWN_ELEMENT_OF_ENUM
    }
)
# The same for every row until somebody changes a table, a right or a setting.
HALTED = frozenset(
    {
        8,  # THERE_IS_NO_COLUMN
        10,  # NOT_FOUND_COLUMN_IN_BLOCK
        16,  # NO_SUCH_COLUMN_IN_TABLE
        20,  # NUMBER_OF_COLUMNS_DOESNT_MATCH
        36,  # BAD_ARGUMENTS
        44,  # ILLEGAL_COLUMN
        47,  # UNKNOWN_IDENTIFIER
        48,  # NOT_IMPLEMENTED
        50,  # UNKNOWN_TYPE
        53,  # TYPE_MISMATCH
        56,  # UNKNOWN_STORAGE
        60,  # UNKNOWN_TABLE
        62,  # SYNTAX_ERROR
        73,  # UNKNOWN_FORMAT
        81,  # UNKNOWN_DATABASE
        115,  # UNKNOWN_SETTING
        192,  # UNKNOWN_USER
        193,  # WRONG_PASSWORD
        194,  # REQUIRED_PASSWORD
        452,  # SETTING_CONSTRAINT_VIOLATION
        497,  # ACCESS_DENIED
        516,  # AUTHENTICATION_FAILED
    }
)
_INCORRECT_DATA, _NO_SUCH_COLUMN = 117, "Unknown column with name"
"""Of this one the table is to blame, not the row."""
FOREIGN = (ClickHouseError, OSError)
"""What the client and the system raise."""
_TEXT_MAX = 500


def error_code(error: BaseException) -> int:
    """Return ClickHouse's number of the error, 0 where there is none."""
    return (error.code or 0) if isinstance(error, Error) else 0


def translate(error: BaseException) -> ZeroError:
    """Return the error of our tree for one of the client's or the system's."""
    code = error_code(error)
    text = f"ClickHouse: {str(error)[:_TEXT_MAX]}"
    if code in HALTED or (code == _INCORRECT_DATA and _NO_SUCH_COLUMN in text):
        return StoreHalted(text, store_code=code)
    if code in REJECTED:
        return StoreRejected(text, store_code=code)
    return StoreUnavailable(text)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the client and the system raise in the block into errors of our tree."""
    try:
        yield
    except FOREIGN as error:
        raise translate(error) from error
