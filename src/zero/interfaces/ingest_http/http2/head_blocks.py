"""From HPACK blocks to request heads: decoded and checked once, then known by their bytes.

What a block means depends on its bytes and on the dynamic table, and that on the blocks that changed the table before. So a
table is named by a keyed hash chained over those blocks, and a block that left the table as it was is known from then on by
table and bytes, to every connection of the process: a request like one before needs no decoder. See docs/decisions/0220.
"""

import os
import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from hpack import Decoder, HPACKError, OversizedHeaderListError

from zero.interfaces.ingest_http.heads import Heads, KnownHead, RawHead
from zero.interfaces.ingest_http.http2.frames import ConnectionFault, ErrorCode
from zero.interfaces.ingest_http.options import IngestHttpOptions
from zero.interfaces.ingest_http.reply import HttpRefusal

FIELD_OVERHEAD_BYTES = 32
"""What RFC 9113 adds for each field to the size of a header list."""

_ID_BYTES = 16
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
_VALUE = re.compile(rb"(?![ \t])[^\x00-\x08\x0a-\x1f\x7f]*(?<![ \t])").fullmatch
_METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_PATH = re.compile(rb"/[\x21-\x7e\x80-\xff]*|\*").fullmatch
_LENGTH = re.compile(rb"[0-9]{1,18}").fullmatch
_PSEUDO = frozenset((b":method", b":scheme", b":authority", b":path"))
_HOP_BY_HOP = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))

Fields = list[tuple[bytes, bytes]]


class Malformed(Exception):
    """Raised for a head that breaks a rule of HTTP/2: it could be read in two ways."""


class RequestHead(NamedTuple):
    """A checked head. ``length`` is the declared one of the body, -1 when there is none."""

    known: KnownHead
    length: int


class KnownBlocks:
    """The blocks that a process knows: at most as many as heads of HTTP/1.1."""

    def __init__(self, heads: Heads, options: IngestHttpOptions) -> None:
        self._heads = heads
        self._options = options
        self._known: dict[bytes, RequestHead] = {}
        self._secret = os.urandom(_ID_BYTES)
        self.get = self._known.get
        self.list_bytes_max = options.head_bytes_max
        self.first_table = self.next_table(b"", b"")

    def next_table(self, table: bytes, block: bytes) -> bytes:
        """Return the name of the table that the block makes of the named one."""
        return blake2b(table + block, digest_size=_ID_BYTES, key=self._secret).digest()

    def forget(self) -> None:
        """Forget everything: who may do what has changed."""
        self._known.clear()

    def learn(self, key: bytes, head: RequestHead, list_bytes: int) -> None:
        """Remember a head whose block left its table as it was."""
        size = max(len(key) - _ID_BYTES, list_bytes // 2)  # a list counts 32 bytes a field that HTTP/1.1 does not have
        if head.known.learnable and size <= self._options.known_head_bytes_max:
            if len(self._known) >= self._options.known_heads_max:
                self._known.clear()
            self._known[key] = head

    def check(self, fields: Fields, list_bytes: int) -> RequestHead:
        """Return what a header list means. Raises Malformed."""
        raw, length = _request(fields)
        try:
            if list_bytes > self.list_bytes_max:
                raise HttpRefusal(431, "head_too_large", f"the header fields are larger than {self.list_bytes_max} bytes")
            return RequestHead(self._heads.check(raw), length)
        except HttpRefusal as refusal:
            known = KnownHead(
                handle=None,
                refusal=refusal.reply,
                content_length=max(0, length),
                chunked=False,
                keep_alive=True,
                bodiless_reply=raw.method == "HEAD",
                expects_continue=False,
                learnable=False,
            )
            return RequestHead(known, length)


class HeadBlocks:
    """The blocks of one connection, in order. ``list_bytes`` is the size of the last list if it had to be decoded, else 0.

    ``strain`` is what decoding it has cost, in points of patience.
    """

    def __init__(self, shared: KnownBlocks) -> None:
        self._shared = shared
        self._get = shared.get
        self._table = shared.first_table
        self._decoder = Decoder(max_header_list_size=2 * shared.list_bytes_max)
        self.list_bytes = self.strain = 0

    def request(self, block: bytes) -> RequestHead:
        """Return the head of a request. Raises Malformed and ConnectionFault."""
        table = self._table
        head = self._get(table + block)
        if head is not None:
            self.list_bytes = self.strain = 0
            return head
        fields = self.fields(block)
        head = self._shared.check(fields, self.list_bytes)
        if self._table is table:
            self._shared.learn(table + block, head, self.list_bytes)
        return head

    def fields(self, block: bytes) -> Fields:
        """Decode a block, which may change the table. Raises ConnectionFault."""
        table = self._decoder.header_table
        entries = table.dynamic_entries
        before = (entries[0] if entries else None, len(entries), table.maxsize)
        try:
            fields: Fields = [(name, value) for name, value in self._decode(block)]
        except OversizedHeaderListError as error:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, str(error), abuse="header_list") from error
        except (HPACKError, IndexError, ValueError) as error:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, f"HPACK: {type(error).__name__}") from error
        after = (entries[0] if entries else None, len(entries), table.maxsize)
        if before[0] is not after[0] or before[1:] != after[1:]:
            self._table = self._shared.next_table(self._table, block)
        self.list_bytes = sum([len(name) + len(value) + FIELD_OVERHEAD_BYTES for name, value in fields])
        self.strain = max(len(block) >> 8, self.list_bytes >> 10)
        return fields

    def _decode(self, block: bytes) -> Iterable[tuple[bytes, bytes]]:
        found: Iterable[tuple[bytes, bytes]] = self._decoder.decode(block, raw=True)
        return found


def _request(fields: Fields) -> tuple[RawHead, int]:
    """Sort a header list into what HTTP/1.1 has, and the declared length. Raises Malformed."""
    pseudo: dict[bytes, bytes] = {}
    plain: list[tuple[str, str]] = []
    host, length = b"", -1
    for name, value in fields:
        if name in _PSEUDO:
            if plain or name in pseudo:
                raise Malformed("a pseudo-header field is repeated, or behind others")
            pseudo[name] = value
            continue
        check_field(name, value)
        if name == b"content-length":
            length = _declared(value)
        if name == b"host":
            host = value
        plain.append((name.decode(), value.decode("latin-1")))
    method, path, authority = pseudo.get(b":method", b""), pseudo.get(b":path", b""), pseudo.get(b":authority")
    if not _METHOD(method) or not _PATH(path) or pseudo.get(b":scheme") not in (b"http", b"https"):
        raise Malformed("a request needs a method, a scheme and a path")
    if authority is not None and (not _VALUE(authority) or (host and host != authority)):
        raise Malformed(":authority and host say different things")
    if authority and not host:
        plain.append(("host", authority.decode("latin-1")))
    return RawHead(method.decode(), path.decode("latin-1"), "2", plain, True), length


def check_field(name: bytes, value: bytes) -> None:
    """Refuse what could mean something else behind a translation to HTTP/1.1. Raises Malformed."""
    if not _NAME(name) or not _VALUE(value) or name in _HOP_BY_HOP or (name == b"te" and value.lower() != b"trailers"):
        raise Malformed("a header field that HTTP/2 does not allow")


def _declared(value: bytes) -> int:
    if not _LENGTH(value):
        raise Malformed("content-length is not a length")
    return int(value)
