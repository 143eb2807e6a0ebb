"""The API keys and the audit log, in the buffer: so every process on every host has the same."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio.client import Pipeline
from redis.exceptions import WatchError

from zero.domain.audit import AuditRecord
from zero.domain.errors import BufferUnavailable, InvalidInput, ZeroError
from zero.domain.key import ApiKey, KeyScope, KeySet, Quota
from zero.infrastructure.redis.keys import key_names
from zero.infrastructure.redis.nodes import Nodes
from zero.infrastructure.redis.options import RedisOptions

AUDIT_RECORDS_MAX = 10_000
_FIELDS = ("actor", "act", "subject", "detail")


class RedisKeyStore:
    """Implements ``ports.KeyStore``: a hash of records, a counter that every change raises, a hash of uses, a capped stream."""

    def __init__(self, options: RedisOptions) -> None:
        self._nodes = Nodes(options)
        self._names = key_names(options.namespace)

    async def version(self) -> int:
        """Return the version of the set; 0 before the first key."""
        with self._nodes.translated():
            return int(await (await self._nodes.client(0)).get(self._names.version) or 0)

    async def load(self) -> KeySet:
        """Return every key, with the version they belong to. Raises BufferUnavailable when a record cannot be read."""
        with self._nodes.translated():
            pipeline = (await self._nodes.client(0)).pipeline(transaction=True)
            pipeline.get(self._names.version)
            pipeline.hgetall(self._names.records)
            version, records = await pipeline.execute()
        return KeySet(int(version or 0), [_parse(id.decode(), record) for id, record in records.items()])

    async def change(self, based_on: int, keys: Sequence[ApiKey], removed: Sequence[str], record: AuditRecord) -> bool:
        """Put and remove keys and record the act in one transaction, unless the version has moved on."""
        with self._nodes.translated(), suppress(WatchError):
            async with (await self._nodes.client(0)).pipeline(transaction=True) as pipeline:
                await pipeline.watch(self._names.version)
                if int(await pipeline.get(self._names.version) or 0) != based_on:
                    return False
                pipeline.multi()  # type: ignore[no-untyped-call]
                pipeline.hset(self._names.records, mapping={key.id: _format(key) for key in keys})
                if removed:
                    pipeline.hdel(self._names.records, *removed)
                    pipeline.hdel(self._names.used, *removed)
                pipeline.incr(self._names.version)
                self._add(pipeline, record)
                await pipeline.execute()
                return True
        return False

    async def mark_used(self, at_ns: int, ids: Sequence[str]) -> None:
        """Remember that these keys were in use at that time."""
        with self._nodes.translated():
            await (await self._nodes.client(0)).hset(self._names.used, mapping=dict.fromkeys(ids, at_ns))

    async def used(self) -> Mapping[str, int]:
        """Return when each key was last in use."""
        with self._nodes.translated():
            found: Any = await (await self._nodes.client(0)).hgetall(self._names.used)
        return {id.decode(): int(at_ns) for id, at_ns in found.items()}

    async def record(self, record: AuditRecord) -> None:
        """Record an act."""
        with self._nodes.translated():
            pipeline = (await self._nodes.client(0)).pipeline(transaction=True)
            self._add(pipeline, record)
            await pipeline.execute()

    async def audit(self, before: str, limit: int) -> Sequence[tuple[str, AuditRecord]]:
        """Return up to ``limit`` acts, newest first. Raises InvalidInput for a cursor that none of ours is."""
        if before and not all(part.isascii() and part.isdigit() for part in before.split("-", 1)):
            raise InvalidInput(f"not an audit cursor: {before[:64]!r}", field="before")
        with self._nodes.translated():
            client = await self._nodes.client(0)
            rows: Any = await client.xrevrange(self._names.audit, f"({before}" if before else "+", "-", count=limit)
        return [(entry.decode(), _act(fields)) for entry, fields in rows]

    async def close(self) -> None:
        """Close the connections."""
        await self._nodes.close()

    def _add(self, pipeline: Pipeline, record: AuditRecord) -> None:
        fields: dict[Any, Any] = {"at_ns": record.at_ns, **{name: getattr(record, name) for name in _FIELDS}}
        pipeline.xadd(self._names.audit, fields, maxlen=AUDIT_RECORDS_MAX, approximate=True)


def _format(key: ApiKey) -> str:
    fields = {
        "tenant": key.tenant,
        "scopes": sorted(key.scopes),
        "digest": key.digest.hex(),
        "created_ns": key.created_ns,
        "label": key.label,
        "expires_ns": key.expires_ns,
        "revoked_ns": key.revoked_ns,
        "rotated_from": key.rotated_from,
        "quota": {name: getattr(key.quota, name) for name in Quota.__slots__},
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _parse(id: str, record: bytes) -> ApiKey:
    """Return the key. A record that cannot be read is no reason to forget that there are keys: nothing is known then."""
    try:
        fields: dict[str, Any] = json.loads(record)
        return ApiKey(
            id=id,
            tenant=fields["tenant"],
            scopes=frozenset(map(KeyScope, fields["scopes"])),
            digest=bytes.fromhex(fields["digest"]),
            created_ns=fields["created_ns"],
            label=fields["label"],
            expires_ns=fields["expires_ns"],
            revoked_ns=fields["revoked_ns"],
            rotated_from=fields["rotated_from"],
            quota=Quota(**fields["quota"]),
        )
    except (ValueError, KeyError, TypeError, ZeroError) as error:
        raise BufferUnavailable(f"the record of the API key {id} cannot be read: {error}") from error


def _act(fields: Mapping[bytes, bytes]) -> AuditRecord:
    return AuditRecord(int(fields[b"at_ns"]), *(fields[name.encode()].decode() for name in _FIELDS))
