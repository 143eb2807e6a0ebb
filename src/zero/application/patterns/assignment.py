"""Giving each line of a text the id of its pattern, without a store: by the same masks and groups as the platform's."""

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import IO

from zero.application.patterns.miner import group_texts
from zero.domain.errors import TooLarge
from zero.domain.pattern import format_pattern_id

CHUNK_BYTES = 8 << 20
LINE_BYTES_MAX = 64 << 20
TEXTS_MAX = 200_000
"""Distinct masked texts that are grouped; those beyond stand alone."""

PatternLines = Callable[[bytes], tuple[bytes, list[tuple[int, str]]]]
"""Lines → the number of each line's pattern as UInt32, and the patterns in that order: id, masked text."""


def masked_ids(source: IO[bytes], pattern_lines: PatternLines) -> Iterator[bytes]:
    """Yield lines with the id of each line's masked text, as they are read."""
    for numbers, patterns in map(pattern_lines, chunks(source)):
        names = [_line(identity) for identity, _ in patterns]
        yield b"".join(map(names.__getitem__, array("I", numbers)))


def group_ids(source: IO[bytes], pattern_lines: PatternLines) -> Iterator[bytes]:
    """Yield lines with the id of each line's group, once all are read: a group has the id of its first pattern."""
    known: dict[int, int] = {}
    texts: list[str] = []  # of the patterns known first
    numbered: list[array[int]] = []
    for local, patterns in map(pattern_lines, chunks(source)):
        numbers = array("I", local)
        texts += [text for identity, text in patterns if identity not in known][: TEXTS_MAX - len(texts)]
        places = [known.setdefault(identity, len(known)) for identity, _ in patterns]
        numbered.append(array("I", map(places.__getitem__, numbers)))
    names = list(_names(list(known), texts))
    for numbers in numbered:
        yield b"".join(map(names.__getitem__, numbers))


def chunks(source: IO[bytes]) -> Iterator[bytes]:
    """Yield the source in pieces of whole lines, invalid UTF-8 repaired as everywhere. Raises TooLarge for endless lines."""
    rest = b""
    while data := source.read(CHUNK_BYTES):
        whole, newline, rest = (rest + data).rpartition(b"\n")
        if len(rest) > LINE_BYTES_MAX:
            raise TooLarge(f"a line has more than {LINE_BYTES_MAX} bytes")
        if newline:
            yield _repaired(whole + newline)
    if rest:
        yield _repaired(rest)


def _names(identities: list[int], texts: list[str]) -> Iterable[bytes]:
    founders: dict[int, int] = {}
    for identity, group in zip(identities, group_texts(texts).of, strict=False):
        yield _line(founders.setdefault(group, identity))
    yield from map(_line, identities[len(texts) :])


def _line(identity: int) -> bytes:
    return f"{format_pattern_id(identity)}\n".encode()


def _repaired(lines: bytes) -> bytes:
    try:
        lines.decode()
    except UnicodeDecodeError:
        return lines.decode(errors="replace").encode()
    return lines
