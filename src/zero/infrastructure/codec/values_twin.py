"""Numbers, levels and points in time as senders write them, in plain Python."""

import datetime
import math
import re
from decimal import Decimal

from zero.domain.entry import Level, MetadataValue

BLANKS = " \t\r\n"
INT64_MIN, UINT64_MAX = -(1 << 63), (1 << 64) - 1
_EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()

_WORDS = {
    Level.TRACE: "trace trc t finest finer silly",
    Level.DEBUG: "debug dbg d fine verbose v",
    Level.INFO: "info inf i information informational notice n config http success",
    Level.WARN: "warn warning wrn w",
    Level.ERROR: "error err e severe failure",
    Level.FATAL: "fatal ftl f critical crit c alert a emerg emergency panic dpanic",
}
LEVEL_WORDS = {word: level for level, words in _WORDS.items() for word in words.split()}
_SYSLOG = (Level.FATAL, Level.FATAL, Level.FATAL, Level.ERROR, Level.WARN, Level.INFO, Level.INFO, Level.DEBUG)

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:[Zz]|([+-])(\d\d):?(\d\d)?(?<!:))?", re.ASCII
)
_DECIMAL = re.compile(r"(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?", re.ASCII)


def number_value(text: str) -> MetadataValue:
    """Return the value of a JSON number: an int or float that holds it exactly, else the text itself."""
    if any(mark in text for mark in ".eE"):
        return _decimal_value(text)
    if text == "-0":
        return -0.0
    if len(text) > len(str(INT64_MIN)) or not INT64_MIN <= int(text) <= UINT64_MAX:
        return text
    return int(text)


def _decimal_value(text: str) -> float | str:
    value = float(text)
    if value == 0:
        mantissa = re.split("[eE]", text)[0]
        return text if re.search("[1-9]", mantissa) else value
    if math.isinf(value) or Decimal(text) != Decimal(repr(value)):
        return text
    return value


def float_value(value: float) -> float | str:
    """Return the float; NaN and the infinities as text."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def parse_level(text: str) -> Level | None:
    """Return the level of a word, a syslog number (0 to 7) or a pino number (10 to 69); None for anything else."""
    word = text.strip(BLANKS)
    if re.fullmatch("[0-7]", word):
        return _SYSLOG[int(word)]
    if re.fullmatch("[1-6][0-9]", word):
        return Level(int(word) // 10)
    return LEVEL_WORDS.get(word.lower()) if word.isascii() else None


def parse_timestamp(text: str) -> int | None:
    """Return nanoseconds of the Unix epoch of RFC 3339 text or a decimal number; None when it is neither or far away."""
    text = text.strip(BLANKS)
    return _parse_rfc3339(text) if text[4:5] == "-" else _parse_number(text)


def _parse_rfc3339(text: str) -> int | None:
    match = _RFC3339.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = match.groups()[6:]
    ahead_hours, ahead_minutes = int(offset_hours or 0), int(offset_minutes or 0)
    if hour > 23 or minute > 59 or second > 60 or ahead_hours > 23 or ahead_minutes > 59:
        return None
    try:
        days = datetime.date(year, month, day).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    ahead = (ahead_hours * 60 + ahead_minutes) * (-60 if sign == "-" else 60)
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second - ahead
    if not 0 <= seconds < 10**10:
        return None
    return seconds * 10**9 + int((fraction or "").ljust(9, "0")[:9])


def _parse_number(text: str) -> int | None:
    match = _DECIMAL.fullmatch(text)
    if not match:
        return None
    whole, fraction, exponent = match[1], match[2] or "", match[3] or "0"
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return 0
    if len(exponent) > 12:
        return None if exponent[0] != "-" else 0
    integer_digits = len(whole) + int(exponent) - (len(whole + fraction) - len(digits))
    scale = 9 if integer_digits <= 11 else 6 if integer_digits <= 14 else 3 if integer_digits <= 17 else 0
    places = integer_digits + scale
    if places > 19:
        return None
    return int(digits.ljust(places, "0")[:places]) if places > 0 else 0
