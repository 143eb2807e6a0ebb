"""The error tree of the platform.

    ZeroError
    ├── InvalidInput              the sender must change the input
    │   ├── TooLarge              a size limit was passed
    │   ├── UnsupportedMedia      an encoding or content type we do not read
    │   ├── QuerySyntaxError      a query that cannot be parsed; says where
    │   ├── QueryTooExpensive     a query that passes a time, memory or size limit
    │   ├── KeyReused             an idempotency key that belongs to another body
    │   └── NotFound              there is nothing under that name
    ├── Unauthenticated           no key, or one that is not good
    ├── Forbidden                 a good key that is not for this
    ├── Overloaded                a bound was reached; the same call may pass later
    │   ├── BufferFull            the durable buffer takes no more until it is drained
    │   └── QuotaExceeded         the bound is the sender's own
    ├── Unavailable               an outside part does not answer
    │   ├── BufferUnavailable
    │   │   └── EpochLost         nothing was sent: its batch ids might be another's, too
    │   └── StoreUnavailable      outcome unknown: verify before doing it again
    ├── StoreRejected             the store says that the data itself is wrong
    ├── StoreHalted               the store cannot go on without an operator
    ├── LeaseLost                 another owner has the shard; stop at once
    ├── CorruptFrame              a frame whose bytes are not what was written
    └── ConfigurationError        a setting that cannot work

An error knows whether doing the same thing again can help (``retryable``). Foreign errors are translated into this tree once,
in the adapter that meets them.
"""


class ZeroError(Exception):
    """Base of every error the platform raises on purpose."""

    code = "error"
    retryable = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(ZeroError):
    """The input breaks a rule; names the field where there is one."""

    code = "invalid_input"

    def __init__(self, message: str, *, field: str | None = None, position: int | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.position = position


class TooLarge(InvalidInput):
    """The input is larger than a documented limit."""

    code = "too_large"


class UnsupportedMedia(InvalidInput):
    """The content type or content encoding is not one we read."""

    code = "unsupported_media_type"


class QuerySyntaxError(InvalidInput):
    """The query text cannot be parsed; ``position`` is the 0-based character offset."""

    code = "query_syntax"


class QueryTooExpensive(InvalidInput):
    """The query would pass a limit of the store; a shorter time range or a smaller page may not."""

    code = "query_too_expensive"


class KeyReused(InvalidInput):
    """The idempotency key was given to another body before."""

    code = "idempotency_key_reused"


class NotFound(InvalidInput):
    """There is nothing under that name."""

    code = "not_found"


class Unauthenticated(ZeroError):
    """No API key was shown, or one that is not good."""

    code = "unauthenticated"


class Forbidden(ZeroError):
    """The API key is good, but not for this."""

    code = "forbidden"


class Overloaded(ZeroError):
    """A bound was reached; try again after ``retry_after_seconds``."""

    code = "overloaded"
    retryable = True

    def __init__(self, message: str, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class BufferFull(Overloaded):
    """The durable buffer is above its high-water mark."""

    code = "buffer_full"


class QuotaExceeded(Overloaded):
    """A sender has reached a bound of its own; ``limit`` names it: requests, bytes, in_flight or share."""

    code = "quota_exceeded"

    def __init__(self, message: str, *, limit: str, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.limit = limit


class Unavailable(ZeroError):
    """An outside part does not answer; try again after ``retry_after_seconds``."""

    code = "unavailable"
    retryable = True

    def __init__(self, message: str, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class BufferUnavailable(Unavailable):
    """The durable buffer does not answer or refuses writes."""

    code = "buffer_unavailable"


class EpochLost(BufferUnavailable):
    """The buffer does not know this process's epoch, and may give it to another. Nothing was sent; take a new one."""


class StoreUnavailable(Unavailable):
    """The store did not confirm. What was sent may or may not be stored: verify before sending it again."""

    code = "store_unavailable"


class StoreRejected(ZeroError):
    """The store refused the rows themselves; ``store_code`` is its own error number."""

    code = "store_rejected"

    def __init__(self, message: str, *, store_code: int) -> None:
        super().__init__(message)
        self.store_code = store_code


class StoreHalted(ZeroError):
    """The store needs an operator (missing table, wrong schema, no rights); keep the data and alert."""

    code = "store_halted"
    retryable = True

    def __init__(self, message: str, *, store_code: int) -> None:
        super().__init__(message)
        self.store_code = store_code


class LeaseLost(ZeroError):
    """Another owner holds the shard now."""

    code = "lease_lost"


class CorruptFrame(ZeroError):
    """The bytes of a frame do not match its checksum or layout."""

    code = "corrupt_frame"


class ConfigurationError(ZeroError):
    """A setting that cannot work, with what to do instead."""

    code = "configuration"
