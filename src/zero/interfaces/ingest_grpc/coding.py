"""Compressed messages: gRPC's own decompression is off, so that a bomb meets our bound, in a worker thread, and gets a status.

Which coding a message has is told from its first bytes: no protobuf message can begin with those of gzip, and none of ours does
with those of zlib.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from zero.application.ports import Decompressor

_GZIP = b"\x1f\x8b"
_ZLIB = 0x78
_SMALL_BYTES_MAX = 64 * 1024


def coding_of(message: bytes) -> str:
    """Return the name of the coding, '' when the message is plain."""
    if message.startswith(_GZIP):
        return "gzip"
    if len(message) > 1 and message[0] == _ZLIB and int.from_bytes(message[:2]) % 31 == 0:
        return "deflate"
    return ""


def plain(message: bytes, decompressor: Decompressor) -> bytes:
    """Return a small message without its coding. Raises TooLarge or InvalidInput."""
    coding = coding_of(message)
    return decompressor.decompress(coding, message, _SMALL_BYTES_MAX) if coding else message


class PlainRequests(grpc.aio.ServerInterceptor):
    """Has the standard services read plain messages, as gRPC itself would."""

    def __init__(self, decompressor: Decompressor) -> None:
        self._decompressor = decompressor

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        """Put decompression before the deserializer, where there is one."""
        handler = await continuation(details)
        if handler is None or handler.request_deserializer is None:
            return handler
        deserialize = handler.request_deserializer
        return handler._replace(request_deserializer=lambda data: deserialize(plain(data, self._decompressor)))
