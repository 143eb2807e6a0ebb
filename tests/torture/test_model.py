"""The drain's protocol as a Promela model: spin finds nothing wrong in it, and finds each protection that is missing."""

import shutil
import subprocess
from pathlib import Path

import pytest

MODEL = Path(__file__).parent / "model" / "drain.pml"
BROKEN = {
    "without a verify": ("VERIFY", "first[frame[e]]==1"),
    "without a fence in the store": ("FENCE", "first[frame[e]]==1"),
    "without a quiesce": ("QUIESCE", "==1"),
    "without a fence in the buffer": ("SETTLE_FENCE", "(first[f]==1)&&(second[f]==1)"),
    "with a quiesce of newer epochs": ("SPARE_NEWER", "(first[f]==1)&&(second[f]==1)"),
}


def checked(folder: Path, *defines: str) -> str:
    """Return what the checker says of all states."""
    if shutil.which("spin") is None or shutil.which("cc") is None:
        pytest.skip("spin is not installed (Debian: apt-get install spin)")
    subprocess.run(["spin", "-a", *defines, str(MODEL)], cwd=folder, check=True, capture_output=True)
    compiler = ["cc", "-O0" if defines else "-O1", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c"]
    subprocess.run(compiler, cwd=folder, check=True, capture_output=True)
    run = subprocess.run(["./pan", "-m200000"], cwd=folder, check=True, capture_output=True, text=True, timeout=600)
    assert "max search depth too small" not in run.stdout
    return run.stdout


def test_no_crash_and_no_late_insert_loses_or_doubles_a_frame(tmp_path: Path) -> None:
    said = checked(tmp_path)
    assert "errors: 0" in said, said
    states = int(next(line for line in said.splitlines() if "states, stored" in line).split()[0])
    assert states > 500_000, "the model has lost most of its states"


@pytest.mark.parametrize("missing", BROKEN)
def test_the_checker_finds_the_protocol_wrong(missing: str, tmp_path: Path) -> None:
    define, assertion = BROKEN[missing]
    said = checked(tmp_path, f"-D{define}=0")
    assert "errors: 1" in said and "assertion violated" in said, said
    assert assertion in said.replace(" ", ""), said


def test_frames_do_get_stored_in_the_model(tmp_path: Path) -> None:
    assert "errors: 1" in checked(tmp_path, "-DGOAL=1")
