"""A look at running queries waits for inserts that the engine cannot see yet."""

import asyncio

import pytest

from zero.embedded.clickhouse.errors import EngineError
from zero.embedded.clickhouse.gate import InsertGate


async def test_it_waits_for_every_insert_that_came_before_and_for_none_that_comes_later() -> None:
    gate = InsertGate(settle_seconds=60)
    first, second = gate.enter(), gate.enter()
    look = asyncio.ensure_future(gate.settle(gate.enter()))
    first.settle()
    await asyncio.sleep(0.05)
    assert not look.done()
    gate.enter()
    gate.leave(second)
    await asyncio.wait_for(look, 60)


async def test_an_insert_whose_head_is_read_while_the_look_begins_is_waited_for() -> None:
    gate = InsertGate(settle_seconds=60)
    look = asyncio.ensure_future(gate.settle(None))
    await asyncio.sleep(0)
    ticket = gate.enter()
    await asyncio.sleep(0.05)
    assert not look.done()
    ticket.settle()
    await asyncio.wait_for(look, 60)


async def test_its_own_ticket_never_holds_it_up() -> None:
    gate = InsertGate(settle_seconds=60)
    await asyncio.wait_for(gate.settle(gate.enter()), 60)


async def test_an_insert_that_never_begins_ends_the_wait_with_an_error() -> None:
    gate = InsertGate(settle_seconds=0.05)
    gate.enter()
    with pytest.raises(EngineError, match="TIMEOUT_EXCEEDED"):
        await gate.settle(None)
