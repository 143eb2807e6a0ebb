"""The native tests, and every libFuzzer target for a while, all under AddressSanitizer and UBSan."""

import os
from pathlib import Path

import pytest

from tests.fuzz.programs import CXX, TARGETS, TESTS, build, fuzz_command, run

FUZZ_SECONDS = int(os.environ.get("ZERO_FUZZ_SECONDS", "10"))
TEST_SECONDS_MAX = 300

pytestmark = pytest.mark.skipif(CXX is None, reason="needs clang++ with libFuzzer")


@pytest.fixture(scope="session")
def programs() -> Path:
    return build()


@pytest.mark.parametrize("name", TESTS)
def test_native_test_passes_under_the_sanitizers(programs: Path, name: str) -> None:
    run([programs / name], TEST_SECONDS_MAX)


@pytest.mark.slow
@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("name", TARGETS)
def test_fuzz_target_finds_nothing(tmp_path: Path, name: str) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    run(fuzz_command(name, corpus, tmp_path, FUZZ_SECONDS), FUZZ_SECONDS + TEST_SECONDS_MAX)
