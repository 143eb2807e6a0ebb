"""Options and the password file."""

import stat
from pathlib import Path

import pytest

from zero.embedded.clickhouse.options import ServerOptions, read_passwords


def test_a_missing_password_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "passwords"
    made = read_passwords(file)
    assert set(made) == {"default", "reader"}
    assert len(set(made.values())) == 2
    assert min(len(password) for password in made.values()) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_passwords(file) == made


def test_a_password_may_hold_a_colon(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    file.write_text("default:a:b\nreader:c\n")
    assert read_passwords(file) == {"default": "a:b", "reader": "c"}


def test_both_users_need_a_password(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="reader"):
        ServerOptions(tmp_path, passwords={"default": "x"})
