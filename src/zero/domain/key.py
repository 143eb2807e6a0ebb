"""An API key: whom it speaks for, what it may do, how much of it, and until when.

Its text is ``zero_<id>_<secret>``: 16 hex digits that anyone may see, and 64 (256 random bits) that are shown once. Only the
SHA-256 of the secret is kept: a random secret of that length needs no slow hash.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from zero.domain.errors import InvalidInput

TENANT_CHARACTERS = 64
LABEL_CHARACTERS = 128
_ID_BYTES, _SECRET_BYTES = 8, 32
_TEXT = re.compile(r"zero_([0-9a-f]{16})_([0-9a-f]{64})", re.ASCII)
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class KeyScope(StrEnum):
    """What a key is for. ``admin`` is the operator of the whole installation: keys, dead letters, audit, every ledger."""

    INGEST = "ingest"
    QUERY = "query"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Quota:
    """What one key may do; None is without a limit."""

    requests_per_second: int | None = None
    bytes_per_second: int | None = None
    in_flight_max: int | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            limit = getattr(self, name)
            if limit is not None and not 1 <= limit <= 1 << 40:
                raise InvalidInput(f"{name} is {limit}; it can be 1 to {1 << 40}", field=name)

    @property
    def unlimited(self) -> bool:
        """Whether there is no limit at all."""
        return self == Quota()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is kept of a key. Times are Unix nanoseconds; ``rotated_from`` is the id of the key that this one replaces."""

    id: str
    tenant: str
    scopes: frozenset[KeyScope]
    digest: bytes = field(repr=False)
    created_ns: int
    label: str = ""
    expires_ns: int | None = None
    revoked_ns: int | None = None
    rotated_from: str = ""
    quota: Quota = field(default_factory=Quota)

    def __post_init__(self) -> None:
        if not _TENANT.fullmatch(self.tenant):
            reason = f"a tenant is 1 to {TENANT_CHARACTERS} letters, digits, '.', '_' or '-', a letter or digit first"
            raise InvalidInput(reason, field="tenant")
        if not self.scopes:
            raise InvalidInput("a key needs at least one scope: ingest, query or admin", field="scopes")
        if len(self.label) > LABEL_CHARACTERS or not self.label.isprintable():
            raise InvalidInput(f"a label is at most {LABEL_CHARACTERS} printable characters", field="label")

    def ended(self, now_ns: int) -> str:
        """Say why the key is of no use now; '' when it is of use."""
        if self.revoked_ns is not None:
            return "the API key was revoked"
        if self.expires_ns is not None and now_ns >= self.expires_ns:
            return "the API key has expired"
        return ""


@dataclass(frozen=True, slots=True)
class KeySet:
    """Every key, and the version of the set: a number that changes with it."""

    version: int
    keys: Sequence[ApiKey]


def new_secret() -> tuple[str, str]:
    """Return a fresh (id, secret), from the system's randomness."""
    return secrets.token_hex(_ID_BYTES), secrets.token_hex(_SECRET_BYTES)


def key_text(id: str, secret: str) -> str:
    """Return the key as its holder writes it."""
    return f"zero_{id}_{secret}"


def parse_key(text: str) -> tuple[str, str] | None:
    """Return (id, secret), or None when the text is not a key."""
    match = _TEXT.fullmatch(text)
    return (match[1], match[2]) if match else None


def digest_of(secret: str) -> bytes:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def is_secret(secret: str, digest: bytes) -> bool:
    """Say whether the digest is that of the secret, in a time that tells nothing about either."""
    return hmac.compare_digest(digest_of(secret), digest)
