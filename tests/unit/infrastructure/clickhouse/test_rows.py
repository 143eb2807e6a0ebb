import json
import math

from zero.infrastructure.clickhouse.rows import read_entries


def entry_with(metadata: str, types: dict[str, str]) -> bytes:
    head = '["1",0,"0",3,"app","text","","prod","","","","7"'
    return f"{head},{metadata},{json.dumps(types)}]\n".encode()


def test_a_zero_keeps_its_sign() -> None:
    (stored,) = read_entries(entry_with('{"low":-0,"high":0}', {"low": "Float64", "high": "Float64"}))
    assert [math.copysign(1, value) for value in (stored.entry.metadata["low"], stored.entry.metadata["high"])] == [-1, 1]


def test_a_key_and_a_longer_one_below_it_both_come_back() -> None:
    (stored,) = read_entries(entry_with('{"a":1,"a":{"b":"2"}}', {"a": "Int64", "a.b": "String"}))
    assert stored.entry.metadata == {"a": 1, "a.b": "2"}
