"""Arithmetic on rows: which are still to be stored, and how to halve them."""

from collections.abc import Iterable, Mapping, Sequence

from zero.application.ports import RowRange
from zero.domain.frame import Frame


def all_rows(frames: Sequence[Frame]) -> list[RowRange]:
    """Return the ranges that cover every row of the frames."""
    return [RowRange(at, 0, frame.count) for at, frame in enumerate(frames) if frame.count]


def count_rows(rows: Iterable[RowRange]) -> int:
    """Return how many rows the ranges hold."""
    return sum(part.stop - part.start for part in rows)


def absent_rows(frames: Sequence[Frame], rows: Sequence[RowRange], present: Mapping[int, Sequence[int]]) -> list[RowRange]:
    """Return the part of ``rows`` whose identities (batch id, index) are not among those present."""
    absent: list[RowRange] = []
    for part in rows:
        start, frame = part.start, frames[part.frame]
        for index in sorted(set(present.get(frame.batch_id, ()))):
            at = index - frame.first_index
            if start <= at < part.stop:
                if start < at:
                    absent.append(RowRange(part.frame, start, at))
                start = at + 1
        if start < part.stop:
            absent.append(RowRange(part.frame, start, part.stop))
    return absent


def halves(rows: Sequence[RowRange]) -> tuple[list[RowRange], list[RowRange]]:
    """Return two parts of the rows, in order; each has at least one of two or more."""
    left: list[RowRange] = []
    wanted = count_rows(rows) // 2
    for at, part in enumerate(rows):
        size = part.stop - part.start
        if size >= wanted:
            cut = part.start + wanted
            head = [RowRange(part.frame, part.start, cut)] if wanted else []
            tail = [RowRange(part.frame, cut, part.stop)] if cut < part.stop else []
            return left + head, tail + list(rows[at + 1 :])
        left.append(part)
        wanted -= size
    return left, []


def only_used(frames: Sequence[Frame], rows: Sequence[RowRange]) -> tuple[list[Frame], list[RowRange]]:
    """Return the frames that the rows are in, and the rows with positions in that list."""
    used = {at: place for place, at in enumerate(dict.fromkeys(part.frame for part in rows))}
    return [frames[at] for at in used], [RowRange(used[part.frame], part.start, part.stop) for part in rows]
