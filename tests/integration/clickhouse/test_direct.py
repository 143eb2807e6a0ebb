"""The store in the place of the buffer: what the first stages of the benchmark insert into."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.contract.store_contract import contract_frame
from zero.application.ports import Append, IdempotencyKey
from zero.domain.errors import InvalidInput, StoreUnavailable
from zero.infrastructure.clickhouse.connection import connect_writer
from zero.infrastructure.clickhouse.direct import ClickHouseBuffer, InsertForgotten
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.memory import MemoryTelemetry
from zero.infrastructure.native.codec import NativeCodec

CODEC = NativeCodec()


def appends(batch_id: int, count: int = 3) -> list[Append]:
    frame = contract_frame(CODEC, batch_id, [f"m{index}" for index in range(count)])
    return [Append(0, frame.data, frame.tenant, frame.count)]


def rows(options: ClickHouseOptions) -> int:
    client = connect_writer(options)
    try:
        return int(client.command("SELECT count() FROM logs"))
    finally:
        client.close()


@pytest.fixture
async def waiting(clickhouse_options: ClickHouseOptions) -> AsyncIterator[ClickHouseBuffer]:
    buffer = ClickHouseBuffer(clickhouse_options, CODEC, MemoryTelemetry(), waits=True)
    yield buffer
    await buffer.close()


async def test_an_append_that_returned_is_stored(waiting: ClickHouseBuffer, clickhouse_options: ClickHouseOptions) -> None:
    positions = [each.position for each in await waiting.append([*appends(1), *appends(2)])]
    assert list(await waiting.drained(positions)) == [(), ()]
    assert rows(clickhouse_options) == 6
    assert (await waiting.durability()).mode == "durable"


async def test_a_store_that_is_away_is_told_to_the_sender(clickhouse_options: ClickHouseOptions) -> None:
    away = replace(clickhouse_options, url="http://127.0.0.1:1/x")
    buffer = ClickHouseBuffer(away, CODEC, MemoryTelemetry(), waits=True)
    with pytest.raises(StoreUnavailable):
        await buffer.append(appends(1))
    await buffer.close()


async def test_idempotency_keys_are_refused_rather_than_forgotten(waiting: ClickHouseBuffer) -> None:
    (append,) = appends(1)
    with pytest.raises(InvalidInput):
        await waiting.append([replace(append, idempotency=IdempotencyKey("default", "k", b"{}"))])


async def test_nobody_is_told_that_a_forgotten_insert_failed_but_the_log(clickhouse_options: ClickHouseOptions) -> None:
    telemetry = MemoryTelemetry()
    buffer = ClickHouseBuffer(clickhouse_options, CODEC, telemetry, waits=False)
    await buffer.append(appends(1))
    client = connect_writer(clickhouse_options)
    client.command("DROP TABLE logs")
    client.close()
    await buffer.append(appends(2, 5))  # it returns as if nothing were wrong
    await buffer.close()
    lost = [event for event in telemetry.events if isinstance(event, InsertForgotten)]
    assert 5 in [event.entries for event in lost]
    assert (await buffer.durability()).mode == "relaxed"
