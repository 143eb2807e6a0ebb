"""The native tests and the libFuzzer targets, built under AddressSanitizer and UBSan."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "checked"
SEEDS = ROOT / "native" / "fuzz" / "seeds"
CXX = shutil.which("clang++") or shutil.which("clang++-16") or shutil.which("clang++-14")
TESTS = sorted(path.stem for path in (ROOT / "native" / "tests").glob("test_*.cpp"))
TARGETS = sorted(path.stem for path in (ROOT / "native" / "fuzz").glob("fuzz_*.cpp"))
BUILD_SECONDS_MAX = 900


def run(command: list[str | Path], seconds: int) -> str:
    """Return what the command wrote to its standard error; one that fails fails the test with all that it wrote."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}"
    return done.stderr


def build() -> Path:
    """Build into a folder that stays, so that only changed files are compiled again."""
    cmake = Path(sys.executable).with_name("cmake")
    options = ["-G", "Ninja", f"-DCMAKE_CXX_COMPILER={CXX}", "-DZERO_NATIVE_TESTS=ON", "-DZERO_NATIVE_FUZZ=ON"]
    run([cmake, "-S", ROOT, "-B", BUILD, f"-DCMAKE_MAKE_PROGRAM={cmake.with_name('ninja')}", *options], BUILD_SECONDS_MAX)
    run([cmake, "--build", BUILD, "-j", "2"], BUILD_SECONDS_MAX)
    return BUILD


def fuzz_command(target: str, corpus: Path, artifacts: Path, seconds: int) -> list[str | Path]:
    """Return the command that fuzzes so long, from the seeds and into the corpus."""
    limits = [f"-max_total_time={seconds}", "-rss_limit_mb=1024", "-timeout=10", f"-artifact_prefix={artifacts}/"]
    folders = [folder for folder in (corpus, SEEDS / target) if folder.is_dir()]
    return [BUILD / target, *limits, "-print_final_stats=1", *folders]
