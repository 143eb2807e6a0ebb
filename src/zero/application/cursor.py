"""The cursor of a search: where the next page begins, bound to the search it came from."""

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass

from zero.domain.errors import InvalidInput
from zero.domain.stored import EntryKey

_LAYOUT = struct.Struct(">BqqQI8s")
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last entry shown, and the moment that ``now`` meant when the first page was asked for."""

    now_ns: int
    key: EntryKey


def search_digest(*parts: str) -> bytes:
    """Return eight bytes that differ when any of the texts that make up a search differs."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        data = part.encode(errors="surrogatepass")
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.digest()


def encode_cursor(cursor: Cursor, digest: bytes) -> str:
    """Return the cursor as base64url text."""
    key = cursor.key
    packed = _LAYOUT.pack(_VERSION, cursor.now_ns, key.timestamp_ns, key.batch_id, key.index, digest)
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode_cursor(text: str, digest: bytes) -> Cursor:
    """Return the cursor. Raises InvalidInput naming ``cursor`` when it is damaged or belongs to another search."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        version, now_ns, timestamp_ns, batch_id, index, of_search = _LAYOUT.unpack(packed)
    except (binascii.Error, struct.error, ValueError) as error:
        raise InvalidInput("the cursor is not one that a search gave", field="cursor") from error
    if version != _VERSION or now_ns < 0 or timestamp_ns < 0:
        raise InvalidInput("the cursor is not one that a search gave", field="cursor")
    if of_search != digest:
        raise InvalidInput("the cursor belongs to another search: repeat its query, filters and times", field="cursor")
    return Cursor(now_ns, EntryKey(timestamp_ns, batch_id, index))
