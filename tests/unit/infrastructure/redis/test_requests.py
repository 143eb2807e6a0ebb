"""What goes over the wire for an append, read back with the library's own parser."""

import hiredis
import pytest

from zero.application.ports import Append
from zero.infrastructure.redis.keys import idempotency_digest, idempotency_shard, shard_keys
from zero.infrastructure.redis.requests import EXEC, MULTI, entry_ids, pack, pack_appends

KEYS = shard_keys("zero", 3)


def commands(data: bytes) -> list[list[bytes]]:
    """Return the commands in the bytes."""
    reader = hiredis.Reader()
    reader.feed(data)
    return list(iter(reader.gets, False))


def test_an_append_is_an_untrimmed_xadd_and_two_counts_in_one_transaction() -> None:
    frame = b"\r\n$5\r\n" + bytes(range(256))
    parts, count = pack_appends(KEYS, [Append(3, frame, "täglich", 12)])
    tenant = "täglich".encode()
    assert count == 3
    assert commands(b"".join((MULTI, *parts, EXEC))) == [
        [b"MULTI"],
        [b"XADD", b"zero:{3}:stream", b"*", b"t", tenant, b"n", b"12", b"f", frame],
        [b"HINCRBY", b"zero:{3}:ledger", b"accepted:" + tenant, b"12"],
        [b"HINCRBY", b"zero:{3}:ledger", b"in_buffer:" + tenant, b"12"],
        [b"EXEC"],
    ]


def test_counts_of_one_tenant_are_added_up() -> None:
    parts, count = pack_appends(KEYS, [Append(3, b"1", "a", 2), Append(3, b"2", "b", 3), Append(3, b"", "a", 5)])
    sent = commands(b"".join(parts))
    assert len(sent) == count == 7
    assert [command[2:] for command in sent[3:]] == [
        [b"accepted:a", b"7"],
        [b"in_buffer:a", b"7"],
        [b"accepted:b", b"3"],
        [b"in_buffer:b", b"3"],
    ]


def test_the_frame_is_not_copied() -> None:
    frame = bytes(1000)
    assert any(part is frame for part in pack_appends(KEYS, [Append(3, frame, "a", 1)])[0])


def test_stream_ids_are_told_from_counters_and_status_replies() -> None:
    assert entry_ids([b"17-0", b"17-1", 5, 5, b"OK"]) == ["17-0", "17-1"]


def test_a_command_may_hold_any_byte() -> None:
    assert commands(pack("SET", "key", b"\r\n\x00")) == [[b"SET", b"key", b"\r\n\x00"]]


def test_the_keys_of_a_shard_share_one_hash_tag() -> None:
    names = [getattr(KEYS, name) for name in KEYS.__slots__]
    assert len(set(names)) == len(names)
    assert all(name.startswith("zero:{3}:") for name in names)


@pytest.mark.parametrize(("one", "other"), [(("a", "bc"), ("ab", "c")), (("", "x"), ("x", ""))])
def test_tenant_and_key_do_not_run_together(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert idempotency_digest(*one) != idempotency_digest(*other)


def test_keys_spread_over_the_shards_and_always_to_the_same_one() -> None:
    shards = [idempotency_shard(idempotency_digest("a", str(number)), 4) for number in range(400)]
    assert {shards.count(shard) > 60 for shard in range(4)} == {True}
    assert shards == [idempotency_shard(idempotency_digest("a", str(number)), 4) for number in range(400)]
