"""Where a search looks first: the newest entries, then further back, then everywhere. Most pages fill from the newest."""

from collections.abc import Iterator, Sequence

from zero.application.ports import BUCKET_NS
from zero.domain.query import TimeBetween

# How far back a search looks at first, then next, before it looks at everything.
WINDOWS_NS = (BUCKET_NS, 72 * BUCKET_NS)


def backwards(
    from_ns: int | None, to_ns: int | None, extent: tuple[int, int], widths_ns: Sequence[int] = WINDOWS_NS
) -> Iterator[TimeBetween]:
    """Yield windows of time that together cover ``from_ns`` up to ``to_ns`` (exclusive), newest first.

    They begin where the entries end; when little is left beyond the next one, it reaches over all of it.
    """
    oldest_ns, newest_ns = max(from_ns or 0, extent[0]), extent[1]
    start_ns = newest_ns if to_ns is None else min(to_ns, newest_ns)
    upper_ns = to_ns
    for width_ns in widths_ns:
        lower_ns = (start_ns - width_ns) // BUCKET_NS * BUCKET_NS
        if lower_ns <= oldest_ns:
            break
        yield TimeBetween(lower_ns, upper_ns)
        upper_ns = lower_ns
    yield TimeBetween(from_ns, upper_ns)


def forwards(
    from_ns: int, to_ns: int | None, extent: tuple[int, int], widths_ns: Sequence[int] = WINDOWS_NS
) -> Iterator[TimeBetween]:
    """Yield the same from ``from_ns`` on, oldest first; the last one reaches to ``to_ns``, which may be open."""
    newest_ns = extent[1] if to_ns is None else min(to_ns, extent[1])
    lower_ns = from_ns
    for width_ns in widths_ns:
        upper_ns = (from_ns + width_ns) // BUCKET_NS * BUCKET_NS + BUCKET_NS
        if upper_ns >= newest_ns:
            break
        yield TimeBetween(lower_ns, upper_ns)
        lower_ns = upper_ns
    yield TimeBetween(lower_ns, to_ns)
