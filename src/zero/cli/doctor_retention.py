"""What ``zero doctor`` says of retention: how long entries are kept, and how much of its room the store has taken."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

from zero.cli.doctor_finding import OK, WARN, Finding
from zero.embedded.clickhouse.options import running_url
from zero.settings import Settings

_NEAR = 0.9


def retention(settings: Settings) -> Iterator[Finding]:
    """Name the days, and compare the store with its bound where there is one and the store answers."""
    kept = settings.retention
    others = "".join(f", {tenant} {days}" for tenant, days in kept.tenants.items())
    yield Finding("retention", OK, f"entries are kept {kept.days} days{others}")
    url = settings.store or running_url(settings.data_dir, str(settings.embedded_clickhouse))
    if kept.bytes_max and url:
        yield _size(settings if settings.store else replace(settings, clickhouse_url=url), kept.bytes_max)


def _size(settings: Settings, bytes_max: int) -> Finding:
    from zero.bootstrap import store_kind

    used = asyncio.run(store_kind(settings).retention().disk_bytes())
    told = f"the store takes {used:,} of {bytes_max:,} bytes"
    if used > bytes_max:
        advice = "a drain removes the oldest days but the last two: see that one runs, or raise ZERO_RETENTION_BYTES"
        return Finding("retention", WARN, told, advice)
    near = used > bytes_max * _NEAR
    return Finding("retention", OK, f"{told}: the oldest days are about to go" if near else told)
