"""Points in time as people write them, in Unix nanoseconds UTC."""

import re
from datetime import UTC, datetime, timedelta

NANOSECONDS_PER_SECOND = 1_000_000_000
NANOSECONDS_PER_MILLISECOND = 1_000_000
EARLIEST_NS = 0
LATEST_NS = 2**63 - 1

_UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_RELATIVE = re.compile(r"(?:now)?-(\d{1,9})(ms|s|m|h|d|w)", re.ASCII)
_NUMBER = re.compile(r"\d{1,19}(\.\d{1,9})?", re.ASCII)
_CLOCK, _OFFSET = r"(\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?", r"Z|z|[+-](?:[01]\d|2[0-3]):?[0-5]\d"
_RFC3339 = re.compile(rf"(\d{{4}}-\d\d-\d\d)(?:[Tt ]{_CLOCK})?\s?({_OFFSET})?", re.ASCII)
_LOST_PLUS = re.compile(r"(:[\d.,]+) (?=\d\d:?\d\d$)", re.ASCII)  # in a URL a plus that nobody escaped is a blank
# A plain number is seconds, milliseconds, microseconds or nanoseconds, told apart by size as for incoming logs.
_SCALES = ((10**11, NANOSECONDS_PER_SECOND), (10**14, 10**6), (10**17, 10**3))


def parse_instant(text: str, now_ns: int) -> int:
    """Return the nanoseconds of RFC 3339 text, an epoch number, ``now``, or ``-15m`` (units ms s m h d w) before now.

    Without an offset the time is UTC. Raises ValueError with a message for people.
    """
    text = text.strip()
    if text == "now":
        return now_ns
    if relative := _RELATIVE.fullmatch(text):
        return _in_range(now_ns - int(int(relative[1]) * _UNIT_SECONDS[relative[2]] * NANOSECONDS_PER_SECOND), text)
    if _NUMBER.fullmatch(text):
        return _in_range(_from_number(text), text)
    if parts := _RFC3339.fullmatch(_LOST_PLUS.sub(r"\1+", text)):
        return _in_range(_from_parts(parts, text), text)
    raise ValueError(f"{text!r} is not a time: write 2026-11-22T10:00:00Z, -15m, now, or seconds since 1970")


def format_instant(timestamp_ns: int) -> str:
    """Return RFC 3339 with nine digits of seconds, UTC."""
    seconds, nanoseconds = divmod(timestamp_ns, NANOSECONDS_PER_SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def _from_number(text: str) -> int:
    whole, _, fraction = text.partition(".")
    scale = next((scale for bound, scale in _SCALES if int(whole) < bound), 1)
    return int(whole) * scale + int((fraction or "0").ljust(9, "0")) * scale // NANOSECONDS_PER_SECOND


def _from_parts(parts: re.Match[str], text: str) -> int:
    day, minutes, seconds, fraction, offset = parts.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{minutes or '00:00'}:{seconds or '00'}+00:00")
    except ValueError as error:
        raise ValueError(f"{text!r} is not a date and time that exists") from error
    since = moment - datetime(1970, 1, 1, tzinfo=UTC) - _offset(offset)
    return (since // timedelta(seconds=1)) * NANOSECONDS_PER_SECOND + int((fraction or "0").ljust(9, "0"))


def _offset(text: str | None) -> timedelta:
    if text is None or text in "Zz":
        return timedelta(0)
    sign = -1 if text[0] == "-" else 1
    return sign * timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))


def _in_range(value_ns: int, text: str) -> int:
    if not EARLIEST_NS <= value_ns <= LATEST_NS:
        raise ValueError(f"{text!r} lies outside the years 1970 to 2262")
    return value_ns
