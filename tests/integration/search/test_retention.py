"""Days of receipt and single tenants leave a real store and a real ledger; what stays is whole, and nothing is called lost."""

import asyncio
import time
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from tests.integration.search.conftest import ClickHouseLogs, LogStore, Reader, frames
from tests.patience import READY_SECONDS_MAX
from tests.torture.harness.campaign import conservation
from tests.torture.harness.oracle import Verdict
from zero.application.overview import Overview
from zero.application.ports import Append, RetentionStore, Settlement
from zero.application.retention import KeeperParts, RetentionKeeper
from zero.application.retention_events import EntriesExpired
from zero.cli.doctor_retention import retention
from zero.domain.batch_id import batch_id
from zero.domain.entry import Level, LogEntry
from zero.domain.ledger import MILLISECONDS_PER_DAY
from zero.domain.retention import Retention
from zero.domain.stored import StoredEntry
from zero.infrastructure.memory import ManualClock, MemoryTelemetry
from zero.infrastructure.redis import RedisBuffer, RedisOptions, RedisShardLog
from zero.infrastructure.redis.retention import RedisRetention
from zero.interfaces.api.figures import ledger_body
from zero.settings import Settings

TODAY = 20_600
NOW_MS = TODAY * MILLISECONDS_PER_DAY + 3_600_000
AGES = (0, 1, 5, 20, 60)
EACH = 40


class Kept:
    """A buffer, a store and their keeper, with entries of several days of receipt in both."""

    def __init__(self, url: str, namespace: str, logs: LogStore, reader: Reader, retention: Retention) -> None:
        options = RedisOptions(url, namespace=namespace, timeout_seconds=2.0, lease_seconds=60.0, ledger_days=100)
        self.buffer, self.log, self.ledger_days = RedisBuffer(options), RedisShardLog(options), RedisRetention(options)
        self.logs, self.reader, self.retention = logs, reader, retention
        self.clock, self.telemetry = ManualClock(NOW_MS * 1_000_000), MemoryTelemetry()
        self.store: RetentionStore = logs.retention()

    async def fill(self) -> None:
        """Accept, store and settle entries; all claim to be of today, so that days of receipt share ClickHouse's partitions."""
        lease = await self.log.acquire(0, "tests")
        assert lease is not None
        for age in AGES:
            for tenant in ("acme", "default"):
                identity = batch_id(NOW_MS - age * MILLISECONDS_PER_DAY, 1, len(tenant))
                entries = [StoredEntry(identity, n, LogEntry(f"m{n}", NOW_MS * 10**6, Level.INFO, "app")) for n in range(EACH)]
                (frame,) = frames(entries, tenant)
                await self.buffer.append([Append(0, frame.data, tenant, EACH)])
                (read,) = await self.log.read(lease, 1, 0.0)
                await asyncio.to_thread(self.logs.store, entries, tenant)
                await self.log.settle(lease, Settlement([read.position], {tenant: EACH}, (), {(tenant, TODAY - age): EACH}))

    async def look(self) -> None:
        parts = KeeperParts(self.ledger_days, self.store, self.clock, self.telemetry, lambda: True)
        await RetentionKeeper(self.retention, parts).look()

    async def rows_become(self, expected: dict[tuple[str, int], int]) -> None:
        """Return once the store holds that, by tenant and age in days."""
        until = time.monotonic() + READY_SECONDS_MAX
        while (found := {(t, TODAY - day): n for (t, day), n in (await self.reader.rows_by_day()).items()}) != expected:
            assert time.monotonic() < until, found
            await asyncio.sleep(0.05)

    async def judged(self, kept: int, expired: int) -> list[str]:
        """Return what the torture's oracle finds wrong with the ledger of the tenant ``default``."""
        overview = Overview(self.buffer, self.reader, self.clock, self.retention)
        return conservation(ledger_body(await overview.ledger()), Verdict(stored=kept), expired)


@pytest.fixture
async def kept(redis_url: str, namespace: str, log_store: LogStore, reader: Reader) -> AsyncIterator[Kept]:
    found = Kept(redis_url, namespace, log_store, reader, Retention(90, {"acme": 7}))
    await found.fill()
    yield found
    for part in (found.buffer, found.log, found.ledger_days):
        await part.close()


async def test_a_tenant_with_fewer_days_loses_them_and_the_ledger_still_balances(kept: Kept) -> None:
    assert await kept.judged(EACH * len(AGES), 0) == []
    await kept.look()
    everything = {(tenant, age): EACH for age in AGES for tenant in ("acme", "default")}
    await kept.rows_become({key: count for key, count in everything.items() if key[0] == "default" or key[1] <= 7})
    assert await kept.judged(EACH * len(AGES), 0) == []
    acme = (await Overview(kept.buffer, kept.reader, kept.clock, kept.retention).ledger())["acme"]
    assert (acme.rows_now, acme.expired, acme.missing, acme.balanced) == (3 * EACH, 2 * EACH, 0, True)
    assert kept.telemetry.of(EntriesExpired) == [EntriesExpired("age", 2 * EACH, TODAY - 90)]
    await kept.look()
    assert len(kept.telemetry.of(EntriesExpired)) == 1, "what is gone is not removed again"


async def test_above_its_size_the_store_loses_whole_days_and_never_the_last_two(kept: Kept) -> None:
    used = await kept.store.disk_bytes()
    assert used > 0
    kept.retention = Retention(90, {}, bytes_max=int(used * 0.7))
    await kept.look()
    await kept.rows_become({(tenant, age): EACH for age in AGES[:3] for tenant in ("acme", "default")})
    assert await kept.judged(3 * EACH, 2 * EACH) == []
    kept.retention = Retention(90, {}, bytes_max=1)
    await kept.look()
    await kept.rows_become({(tenant, age): EACH for age in AGES[:2] for tenant in ("acme", "default")})
    assert await kept.judged(2 * EACH, 3 * EACH) == []


async def test_a_row_that_is_gone_before_its_time_is_lost_beside_all_that_expired(kept: Kept) -> None:
    await kept.look()
    kept.logs.empty("logs")
    problems = await kept.judged(EACH * len(AGES), 0)
    assert any("differ" in problem for problem in problems)


def test_doctor_says_how_long_and_how_much_is_kept(clickhouse_logs: ClickHouseLogs) -> None:
    of_writer = clickhouse_logs.options("default")
    place = f"{of_writer.host}:{of_writer.port}/{of_writer.database}"
    url = f"http://default:{quote(of_writer.password)}@{place}"
    days, size = retention(Settings(clickhouse_url=url, retention_tenants="acme=7", retention_bytes=1 << 60))
    assert (days.state, days.detail) == ("ok", "entries are kept 30 days, acme 7")
    assert (size.state, "of 1,152,921,504,606,846,976 bytes" in size.detail) == ("ok", True)
    *_, size = retention(Settings(clickhouse_url=url, retention_bytes=1))
    assert (size.state, "ZERO_RETENTION_BYTES" in size.advice) == ("warn", True)
    assert len(list(retention(Settings(retention_days=5)))) == 1
