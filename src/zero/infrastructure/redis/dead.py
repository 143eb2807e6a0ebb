"""How a dead letter lies in its stream."""

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import WatchError

from zero.application.ports import DeadLetter, Position
from zero.domain.errors import InvalidInput, Overloaded
from zero.domain.frame import EVERY_ENTRY
from zero.infrastructure.redis.keys import FIELD_COUNT, FIELD_FRAME, FIELD_REPLAYED, FIELD_TENANT, ShardKeys
from zero.infrastructure.redis.requests import ledger_field

_ATTEMPTS_MAX = 64
"""A settlement with dead letters, or another hand, may come between; each time the letter is looked at again."""

Removal = Callable[[Pipeline, ShardKeys, DeadLetter], None]
"""Adds to a transaction what becomes of a letter that it deletes."""


def dead_fields(letter: DeadLetter) -> dict[Any, Any]:
    """Return the stream fields of a dead letter."""
    fields: dict[Any, Any] = {
        "p": letter.position.entry,
        "r": letter.reason,
        "t": letter.tenant,
        "n": letter.count,
        "f": letter.frame,
    }
    if letter.index is not None:
        fields["i"] = letter.index
    return fields


def dead_letter(shard: int, fields: Mapping[bytes, bytes]) -> DeadLetter:
    """Return the dead letter held in stream fields."""
    return DeadLetter(
        position=Position(shard, fields[b"p"].decode()),
        reason=fields[b"r"].decode(),
        tenant=fields[b"t"].decode(),
        count=int(fields[b"n"]),
        frame=fields[b"f"],
        index=int(fields[b"i"]) if b"i" in fields else None,
    )


def parse_cursor(text: str) -> tuple[int, str]:
    """Return (shard, stream id) of a dead letter's id; '' is before the first. Raises InvalidInput."""
    if not text:
        return 0, "0-0"
    shard, _, entry = text.partition(":")
    numbers = shard, *entry.split("-")
    if len(numbers) != 3 or not all(part.isascii() and part.isdigit() and len(part) <= 20 for part in numbers):
        raise InvalidInput(f"not the id of a dead letter: {text[:64]!r}", field="id")
    return int(shard), entry


async def remove(client: Redis, keys: ShardKeys, shard: int, entry: str, also: Removal) -> bool:
    """Delete the letter and do what ``also`` adds, in one transaction. False: it is not there. Raises Overloaded."""
    async with client.pipeline(transaction=True) as pipeline:
        for _ in range(_ATTEMPTS_MAX):
            await pipeline.watch(keys.dead)
            rows: Any = await pipeline.xrange(keys.dead, entry, entry, count=1)
            if not rows:
                return False
            pipeline.multi()  # type: ignore[no-untyped-call]
            pipeline.xdel(keys.dead, entry)
            also(pipeline, keys, dead_letter(shard, rows[0][1]))
            try:
                await pipeline.execute()
            except WatchError:
                continue
            return True
    raise Overloaded("others change the dead letters at the same time")


def back_into_the_stream(frame: bytes) -> Removal:
    """Return what a replay adds: the entries are in the buffer again, and no longer dead-lettered."""

    def also(pipeline: Pipeline, keys: ShardKeys, letter: DeadLetter) -> None:
        fields: dict[Any, Any] = {FIELD_TENANT: letter.tenant, FIELD_COUNT: letter.count, FIELD_REPLAYED: 1, FIELD_FRAME: frame}
        pipeline.xadd(keys.stream, fields)
        pipeline.hincrby(keys.ledger, ledger_field("dead_lettered", letter.tenant), -letter.count)
        pipeline.hincrby(keys.ledger, ledger_field("in_buffer", letter.tenant), letter.count)

    return also


def counted_as_dropped(pipeline: Pipeline, keys: ShardKeys, letter: DeadLetter) -> None:
    """Add what a drop adds: the entries stay dead-lettered in the ledger, which also says how many of them are gone."""
    pipeline.hincrby(keys.ledger, ledger_field("dropped", letter.tenant), letter.count)


def format_cursor(shard: int, entry: bytes) -> str:
    """Return the cursor that stands behind the entry."""
    return f"{shard}:{entry.decode()}"


def dead_indexes(letters: Iterable[DeadLetter]) -> dict[str, str]:
    """Return for each stream entry with dead letters their indexes, as ``parse_dead_indexes`` reads them."""
    found: dict[str, list[str]] = {}
    for letter in letters:
        found.setdefault(letter.position.entry, []).append("" if letter.index is None else str(letter.index))
    return {entry: " ".join(indexes) for entry, indexes in found.items()}


def parse_dead_indexes(text: bytes | None) -> Container[int]:
    """Return the indexes that became dead letters: none without a text, every one with an empty one."""
    if text is None:
        return ()
    return frozenset(map(int, text.split())) or EVERY_ENTRY
