"""Masked messages and their hash in plain Python: the oracle of the native pattern."""

import re

from zero.infrastructure.codec.hash64_twin import hash64

_WORD = re.compile(r"(?:[A-Za-z0-9_.\-/\\@%+$#~]|[^\x00-\x7f])+")


def mask(message: str) -> str:
    """Return the message with its variable parts as ``<*>``."""
    return _WORD.sub(lambda word: "<*>" if re.search("[0-9]", word.group()) else word.group(), message)


def pattern_id(message: str) -> int:
    """Return the hash of the masked message."""
    return hash64(mask(message).encode())
