"""The native tests, and every libFuzzer target for a while, all under AddressSanitizer and UBSan."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CXX = shutil.which("clang++") or shutil.which("clang++-16") or shutil.which("clang++-14")
TESTS = sorted(path.stem for path in (ROOT / "native" / "tests").glob("test_*.cpp"))
TARGETS = sorted(path.stem for path in (ROOT / "native" / "fuzz").glob("fuzz_*.cpp"))
FUZZ_SECONDS = int(os.environ.get("ZERO_FUZZ_SECONDS", "10"))
BUILD_SECONDS_MAX = 600
TEST_SECONDS_MAX = 120

pytestmark = pytest.mark.skipif(CXX is None, reason="needs clang++ with libFuzzer")


def run(command: list[str | Path], seconds: int) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}"


@pytest.fixture(scope="session")
def programs() -> Path:
    """Build into a folder that stays, so that only changed files are compiled again."""
    build = ROOT / "build" / "checked"
    cmake = Path(sys.executable).with_name("cmake")
    options = ["-G", "Ninja", f"-DCMAKE_CXX_COMPILER={CXX}", "-DZERO_NATIVE_TESTS=ON", "-DZERO_NATIVE_FUZZ=ON"]
    run([cmake, "-S", ROOT, "-B", build, f"-DCMAKE_MAKE_PROGRAM={cmake.with_name('ninja')}", *options], BUILD_SECONDS_MAX)
    run([cmake, "--build", build, "-j", "2"], BUILD_SECONDS_MAX)
    return build


@pytest.mark.parametrize("name", TESTS)
def test_native_test_passes_under_the_sanitizers(programs: Path, name: str) -> None:
    run([programs / name], TEST_SECONDS_MAX)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_fuzz_target_finds_nothing(programs: Path, tmp_path: Path, name: str) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    limits = [f"-max_total_time={FUZZ_SECONDS}", "-rss_limit_mb=1024", "-timeout=10", f"-artifact_prefix={tmp_path}/"]
    seeds = [ROOT / "native" / "fuzz" / "seeds" / name]
    run([programs / name, *limits, corpus, *(folder for folder in seeds if folder.is_dir())], FUZZ_SECONDS + TEST_SECONDS_MAX)
