"""Dead letters that are replayed: stored once, under the identity they were accepted with."""

from tests.unit.application.drain.conftest import Bench
from zero.application.dead_letters import DeadLetterParts, DeadLetters
from zero.domain.frame import unpack_frame
from zero.domain.ledger import TenantLedger
from zero.infrastructure.memory import MemoryKeyStore, entry_hash


async def replayed(bench: Bench, letters: DeadLetters) -> None:
    """Replay every letter and drain."""
    for id, _ in await letters.list("", 100):
        await letters.replay(id, "me")
    await bench.to_empty(bench.drain())


def dead_letters(bench: Bench) -> DeadLetters:
    parts = DeadLetterParts(bench.log, MemoryKeyStore(), bench.codec.crc32c, lambda payload: [], bench.clock, bench.telemetry)
    return DeadLetters(parts)


async def test_a_replayed_row_is_stored_once_under_the_identity_it_was_accepted_with(bench: Bench) -> None:
    await bench.append(7, 5, "blue")
    bench.store.poison = {(7, 1), (7, 3)}
    await bench.to_empty(bench.drain())
    bench.store.poison = {(7, 3)}
    await replayed(bench, dead_letters(bench))
    assert {bid: sorted(rows) for bid, rows in bench.stored.items()} == {7: [0, 1, 2, 4]}
    assert (await bench.log.ledger())["blue"] == TenantLedger(5, 4, 1, 0)
    ((_, letter),) = await bench.log.dead_letters("", 10)
    assert (letter.index, unpack_frame(letter.frame, bench.codec.crc32c).batch_id) == (3, 7)
    bench.store.poison = set()
    await replayed(bench, dead_letters(bench))
    assert sorted(bench.stored[7]) == [0, 1, 2, 3, 4]
    assert [entry_hash(b"entry 3 of 7")] == [digest for index, digest in bench.store.rows[7] if index == 3]
    assert (await bench.log.ledger())["blue"] == TenantLedger(5, 5, 0, 0)


async def test_a_replayed_row_that_the_store_has_is_not_stored_again(bench: Bench) -> None:
    await bench.append(7, 2)
    bench.store.poison = {(7, 1)}
    await bench.to_empty(bench.drain())
    bench.store.poison = set()
    bench.store.rows[7].append((1, entry_hash(b"entry 1 of 7")))  # by hands other than ours
    await replayed(bench, dead_letters(bench))
    assert sorted(bench.stored[7]) == [0, 1]
    assert (await bench.log.ledger())["default"] == TenantLedger(2, 2, 0, 0)


async def test_a_replayed_frame_that_cannot_be_read_comes_back_as_a_letter(bench: Bench) -> None:
    await bench.append(2, 3, payload=b"\x0a\xff")
    await bench.to_empty(bench.drain())
    ((first, _),) = await bench.log.dead_letters("", 10)
    await replayed(bench, dead_letters(bench))
    ((second, letter),) = await bench.log.dead_letters("", 10)
    assert second != first and (letter.index, letter.count) == (None, 3)
    assert (await bench.log.ledger())["default"] == TenantLedger(3, 0, 3, 0)
