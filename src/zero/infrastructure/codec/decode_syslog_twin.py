"""The syslog door in plain Python: the oracle of the native decoder.

RFC 5424 where a message keeps to it, else RFC 3164 as far as senders keep to that: time, host and tag are each taken only where
they are plain to see, and everything else is the message.
"""

import calendar
import datetime
import re
from collections.abc import Iterator

from zero.application.ports import Decoded
from zero.domain.entry import Level
from zero.infrastructure.codec.decode_json_twin import BATCH_LIMITS, Report, check_body_size
from zero.infrastructure.codec.entry_twin import LIMITS, Draft, Stamp
from zero.infrastructure.codec.values_twin import parse_timestamp

FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *("ntp", "security", "console", "clock"),
    *(f"local{number}" for number in range(8)),
)
SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
LEVELS = (Level.FATAL, Level.FATAL, Level.FATAL, Level.ERROR, Level.WARN, Level.INFO, Level.INFO, Level.DEBUG)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DEFAULT_PRIORITY, _PRIORITY_MAX = 13, 191
_WORD_BYTES = 255  # of a header; what is longer is none, and belongs to the message
_PADDING = b"\n\r\0"
_BOM = "\ufeff"

_COUNT = re.compile(rb"([1-9][0-9]{0,7}) (?=<[0-9])")
_PRIORITY = re.compile(r"<([0-9]{1,3})>")
_HEADER = re.compile(r"([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+)(?: |\Z)", re.DOTALL)
_NAME = r'[^\x00-\x20=\]"]+'
_VALUE = r'(?:[^"\\]|\\.)*'
_PARAMETER = re.compile(rf'({_NAME})="({_VALUE})"', re.DOTALL)
_ELEMENT = re.compile(rf'\[({_NAME})((?: (?:{_NAME}="{_VALUE}")?)*)\]', re.DOTALL)
_CLOCK = r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
_BSD_TIME = re.compile(rf"({'|'.join(MONTHS)})  ?([0-9]{{1,2}}) (?:([0-9]{{4}}) )?{_CLOCK}(:?)(?: |\Z)", re.DOTALL)
_TAG = re.compile(r"([^ :\[]+)(?:\[([^ \]]*)\]:?|:)(?= |\Z)", re.DOTALL)


def decode_syslog(body: bytes | memoryview, now_ns: int, source: str, utc_offset_seconds: int = 0) -> Decoded:
    """Decode syslog messages as a stream brings them. Raises TooLarge."""
    data = bytes(body)
    check_body_size(data)
    report = Report()
    for raw in _frames(data):
        report.reserve()
        if raw is None:
            report.reject("message: cut off")
        elif raw := raw.rstrip(_PADDING):
            report.add(_Message(Stamp(now_ns, source), utc_offset_seconds).read(raw))
    return report.decoded()


def _frames(data: bytes) -> Iterator[bytes | None]:
    """Yield the messages; None where the last one is cut off."""
    at = 0
    while at < len(data):
        if data[at] in _PADDING:
            at += 1
            continue
        count = _COUNT.match(data, at)
        if count:
            end = count.end() + int(count[1])
            if end > min(len(data), count.end() + BATCH_LIMITS.body_bytes):
                yield None
                return
            yield data[count.end() : end]
        else:
            end = data.find(b"\n", at) + 1 or len(data)
            yield data[at:end].removesuffix(b"\n")
        at = end


class _Message:
    """Reads one message into a draft."""

    def __init__(self, stamp: Stamp, utc_offset_seconds: int) -> None:
        self._draft = Draft(stamp)
        self._stamp = stamp
        self._offset = utc_offset_seconds

    def read(self, raw: bytes) -> Draft:
        text = raw.decode(errors="replace")
        self._draft.repaired = text.encode() != raw
        text = self._priority(text)
        if not (text.startswith("1 ") and self._read_5424(text[2:])):
            self._read_3164(text)
        return self._draft

    def _priority(self, text: str) -> str:
        match = _PRIORITY.match(text)
        priority = _DEFAULT_PRIORITY
        if match and int(match[1]) <= _PRIORITY_MAX:
            priority, text = int(match[1]), text[match.end() :]
        self._draft.level = LEVELS[priority & 7]
        self._draft.put("facility", FACILITIES[priority >> 3])
        self._draft.put("severity", SEVERITIES[priority & 7])
        return text

    def _read_5424(self, text: str) -> bool:
        match = _HEADER.match(text)
        if not match:
            return False
        if any(len(word.encode()) > _WORD_BYTES for word in match.groups()) or len(match[3].encode()) > LIMITS.app_id_bytes:
            return False
        time, host, app, process, message_id = match.groups()
        self._set("source", host)
        self._set("app_id", app)
        self._put("procid", process)
        self._put("msgid", message_id)
        if time != "-":
            self._draft.set_timestamp(parse_timestamp(time), time)
        rest = text[match.end() :]
        if rest == "-" or rest.startswith("- "):
            self._message(rest[2:].removeprefix(" "), "")
            return True
        at, elements = 0, []
        while element := _ELEMENT.match(rest, at):
            elements.append(element)
            at = element.end()
        if not elements or rest[at : at + 1] not in ("", " "):
            self._message(rest, "")
            return True
        for element in elements:
            self._put_element(element)
        self._message(rest[at + 1 :].removeprefix(" "), rest[:at])
        return True

    def _put_element(self, element: re.Match[str]) -> None:
        found = _PARAMETER.findall(element[2])
        for name, value in found:
            self._draft.put(f"sd.{element[1]}.{name}", re.sub(r'\\(["\\\]])', r"\1", value))
        if not found:
            self._draft.put(f"sd.{element[1]}", True)

    def _read_3164(self, text: str) -> None:
        rest = self._take_time(text)
        if rest is not None:
            text = rest
            host, blank, after = text.partition(" ")
            if host and blank and len(host.encode()) <= _WORD_BYTES and not host.endswith(":") and "[" not in host:
                self._set("source", host)
                text = after
        tag = _TAG.match(text)
        if tag and len(tag[1].encode()) <= LIMITS.app_id_bytes:
            self._set("app_id", tag[1])
            if tag[2]:
                self._put("procid", tag[2])
            self._message(text[tag.end() :].removeprefix(" "), text)
        else:
            self._message(text, text)

    def _take_time(self, text: str) -> str | None:
        """Take the time; the text behind it, or None when there is none."""
        match = _BSD_TIME.match(text)
        if match and int(match[4]) <= 23 and int(match[5]) <= 59 and int(match[6]) <= 60:
            seconds = self._resolve(match)
            fraction = int((match[7] or "").ljust(9, "0")[:9])
            known = seconds is not None and 0 <= seconds - self._offset < 10**10
            timestamp_ns = (seconds - self._offset) * 10**9 + fraction if seconds is not None and known else None
            self._draft.set_timestamp(timestamp_ns, match[0].removesuffix(" ").removesuffix(":"))
            return text[match.end() :]
        word, blank, rest = text.partition(" ")
        if blank and len(word) >= 5 and word[4] == "-" and (found := parse_timestamp(word)) is not None:
            self._draft.set_timestamp(found, word)
            return rest
        return None

    def _resolve(self, match: re.Match[str]) -> int | None:
        """Return seconds of the epoch in the sender's zone; of years that are not named, the nearest one is meant."""
        now = self._stamp.now_ns // 10**9 + self._offset
        this_year = datetime.datetime.fromtimestamp(now, datetime.UTC).year
        years = [int(match[3])] if match[3] else range(this_year - 1, this_year + 2)
        clock = (int(match[4]) * 60 + int(match[5])) * 60 + int(match[6])
        found = []
        for year in years:
            try:
                date = datetime.date(year, MONTHS.index(match[1]) + 1, int(match[2]))
            except ValueError:
                continue
            found.append(calendar.timegm(date.timetuple()) + clock)
        return min(found, key=lambda seconds: abs(seconds - now), default=None)

    def _message(self, text: str, otherwise: str) -> None:
        self._draft.texts["message"] = text.removeprefix(_BOM) or otherwise

    def _set(self, field: str, text: str) -> None:
        if text != "-":
            self._draft.texts[field] = text

    def _put(self, key: str, text: str) -> None:
        if text != "-":
            self._draft.put(key, text)
