"""The committed descriptors are those of the contract."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[4]


def test_the_committed_descriptors_are_what_the_contract_compiles_to():
    found = runpy.run_path(str(ROOT / "proto" / "describe.py"))
    assert found["TARGET"].read_bytes() == found["described"](), "run make proto"
    assert found["LOG_TARGET"].read_bytes() == found["described_log"](), "run make proto"
