"""A sampled profile says in which functions the time went."""

import pytest

profile = pytest.importorskip("bench.profile", reason="the benchmarks live in a clone")

STACKS = """\
main (zero/__main__.py:6);run (asyncio/runners.py:44);decode_json (/x/site-packages/zero/infrastructure/codec/twin.py:10) 60
main (zero/__main__.py:6);run (asyncio/runners.py:44);decode_json (/x/site-packages/zero/infrastructure/codec/twin.py:99) 20
main (zero/__main__.py:6);flush (zero/application/ingest.py:3) 20
"""


def test_samples_are_counted_by_the_innermost_function_whatever_its_line():
    found = profile.summary(STACKS)
    assert found["samples"] == 100
    assert found["self_percent"] == {
        "decode_json (zero/infrastructure/codec/twin.py)": 80.0,
        "flush (zero/application/ingest.py)": 20.0,
    }


def test_no_samples_are_no_shares():
    assert profile.summary("") == {"samples": 0, "self_percent": {}}
