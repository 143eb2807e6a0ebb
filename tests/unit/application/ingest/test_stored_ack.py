"""Acknowledgements that wait until the entries are stored."""

import asyncio

import pytest

from tests.unit.application.ingest.conftest import Rig, drain
from zero.application.ingest import IngestOptions
from zero.application.ports import DeadLetter, Settlement
from zero.application.stored_ack import StoredAckOptions
from zero.application.submission import Ack, parse_ack
from zero.domain.errors import (
    InvalidInput,
)


async def test_ack_stored_waits_until_the_drain_has_settled_the_frame():
    rig = Rig()
    rig.ingest._stored._clock.sleep = asyncio.sleep
    stored, durable = rig.send(b"a", ack=Ack.STORED), rig.send(b"b", ack=Ack.DURABLE)
    assert (await durable).ack == "durable"
    await asyncio.sleep(0.1)
    assert not stored.done()
    await drain(rig.buffer)
    assert (await stored).ack == "stored"
    await rig.ingest.close()


async def test_ack_stored_of_entries_that_became_dead_letters_says_so_and_how_many():
    rig = Rig()
    rig.ingest._stored._clock.sleep = asyncio.sleep
    whole, part, other = (rig.send(body, ack=Ack.STORED) for body in (b"ab", b"cd", b"ef"))
    lease = await rig.buffer.acquire(0, "test")
    await asyncio.sleep(0.02)
    (delivery,) = await rig.buffer.read(lease, 100, 0)
    letters = [DeadLetter(delivery.position, "refused", "default", 1, b"", index) for index in (0, 1, 3)]
    await rig.buffer.settle(lease, Settlement([delivery.position], {"default": 3}, letters))
    told = [(receipt.ack, receipt.dead_lettered) for receipt in await asyncio.gather(whole, part, other)]
    assert told == [("dead-lettered", 2), ("dead-lettered", 1), ("stored", 0)]
    assert (await part).to_json().endswith(b'"ack":"dead-lettered","dead_lettered":1}')
    await rig.ingest.close()


async def test_ack_stored_is_answered_durable_when_it_takes_too_long():
    rig = Rig(IngestOptions(stored=StoredAckOptions(timeout_seconds=30, poll_seconds=1)))
    assert (await rig.send(b"a", ack=Ack.STORED)).ack == "durable"
    assert 30 <= rig.clock.monotonic() <= 32
    await rig.ingest.close()


async def test_those_who_wait_for_stored_are_bounded():
    rig = Rig(IngestOptions(stored=StoredAckOptions(waiters_max=1)))
    rig.ingest._stored._clock.sleep = asyncio.sleep
    first, second = rig.send(b"a", ack=Ack.STORED), rig.send(b"b", ack=Ack.STORED)
    assert (await second).ack == "durable"
    assert not first.done()
    await rig.ingest.close()
    assert (await first).ack == "durable"


def test_an_unknown_acknowledgement_is_refused_by_the_name_of_its_header():
    assert parse_ack("stored") is Ack.STORED
    with pytest.raises(InvalidInput, match="'durable' or 'stored'") as caught:
        parse_ack("replicated")
    assert caught.value.field == "Zero-Ack"
