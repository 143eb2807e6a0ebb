"""How a dead letter lies in its stream."""

from collections.abc import Container, Iterable, Mapping
from typing import Any

from zero.application.ports import DeadLetter, Position
from zero.domain.frame import EVERY_ENTRY


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
    """Return (shard, stream id) of a dead letter cursor; ('' is before the first). Raises ValueError."""
    shard, _, entry = text.partition(":")
    milliseconds, _, sequence = entry.partition("-")
    if not text:
        return 0, "0-0"
    return int(shard), f"{int(milliseconds)}-{int(sequence)}"


def format_cursor(shard: int, entry: Any) -> str:
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
