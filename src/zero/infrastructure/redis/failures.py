"""Translate what Redis and the network say into the platform's errors; the only place that does."""

from redis import exceptions

from zero.domain.errors import BufferFull, BufferUnavailable, ZeroError

_RETRY_SECONDS = 1.0

_CODES: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.BusyLoadingError, "LOADING"),
    (exceptions.AuthenticationError, "NOAUTH"),
    (exceptions.NoPermissionError, "NOPERM"),
    (exceptions.ReadOnlyError, "READONLY"),
    (exceptions.MovedError, "MOVED"),
    (exceptions.ClusterDownError, "CLUSTERDOWN"),
)
"""redis-py takes these codes off the text when it makes an exception of them."""


class ServerError(Exception):
    """An error reply as it came over the wire: ``CODE text``."""

    @property
    def code(self) -> str:
        """The first word of the reply."""
        return str(self).partition(" ")[0]


def refused(error: ServerError) -> ZeroError:
    """Return the platform's error for an error reply."""
    if error.code == "OOM":
        return full("the server is out of memory (OOM)")
    return BufferUnavailable(f"the buffer refused: {error}", retry_after_seconds=_RETRY_SECONDS)


def full(detail: str) -> BufferFull:
    """Return the error for a buffer that takes no more."""
    return BufferFull(f"the buffer is full: {detail}", retry_after_seconds=_RETRY_SECONDS)


def unreachable(error: BaseException | str) -> BufferUnavailable:
    """Return the error for a server that does not answer."""
    text = error if isinstance(error, str) else str(error) or type(error).__name__
    return BufferUnavailable(f"the buffer does not answer: {text}", retry_after_seconds=_RETRY_SECONDS)


def translate(error: Exception) -> ZeroError:
    """Return the platform's error for whatever redis-py or the socket raised."""
    if isinstance(error, ZeroError):
        return error
    if isinstance(error, exceptions.OutOfMemoryError):
        return full("the server is out of memory (OOM)")
    for kind, code in _CODES:
        if isinstance(error, kind):
            return refused(ServerError(f"{code} {error}"))
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError | TimeoutError):
        return unreachable(error)
    return refused(ServerError(str(error)))


FOREIGN = (exceptions.RedisError, OSError, TimeoutError)
"""What redis-py and sockets raise."""
