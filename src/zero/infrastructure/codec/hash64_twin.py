"""The 64-bit hash of ``native/include/zero/hash64.hpp``, where it is described, in plain Python."""

_K0 = 0x243F6A8885A308D3
_K1 = 0x13198A2E03707344
_WORD = (1 << 64) - 1


def hash64(data: bytes, seed: int = 0) -> int:
    """Return the hash of the bytes."""
    state = seed ^ _K0
    at = 0
    while len(data) - at > 16:
        state = _fold(state, _load(data, at, 8), _load(data, at + 8, 8))
        at += 16
    state = _fold(state, *_tail(data[at:]))
    return _mix(state ^ _K0, len(data) ^ _K1)


def _tail(data: bytes) -> tuple[int, int]:
    size = len(data)
    if size >= 8:
        return _load(data, 0, 8), _load(data, size - 8, 8)
    if size >= 4:
        return _load(data, 0, 4), _load(data, size - 4, 4)
    if size > 0:
        return data[0] << 16 | data[size // 2] << 8 | data[size - 1], 0
    return 0, 0


def _load(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _fold(state: int, a: int, b: int) -> int:
    rotated = (state << 32 | state >> 32) & _WORD
    return _mix(a ^ state, b ^ rotated ^ _K1)


def _mix(a: int, b: int) -> int:
    product = a * b
    return product & _WORD ^ product >> 64
