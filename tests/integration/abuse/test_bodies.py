"""Bodies that are not what they seem, through every door: refused for good, at no cost to memory or to others."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

import grpc
import pytest

from tests.integration.abuse.conftest import Ingest
from tests.integration.abuse.doors import BOMBS, DOORS, RPCS, Door, bomb, call
from zero.domain.varint import varint
from zero.infrastructure.codec.protobuf_wire import bytes_field, varint_field

pytestmark = [pytest.mark.alone, pytest.mark.timed]
PAUSE_SECONDS = 0.05
"""Between two knocks: without it the attacker would compete for the same cores, and win."""
MILLION = 1_000_000


@pytest.fixture(autouse=True)
def _after_honest_bodies(ingest: Ingest) -> None:
    ingest.take_honest_bodies()


def knocking(
    port: int, body: bytes, encoding: str = "", doors: tuple[str, ...] = tuple(DOORS)
) -> tuple[Callable[[], None], set[int]]:
    """Return an attack on the doors in turn, and the statuses that they answer with."""
    statuses: set[int] = set()

    def attack() -> None:
        for name in doors:
            statuses.add(DOORS[name].knock(port, body, encoding))
            time.sleep(PAUSE_SECONDS)

    return attack, statuses


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_every_door(ingest: Ingest, name: str) -> None:
    encoding, body = bomb(name)
    attack, statuses = knocking(ingest.port, body, encoding)
    ingest.http.bears(attack)
    assert statuses <= {400, 413}


def test_bombs_at_the_same_time_wait_for_each_other(ingest: Ingest) -> None:
    kinds = [one for one in map(bomb, BOMBS) if len(one[1]) < 2 * MILLION]

    statuses: set[int] = set()

    def knock(one: tuple[tuple[str, bytes], Door]) -> int:
        (encoding, body), door = one
        time.sleep(4 * PAUSE_SECONDS)
        return door.knock(ingest.port, body, encoding)

    def attack() -> None:
        with ThreadPoolExecutor(4) as pool:
            statuses.update(pool.map(knock, islice(zip(cycle(kinds), cycle(DOORS.values()), strict=False), 24)))

    ingest.take_honest_bodies(4)
    ingest.http.bears(attack)
    assert statuses <= {400, 413, 429}


@pytest.mark.parametrize("rpc", RPCS)
@pytest.mark.parametrize("name", ["gzip", "zlib"])
def test_a_bomb_is_refused_by_every_rpc(ingest: Ingest, rpc: str, name: str) -> None:
    _, body = bomb(name)
    codes: set[grpc.StatusCode] = set()

    def attack() -> None:
        codes.add(call(ingest.grpc_port, RPCS[rpc], body))
        codes.add(call(ingest.grpc_port, RPCS[rpc], body, ("grpc-encoding", name)))

    ingest.grpc.bears(attack)
    assert codes <= {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL}


FRAMED = b"\xff\x06\x00\x00sNaPpY"
SNAPPY = {
    "4 GiB in 6 bytes": b"\xff\xff\xff\xff\x0f\x00",
    "more than 32 bits": b"\xff" * 9 + b"\x01",
    "a length without end": b"\xff" * 30,
    "nothing behind the length": b"\x80\x80\x80\x04",
    "more than it says": b"\x01\x10hello",
    "less than it says": b"\x7f\x10hello",
    "a literal beyond the end": b"\x05\xf0\xff" + b"hello",
    "a copy from before the start": b"\x08\x00a\x01\x7f",
    "a copy of offset nothing": b"\x08\x00a\x01\x00",
    "a chunk beyond the end": FRAMED + b"\x00\xff\xff\xff\x00\x00",
    "a chunk of the wrong sum": FRAMED + b"\x01\x09\x00\x00\x00\x00\x00\x00hello",
    "chunks that must be known": FRAMED + b"\x02\x01\x00\x00x",
    "chunks to skip": FRAMED + b"\xfe\x00\x00\x00" * MILLION,
    "nothing": b"",
}


def test_wrong_lengths_of_snappy_are_refused(ingest: Ingest) -> None:
    statuses: dict[str, set[int]] = {}

    def attack() -> None:
        for name, body in SNAPPY.items():
            statuses[name] = {DOORS[door].knock(ingest.port, body, "snappy") for door in ("Loki", "JSON", "OTLP")}
            time.sleep(PAUSE_SECONDS)

    ingest.http.bears(attack)
    assert {name: found for name, found in statuses.items() if not found <= {400, 413}} == {}


def nested(depth: int, wrap: Callable[[bytes], bytes]) -> bytes:
    value = b""
    for _ in range(depth):
        value = wrap(value)
        if len(value) > MILLION:
            break
    return value


def otlp(value: bytes) -> bytes:
    """Return an export request of one record whose body is the AnyValue."""
    return bytes_field(1, bytes_field(2, bytes_field(2, bytes_field(5, value))))


MALFORMED = {
    "a varint of 11 bytes": b"\x08" + b"\xff" * 10 + b"\x01",
    "a varint that does not end": b"\x08" + b"\x80" * 9,
    "a tag that does not end": b"\xff" * 16,
    "a million bytes of one varint": b"\x08" + b"\xff" * MILLION,
    "a length beyond the end": b"\x0a\x7fabc",
    "a length of 2^63": b"\x0a" + varint(1 << 63) + b"abc",
    "a length of 2^64 - 1": b"\x0a" + varint((1 << 64) - 1) + b"abc",
    "field 0": b"\x02\x01a",
    "wire type 6": b"\x0e\x01",
    "wire type 7": b"\x0f\x01",
    "a group that does not end": b"\x0b\x08\x01",
    "an end without its group": b"\x0c",
    "groups in groups": b"\x0b" * MILLION,
    "cut off": otlp(bytes_field(1, b"hello"))[:-3],
}


def as_snappy(body: bytes) -> bytes:
    """Return the bytes in snappy that compresses nothing."""
    pieces = (body[at : at + 65_536] for at in range(0, len(body), 65_536))
    return varint(len(body)) + b"".join(b"\xf4" + (len(piece) - 1).to_bytes(2, "little") + piece for piece in pieces)


def test_malformed_protobuf_is_refused_at_every_door(ingest: Ingest) -> None:
    found: dict[tuple[str, str], int | grpc.StatusCode] = {}

    def attack() -> None:
        for name, body in MALFORMED.items():
            for door in ("LogBatch", "OTLP"):
                found[name, door] = DOORS[door].knock(ingest.port, body)
            found[name, "Loki"] = DOORS["Loki"].knock(ingest.port, as_snappy(body))
            for rpc, path in RPCS.items():
                found[name, rpc] = call(ingest.grpc_port, path, body)
            time.sleep(PAUSE_SECONDS)

    ingest.http.bears(attack)
    refusals = {400, 413, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert {where: what for where, what in found.items() if what not in refusals} == {}


NESTED: dict[str, Callable[[bytes], bytes]] = {
    "arrays": lambda inner: bytes_field(5, bytes_field(1, inner)),
    "lists of pairs": lambda inner: bytes_field(6, bytes_field(1, bytes_field(1, b"k") + bytes_field(2, inner))),
}
DEEP_JSON = {
    "arrays": ("[" * (2 * MILLION), "]" * (2 * MILLION)),
    "objects": ('{"a":' * (MILLION // 2) + "1", "}" * (MILLION // 2)),
}


@pytest.mark.parametrize("name", NESTED)
def test_nested_values_of_protobuf_cost_no_stack(ingest: Ingest, name: str) -> None:
    body = otlp(nested(20_000, NESTED[name]))

    def attack() -> None:
        assert DOORS["OTLP"].knock(ingest.port, body) in (200, 400)
        assert call(ingest.grpc_port, RPCS["Export"], body) in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT)

    ingest.http.bears(attack)


@pytest.mark.parametrize("name", DEEP_JSON)
def test_nested_values_of_json_cost_no_stack(ingest: Ingest, name: str) -> None:
    before, behind = DEEP_JSON[name]
    deep = before + behind
    whole = deep.encode()
    value = b'{"message":"a","x":' + whole + b"}"
    bulk = b'{"index":{}}\n' + value + b"\n"
    record = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":' + whole + b"}]}]}]}"
    push = b'{"streams":[{"stream":{"a":"b"},"values":[["1","x",' + whole + b"]]}]}"
    bodies = [("JSON", whole), ("JSON", value), ("bulk", bulk), ("OTLP/JSON", record), ("Loki/JSON", push)]
    statuses = set()

    def attack() -> None:
        for door, body in bodies:
            statuses.add(DOORS[door].knock(ingest.port, body))
            time.sleep(PAUSE_SECONDS)

    ingest.http.bears(attack)
    assert statuses <= {200, 400}


TINY = {
    "empty objects": ("JSON", b"{}\n" * MILLION),
    "an array of objects": ("JSON", b"[" + b"{}," * MILLION + b"{}]"),
    "empty lines": ("JSON", b"\n" * (15 * MILLION)),
    "a million keys": ("JSON", b'{"message":"a",' + b",".join(b'"k%d":1' % key for key in range(MILLION)) + b"}"),
    "empty entries": ("LogBatch", b"\x0a\x00" * MILLION),
    "unknown fields": ("LogBatch", varint_field(100, 1) * MILLION),
    "empty resources": ("OTLP", b"\x0a\x00" * MILLION),
    "empty records": ("OTLP", bytes_field(1, bytes_field(2, b"\x12\x00" * MILLION))),
    "empty attributes": ("OTLP", bytes_field(1, bytes_field(1, b"\x0a\x00" * MILLION))),
    "empty resources of JSON": ("OTLP/JSON", b'{"resourceLogs":[' + b"{}," * MILLION + b"{}]}"),
    "empty actions": ("bulk", b'{"index":{}}\n{}\n' * 900_000),
    "deletions": ("bulk", b'{"delete":{}}\n' * MILLION),
    "empty streams of JSON": ("Loki/JSON", b'{"streams":[' + b"{}," * MILLION + b"{}]}"),
}


@pytest.mark.parametrize("name", TINY)
def test_a_million_of_something_tiny_is_one_request_like_any_other(ingest: Ingest, name: str) -> None:
    door, body = TINY[name]
    statuses: list[int] = []
    ingest.http.bears(lambda: statuses.append(DOORS[door].knock(ingest.port, body)))
    assert set(statuses) <= {200, 202, 204, 400, 413}
