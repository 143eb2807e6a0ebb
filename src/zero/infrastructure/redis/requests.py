"""The commands that put frames into a shard's stream, encoded without copying the frames."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from zero.application.ports import Append
from zero.domain.ledger import TenantLedger
from zero.domain.retention import Cut
from zero.infrastructure.redis.keys import FIELD_COUNT, FIELD_FRAME, FIELD_TENANT, ShardKeys

MULTI = b"*1\r\n$5\r\nMULTI\r\n"
EXEC = b"*1\r\n$4\r\nEXEC\r\n"


def pack(*arguments: str | bytes) -> bytes:
    """Return one command in the wire's form."""
    encoded = [argument.encode() if isinstance(argument, str) else argument for argument in arguments]
    return b"*%d\r\n" % len(encoded) + b"".join(map(_bulk, encoded))


def _bulk(value: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(value), value)


@lru_cache(maxsize=4096)
def _entry_head(stream: str, tenant: str) -> bytes:
    """Everything of an XADD up to the count; the stream is never trimmed."""
    return b"*9\r\n" + b"".join(map(_bulk, (b"XADD", stream.encode(), b"*", FIELD_TENANT, tenant.encode(), FIELD_COUNT)))


@lru_cache(maxsize=4096)
def _count_head(ledger: str, counter: str, tenant: str) -> bytes:
    return b"*4\r\n" + b"".join(map(_bulk, (b"HINCRBY", ledger.encode(), ledger_field(counter, tenant).encode())))


def ledger_field(counter: str, tenant: str) -> str:
    """Return the field of the ledger hash that holds a tenant's counter."""
    return f"{counter}:{tenant}"


def day_counter(day: int) -> str:
    """Return the counter of what was stored of a day's receipts (docs/decisions/0146)."""
    return f"stored@{day}"


def ledgers(fields: Iterable[tuple[str, int]], cut: Cut) -> dict[str, TenantLedger]:
    """Return the ledger of each tenant from the fields of one hash or of several, without the days before the cut."""
    totals: dict[str, dict[str, int]] = {}
    for field, value in fields:
        counter, _, tenant = field.partition(":")
        counters = totals.setdefault(tenant, {})
        counters[counter] = counters.get(counter, 0) + value
    return {tenant: _ledger(counters, cut.of(tenant)) for tenant, counters in sorted(totals.items())}


def _ledger(counters: dict[str, int], first: int) -> TenantLedger:
    found = {int(counter.partition("@")[2]): value for counter, value in counters.items() if "@" in counter}
    days = {day: count for day, count in found.items() if day >= first}
    return TenantLedger(**{counter: value for counter, value in counters.items() if "@" not in counter}, stored_by_day=days)


def pack_appends(keys: ShardKeys, appends: Sequence[Append]) -> tuple[list[bytes], int]:
    """Return the parts that add the frames and count them, to be sent inside MULTI, and the number of commands."""
    parts: list[bytes] = []
    counts: dict[str, int] = {}
    for append in appends:
        counts[append.tenant] = counts.get(append.tenant, 0) + append.count
        number = b"%d" % append.count
        between = b"$%d\r\n%s\r\n$1\r\n%s\r\n$%d\r\n" % (len(number), number, FIELD_FRAME, len(append.frame))
        parts += (_entry_head(keys.stream, append.tenant), between, append.frame, b"\r\n")
    for tenant, count in counts.items():
        amount = _bulk(b"%d" % count)
        parts += (_count_head(keys.ledger, "accepted", tenant), amount, _count_head(keys.ledger, "in_buffer", tenant), amount)
    return parts, len(appends) + 2 * len(counts)


def entry_ids(results: Sequence[Any]) -> list[str]:
    """Return the stream ids among the results of EXEC, in order; counters are integers."""
    return [result.decode() for result in results if isinstance(result, bytes) and b"-" in result]
