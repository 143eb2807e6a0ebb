"""The names of the buffer's keys. Those of one shard share a hash tag, so that a cluster keeps them in one slot."""

import hashlib
from dataclasses import dataclass
from functools import cache

GROUP = "drain"
CONSUMER = "drain"
"""One name for every owner of a shard: what a former owner left pending is then the new owner's, without claiming."""

FIELD_FRAME = b"f"
FIELD_TENANT = b"t"
FIELD_COUNT = b"n"
FIELD_REPLAYED = b"r"
"""Stands in entries that were dead letters."""


@dataclass(frozen=True, slots=True)
class ShardKeys:
    """The keys of one shard."""

    stream: str
    ledger: str
    lease: str
    epoch: str
    unsure: str
    dead: str
    dead_of: str
    idempotency: str
    remembered: str
    reserve: str
    mark: str


@cache
def shard_keys(namespace: str, shard: int) -> ShardKeys:
    """Return the keys of a shard.

    ``dead_of`` and ``idempotency`` are prefixes, of stream ids and of digests; ``remembered`` lists the latter, oldest first.
    ``mark`` is written to find out whether replicas have what was written before. ``unsure`` is the last entry that was there
    when the group was made.
    """
    tag = f"{namespace}:{{{shard}}}:"
    return ShardKeys(
        stream=f"{tag}stream",
        ledger=f"{tag}ledger",
        lease=f"{tag}lease",
        epoch=f"{tag}epoch",
        unsure=f"{tag}unsure",
        dead=f"{tag}dead",
        dead_of=f"{tag}dead-of:",
        idempotency=f"{tag}idem:",
        remembered=f"{tag}idems",
        reserve=f"{tag}reserve",
        mark=f"{tag}mark",
    )


def entry_order(entry: bytes) -> tuple[int, int]:
    """Return what the ids of a stream's entries are in order by."""
    milliseconds, _, sequence = entry.partition(b"-")
    return int(milliseconds), int(sequence)


@dataclass(frozen=True, slots=True)
class KeyNames:
    """Where the API keys and the audit log lie: beside shard 0, which always exists."""

    records: str
    version: str
    used: str
    audit: str


def key_names(namespace: str) -> KeyNames:
    """Return the names for the API keys."""
    tag = f"{namespace}:{{0}}:keys"
    return KeyNames(records=tag, version=f"{tag}:version", used=f"{tag}:used", audit=f"{namespace}:{{0}}:audit")


def process_epoch_key(namespace: str) -> str:
    """Return the key of the counter from which processes take their epoch; with ``:<epoch>`` behind it, that of a claim."""
    return f"{namespace}:{{0}}:processes"


def retention_key(namespace: str) -> str:
    """Return the key of the hash that says of a tenant, or (``*``) the others, which day of receipt is the first one kept."""
    return f"{namespace}:{{0}}:retention"


def duty_key(namespace: str, name: str) -> str:
    """Return the key that says which process does a piece of work for all."""
    return f"{namespace}:{{0}}:duty:{name}"


def shards_key(namespace: str) -> str:
    """Return the key of the hash whose fields are the numbers of shards that the buffer was used with."""
    return f"{namespace}:{{0}}:shards"


def idempotency_digest(tenant: str, key: str) -> str:
    """Return the SHA-256 of tenant and key, as hex; keys of any length and content cost the same."""
    return hashlib.sha256(f"{len(tenant)}:{tenant}{key}".encode("utf-8", "surrogatepass")).hexdigest()


def idempotency_shard(digest: str, shards: int) -> int:
    """Return the shard that remembers the key, whatever shard the caller had in mind, so that a retry finds it."""
    return int(digest[:8], 16) % shards
