"""An entry on its way into a payload, in plain Python: the only place of the twins where limits and defaults are applied."""

from dataclasses import dataclass

from zero.domain.entry import EntryLimits, Level, LogEntry, MetadataValue

LIMITS = EntryLimits()
_DAY_NS = 86_400 * 10**9
TEXT_LIMITS = {
    "message": LIMITS.message_bytes,
    "app_id": LIMITS.app_id_bytes,
    "source": LIMITS.source_bytes,
    "environment": LIMITS.environment_bytes,
    "trace_id": LIMITS.trace_id_bytes,
    "span_id": LIMITS.span_id_bytes,
    "user_id": LIMITS.user_id_bytes,
}


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the platform adds to entries that do not say it themselves."""

    now_ns: int
    source: str


class Rejected(ValueError):
    """The entry breaks a rule; the text says which."""


class Draft:
    """An entry that is being read. Of several reasons to reject it, the first field's is told, metadata's last."""

    def __init__(self, stamp: Stamp) -> None:
        self._stamp = stamp
        self._metadata: dict[str, MetadataValue] = {}
        self._reasons: list[str] = []
        self._metadata_reasons: list[str] = []
        self.texts: dict[str, str] = {}
        self.level: Level | None = None
        self.timestamp_ns: int | None = None
        self.repaired = False

    def copy(self) -> "Draft":
        """Return a draft that begins as this one is."""
        other = Draft(self._stamp)
        other._metadata, other._reasons = dict(self._metadata), list(self._reasons)
        other._metadata_reasons, other.texts = list(self._metadata_reasons), dict(self.texts)
        other.repaired = self.repaired
        return other

    def set_timestamp(self, timestamp_ns: int | None, original: str) -> None:
        """Take the timestamp, or keep its original text when it is none or wild."""
        now = self._stamp.now_ns
        earliest, latest = max(now - LIMITS.past_days * _DAY_NS, 0), now + LIMITS.future_days * _DAY_NS
        if timestamp_ns is not None and earliest <= timestamp_ns <= latest:
            self.timestamp_ns = timestamp_ns
        else:
            self.put("original_timestamp", original)

    def put(self, key: str, value: MetadataValue) -> None:
        """Add a metadata value; of equal keys the last value wins, at the place of the first."""
        key_bytes = len(key.encode())
        value_bytes = len(value.encode()) if isinstance(value, str) else 0
        if not key:
            self._metadata_reasons.append("metadata key: empty")
        elif key_bytes > LIMITS.metadata_key_bytes:
            self._metadata_reasons.append(_over("metadata key", key_bytes, LIMITS.metadata_key_bytes))
        elif value_bytes > LIMITS.metadata_value_bytes:
            self._metadata_reasons.append(_over(f"metadata.{key}", value_bytes, LIMITS.metadata_value_bytes))
        elif key not in self._metadata and len(self._metadata) == LIMITS.metadata_keys:
            self._metadata_reasons.append(f"metadata: more than {LIMITS.metadata_keys} keys")
        else:
            self._metadata[key] = value

    def reject(self, reason: str) -> None:
        """Note a reason to reject the entry."""
        self._reasons.append(reason)

    def finish(self) -> LogEntry:
        """Return the complete entry. Raises Rejected with the first reason."""
        texts = {"app_id": "default", "environment": "prod", "source": self._stamp.source}
        texts |= {name: text for name, text in self.texts.items() if text}
        if not texts.get("message"):
            self.reject(f"message: missing or empty, limit 1 to {LIMITS.message_bytes} bytes")
        for name, limit in TEXT_LIMITS.items():
            size = len(texts.get(name, "").encode())
            if size > limit:
                self.reject(_over(name, size, limit))
        for reason in self._reasons + self._metadata_reasons:
            raise Rejected(reason)
        return LogEntry(
            timestamp_ns=self.timestamp_ns or self._stamp.now_ns,
            level=self.level or Level.INFO,
            metadata=self._metadata,
            **texts,
        )


def _over(what: str, size: int, limit: int) -> str:
    return f"{what}: {size} bytes, limit {limit}"
