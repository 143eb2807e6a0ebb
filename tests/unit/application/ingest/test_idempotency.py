"""Keys: a retry stores nothing twice and hears what the first one heard."""

import asyncio

import pytest

from zero.application.ingest_events import RequestsAccepted
from zero.application.receipt import Receipt, recall
from zero.application.submission import checked_key
from zero.domain.batch_id import BatchIds
from zero.domain.errors import (
    InvalidInput,
    KeyReused,
)


async def test_a_keyed_request_has_a_frame_of_its_own_and_its_retry_gets_the_first_receipt(rig):
    first, other = await asyncio.gather(rig.send(b"ab", key="k"), rig.send(b"c"))
    again = await rig.send(b"ab", key="k")
    assert first.batch_id != other.batch_id
    assert again == first
    assert (await rig.buffer.ledger())["default"].accepted == 3


async def test_a_key_that_another_body_had_is_refused_and_nothing_of_it_is_stored(rig):
    first, other, more = await asyncio.gather(
        rig.send(b"ab", key="k"), rig.send(b"cd", key="k"), rig.send(b"e"), return_exceptions=True
    )
    assert (first.accepted, more.accepted) == (2, 1)
    assert isinstance(other, KeyReused)
    assert other.field == "Idempotency-Key"
    with pytest.raises(KeyReused):
        await rig.send(b"cd", key="k")
    assert (await rig.buffer.ledger())["default"].accepted == 3


async def test_a_retry_may_be_compressed_in_another_way(rig):
    first = await rig.send(b"ab", key="k")
    assert await rig.send(b"AB", key="k", decompress=bytes.lower) == first


async def test_a_retry_counts_no_entry_twice(rig):
    for _ in range(3):
        await rig.send(b"ab", key="k")
    accepted = [event.entries for event in rig.telemetry.events if isinstance(event, RequestsAccepted)]
    assert accepted == [2]


async def test_equal_keys_of_two_tenants_are_two_keys(rig):
    one, two = await asyncio.gather(rig.send(b"a", key="k", tenant="one"), rig.send(b"a", key="k", tenant="two"))
    assert one.batch_id != two.batch_id


async def test_a_retry_keeps_the_errors_of_the_first_receipt(rig):
    first = await rig.send(b"axb", key="k")
    assert await rig.send(b"axb", key="k") == first
    assert first.errors == [(1, "is x")]


def test_a_receipt_survives_its_json():
    for receipt in (
        Receipt(3, 0, BatchIds(5).next(1_700_000_000_000), 7, []),
        Receipt(1, 1, 255, 0, [(1, 'quote " and \u2028')], "stored"),
        Receipt(0, 1, 0, 0, [(0, "no message")]),
    ):
        assert recall(receipt.remembered(b"d"), b"d") == receipt
        assert recall(receipt.to_json(), b"d") == receipt, "as it was kept before digests were"
    assert Receipt(1, 0, 255, 3).to_json() == (
        b'{"accepted":1,"rejected":0,"batch_id":"00000000000000ff","first_index":3,"errors":[]}'
    )


@pytest.mark.parametrize("key", ["", "k" * 256, "with space", "tab\t", "\u00fc", "\x7f"])
def test_a_key_that_is_not_visible_ascii_is_refused(key):
    with pytest.raises(InvalidInput, match="1 to 255 visible ASCII"):
        checked_key(key)
    assert checked_key("k" * 255) == "k" * 255
