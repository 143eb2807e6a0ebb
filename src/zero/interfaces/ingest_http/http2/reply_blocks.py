"""Reply heads as HPACK, without a dynamic table: no state of the peer's to keep, and the same bytes for all."""

from zero.interfaces.ingest_http.reply import Reply

_KEPT_MAX = 256
_STATIC_STATUS = {200: b"\x88", 204: b"\x89", 206: b"\x8a", 304: b"\x8b", 400: b"\x8c", 404: b"\x8d", 500: b"\x8e"}
_CONTENT_LENGTH, _CONTENT_TYPE, _DATE = b"\x0f\x0d", b"\x0f\x10", b"\x0f\x12"  # names of the static table, not to be indexed
_NO_CONTENT = 204

CONTINUE_BLOCK = b"\x08\x03100"
"""``:status: 100``."""

TABLE_EMPTIED = b"\x20"
"""A dynamic table of no size."""


class ReplyBlocks:
    """Writes the heads of replies; keeps the part that hardly ever changes."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, bytes, tuple[tuple[bytes, bytes], ...]], bytes] = {}

    def block(self, reply: Reply, date: bytes) -> bytes:
        """Return the head of the reply. ``date`` has the form of HTTP."""
        key = (reply.status, reply.content_type, reply.headers)
        steady = self._kept.get(key)
        if steady is None:
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            steady = self._kept[key] = _steady(reply)
        if reply.status == _NO_CONTENT:
            return b"%b%b%b" % (steady, _DATE, _text(date))
        return b"%b%b%b%b%b" % (steady, _DATE, _text(date), _CONTENT_LENGTH, _text(b"%d" % len(reply.body)))


def _steady(reply: Reply) -> bytes:
    status = _STATIC_STATUS.get(reply.status) or b"\x08\x03%d" % reply.status
    kind = b"" if reply.status == _NO_CONTENT else _CONTENT_TYPE + _text(reply.content_type)
    return status + kind + b"".join([b"\x00" + _text(name.lower()) + _text(value) for name, value in reply.headers])


def _text(value: bytes) -> bytes:
    """Return a string literal without Huffman coding."""
    size = len(value)
    if size < 127:
        return b"%c%b" % (size, value)
    size -= 127
    digits = bytearray(b"\x7f")
    while size >= 128:
        digits.append(size & 127 | 128)
        size >>= 7
    digits.append(size)
    return bytes(digits) + value
