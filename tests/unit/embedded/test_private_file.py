"""Secrets of the embedded servers are made once, and a power cut must not leave an empty one."""

import os
import stat
from pathlib import Path

import pytest

from zero.embedded.clickhouse.options import READER, WRITER, read_passwords
from zero.embedded.private_file import write_private


def test_a_file_is_ours_alone_and_replaced_in_one_step(tmp_path: Path) -> None:
    write_private(tmp_path / "secret", "one")
    write_private(tmp_path / "secret", "two")
    assert (tmp_path / "secret").read_text() == "two"
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]


def test_a_file_is_on_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (steps.append("fsync"), fsync(fd))[1])
    monkeypatch.setattr(Path, "replace", lambda path, to: (steps.append("rename"), replace(path, to))[1])
    write_private(tmp_path / "secret", "one")
    assert steps == ["fsync", "rename", "fsync"]


def test_passwords_that_a_power_cut_emptied_are_made_anew(tmp_path: Path) -> None:
    (tmp_path / "passwords").write_bytes(b"")
    made = read_passwords(tmp_path / "passwords")
    assert made.keys() == {WRITER, READER} and all(made.values())
    assert read_passwords(tmp_path / "passwords") == made
