"""Repairing UTF-8, in plain Python."""

from collections.abc import Sequence
from dataclasses import dataclass

REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class Repaired:
    """Valid UTF-8, with U+FFFD for every maximal subpart of what was not.

    ``replacements`` are pairs of offsets: of a U+FFFD in ``data``, and of the first byte behind its cause in the original.
    """

    data: bytes
    replacements: Sequence[tuple[int, int]]

    def original(self, offset: int) -> int:
        """Return the offset in the original of an offset in ``data``."""
        shift = 0
        for at, behind in self.replacements:
            if at < offset:
                shift = behind - (at + len(REPLACEMENT.encode()))
        return offset + shift

    def touches(self, start: int, stop: int) -> bool:
        """Say whether a replacement lies in ``data[start:stop]``."""
        return any(start <= at < stop for at, _ in self.replacements)


def repair(data: bytes) -> Repaired:
    """Return the bytes as valid UTF-8."""
    repaired = bytearray()
    replacements = []
    at = 0
    while True:
        try:
            data[at:].decode()
        except UnicodeDecodeError as error:
            repaired += data[at : at + error.start]
            replacements.append((len(repaired), at + error.end))
            repaired += REPLACEMENT.encode()
            at += error.end
        else:
            return Repaired(bytes(repaired + data[at:]), replacements)
