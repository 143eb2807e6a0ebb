"""What no door would take, and what would hold up whoever logs."""

import json
import logging
import time

import pytest

from zero.client import Sender, ZeroHandler
from zero.client.metadata import metadata_of


@pytest.fixture
def sender(door):
    made = Sender(url=door.url, exit_seconds_max=30, report_seconds=0)
    yield made
    made.close()


def metadata(fields):
    return json.loads(f"{{{metadata_of(fields)}}}")


def flat(found, path=""):
    """Return what the door makes of it: keys with dots, and lists as text."""
    if not isinstance(found, dict):
        text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, separators=(",", ":"))
        return {path: text.encode()}
    return {k: v for key, each in found.items() for k, v in flat(each, f"{path}.{key}" if path else key).items()}


def knot():
    loop = {}
    loop.update(dict.fromkeys("abc", loop))
    return loop


def lattice(make):
    each = make("x")
    for _ in range(15):
        each = make([each, each, each])
    return each


@pytest.mark.parametrize(
    "field",
    [
        knot(),
        [knot()],
        lattice(lambda inner: [inner]),
        lattice(lambda inner: dict(enumerate(inner))),
        [0] * 500_000,
        ["\0" * 9000] * 20,
        {f"k{number}": "ü" * 20_000 for number in range(300)},
        {"k" * 300 + str(number): number for number in range(3)},
        {"a" * 30: {"b" * 30: {"c" * 30: {"d" * 30: {"e" * 30: 1}}}}},
        {"": 1, "n": {"": 2}},
        b"\xff" * 100_000,
        10**5000,
        [1, -(10**5000)],
        {"é" * 64 + "x": "y"},
    ],
    ids=range(14),
)
def test_whatever_is_logged_is_cut_to_what_the_door_takes(field):
    began = time.thread_time()
    found = flat(metadata({"field": field, "beside": "kept"}))
    assert time.thread_time() - began < 1.5
    assert found["beside"] == b"kept"
    assert len(found) <= 120
    assert all(0 < len(key.encode()) <= 128 and len(value) <= 16 * 1024 for key, value in found.items())


def test_what_is_cut_or_left_out_says_so():
    found = metadata({"long": "x" * 20_000, "list": list(range(100_000)), "loop": knot(), "k" * 200: 1, "": 2})
    assert "8,000 characters left out" in found["long"]
    assert "characters left out" in found["list"]
    assert found["loop"] == dict.fromkeys("abc", "(the same dict again)")
    assert found["k" * 125 + "…"] == 1
    assert found["(empty)"] == 2
    many = metadata({str(number): number for number in range(300)})
    assert many["fields_left_out"] == 300 - 112
    assert metadata({"n": 10**5000})["n"].endswith("… (an integer of 16,610 bits)")


def test_what_fits_is_sent_as_it_is():
    fields = {"text": "x" * 16_384, "list": [1.5, None, True, {"a": ["b"]}] * 100, "a": {"b": {"c": 2**63}}, "none": None}
    assert metadata(fields) == fields


def test_a_message_that_no_door_takes_is_told_of_and_a_huge_user_id_is_metadata(door, sender, capfd):
    assert not sender.send("x" * 300_000)
    assert "an entry is lost: a message of 300,000 characters" in capfd.readouterr().err
    assert sender.send("y", user_id=10**5000)
    sender.flush()
    (entry,) = door.entries()
    assert "bits" in entry["metadata"]["user_id"]


def test_a_handler_cuts_what_is_logged_with_it_too(door):
    handler = ZeroHandler(url=door.url, exit_seconds_max=30)
    handler.emit(logging.makeLogRecord({"msg": "x", "d": knot(), "big": "y" * 20_000, **{f"k{n}": n for n in range(200)}}))
    handler.flush()
    (entry,) = door.entries()
    assert len(flat(entry["metadata"])) <= 128
    handler.close()
