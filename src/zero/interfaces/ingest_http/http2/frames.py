"""The frames of RFC 9113: their numbers, how they are written, and what may be wrong with one."""

from enum import IntEnum
from struct import Struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_BYTES_MAX = 16_384
"""The largest payload that we take, and the one that every peer takes."""

TABLE_BYTES_DEFAULT = 4096
WINDOW_DEFAULT = 65_535
WINDOW_MAX = 2**31 - 1

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20

HEAD_BYTES = 9
_HEAD = Struct(">IBI")  # length and kind share the first four bytes
_SETTING = Struct(">HI")
_NUMBER = Struct(">I")
_NUMBERS = Struct(">II")

unpack_head = _HEAD.unpack_from
pack_head = _HEAD.pack


class ErrorCode(IntEnum):
    """Why a stream or a connection ended."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class Setting(IntEnum):
    """What peers tell each other at the beginning."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class ConnectionFault(Exception):
    """The connection has to end. ``abuse`` names the flood that it ends for, else ''."""

    def __init__(self, code: ErrorCode, message: str, *, abuse: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.abuse = abuse


class StreamFault(Exception):
    """One stream has to end."""

    def __init__(self, code: ErrorCode, stream_id: int) -> None:
        super().__init__(f"stream {stream_id}: {code.name}")
        self.code = code
        self.stream_id = stream_id


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return one frame."""
    return pack_head(len(payload) << 8 | kind, flags, stream_id) + payload


def settings_frame(settings: dict[Setting, int]) -> bytes:
    """Return our settings."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(name, value) for name, value in settings.items()))


def window_update(stream_id: int, size: int) -> bytes:
    """Return the frame that lets the peer send ``size`` bytes more."""
    return frame(WINDOW_UPDATE, 0, stream_id, _NUMBER.pack(size))


def reset(stream_id: int, code: ErrorCode) -> bytes:
    """Return the frame that ends a stream."""
    return frame(RST_STREAM, 0, stream_id, _NUMBER.pack(code))


def goaway(last_id: int, code: ErrorCode, message: str = "") -> bytes:
    """Return the frame that ends a connection behind the stream ``last_id``."""
    return frame(GOAWAY, 0, 0, _NUMBERS.pack(last_id, code) + message.encode())


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """Return names and values in their order. Raises ConnectionFault."""
    if len(payload) % _SETTING.size:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a SETTINGS frame that is not made of settings")
    found = list(_SETTING.iter_unpack(payload))
    for name, value in found:
        if name == Setting.ENABLE_PUSH and value > 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "ENABLE_PUSH is 0 or 1")
        if name == Setting.INITIAL_WINDOW_SIZE and value > WINDOW_MAX:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE is too large")
        if name == Setting.MAX_FRAME_SIZE and not FRAME_BYTES_MAX <= value < 2**24:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "MAX_FRAME_SIZE is out of range")
    return found


def read_number(payload: bytes) -> int:
    """Return the 31 bits that WINDOW_UPDATE, or the 32 that RST_STREAM carries. Raises ConnectionFault."""
    if len(payload) != _NUMBER.size:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a frame of four bytes has another length")
    number: int = _NUMBER.unpack(payload)[0]
    return number


def unpadded(payload: bytes) -> bytes:
    """Return the payload of a padded frame without its padding. Raises ConnectionFault."""
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "more padding than frame")
    return payload[1 : len(payload) - payload[0]]


def fragment_of(flags: int, payload: bytes) -> bytes:
    """Return the piece of a head that a HEADERS frame carries. Raises ConnectionFault."""
    if flags & PADDED:
        payload = unpadded(payload)
    if flags & WITH_PRIORITY:
        if len(payload) < 5:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a HEADERS frame too short for its priority")
        payload = payload[5:]
    return payload
