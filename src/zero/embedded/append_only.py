"""The end of Valkey's append-only file after a power cut: cut off what was never synced, so that the server starts.

A file system may keep the length of a write whose bytes never reached the disk, and gives NULs in their place: ext4 does so for
appends into a block that the file has already. Valkey starts from a file that ends in the midst of a command, and from no file
with NULs where a command should be. What was synced was answered and lies before them.
"""

import mmap
import os
import time
from pathlib import Path

TAIL_BYTES = 64 << 20
"""How much of the end is looked through: more than the server ever writes between two syncs."""
HOLE = bytes(8)
PAGE_BYTES = 4096


def cut_unsynced(home: Path) -> str:
    """Cut off what a power cut left without its bytes, keep it beside; return what was done, or ''.

    Anything else that is no command stays as it is: then the server refuses to start, and a person has to look.
    """
    path = _latest(home / "appendonlydir")
    if path is None or not path.stat().st_size:
        return ""
    with path.open("rb+") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            size = len(data)
            whole = size if data[-2:] == b"\r\n" and data.find(HOLE, max(0, size - TAIL_BYTES)) < 0 else _readable(data)
            if not 0 < size - whole <= TAIL_BYTES or not _has_hole(data, whole):
                return ""
            kept = _keep(home, data[whole:])
        file.truncate(whole)
        os.fsync(file.fileno())
    return f"the last {size - whole} bytes of {path.name} had not been synced when the power went: cut off, kept in {kept.name}"


def _latest(folder: Path) -> Path | None:
    """Return the file that is appended to: the last incremental one of the manifest."""
    try:
        lines = [line.split() for line in (folder / "appendonly.aof.manifest").read_text().splitlines()]
    except OSError:
        return None
    names = [words[1] for words in lines if len(words) >= 6 and words[-1] == "i"]
    path = folder / names[-1] if names else None
    return path if path is not None and path.is_file() else None


def _readable(data: mmap.mmap) -> int:
    """Return where the last whole command ends before something that is none; the size if all are, or the last is cut short."""
    at = 0
    while at < len(data):
        after = _command(data, at)
        if after < 0:
            return at
        at = after
    return len(data)


def _command(data: mmap.mmap, at: int) -> int:
    """Return where the command at a place ends (the size, if it is cut short), or -1 if there is none."""
    if data[at : at + 1] == b"#":  # a note of the server
        return _line_end(data, at)
    count, at = _number(data, at, b"*")
    for _ in range(count):
        length, at = _number(data, at, b"$")
        if at < 0 or at >= len(data):
            return at
        at += length + 2
        if at <= len(data) and data[at - 2 : at] != b"\r\n":
            return -1
    return min(at, len(data))


def _number(data: mmap.mmap, at: int, kind: bytes) -> tuple[int, int]:
    """Return the number of a line of a kind and where it ends: at the size, if it is cut short; -1 if it is none."""
    end = data.find(b"\r\n", at, at + 32)
    line = data[at : end if end >= 0 else min(at + 32, len(data))]
    if end < 0:
        whole = line[:1] in (kind, b"") and len(data) - at < 32 and not line[1:].strip(b"0123456789\r")
        return 0, len(data) if whole else -1
    return (int(line[1:]), end + 2) if line[:1] == kind and line[1:].isdigit() else (0, -1)


def _line_end(data: mmap.mmap, at: int) -> int:
    end = data.find(b"\n", at)
    return end + 1 if end >= 0 else len(data)


def _has_hole(data: mmap.mmap, start: int) -> bool:
    """Say whether NULs that reach the end of a page, or of the file, follow: bytes that were never written."""
    if data[-1:] == b"\0":
        return True
    at = data.find(HOLE, start)
    while at >= 0:
        end = at + len(HOLE)
        while end < len(data) and data[end] == 0:
            end += 1
        if at // PAGE_BYTES != end // PAGE_BYTES:
            return True
        at = data.find(HOLE, end)
    return False


def _keep(home: Path, tail: bytes) -> Path:
    path = home / f"unsynced-{int(time.time())}.aof"
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(tail)
        file.flush()
        os.fsync(file.fileno())
    return path
