"""The files that the embedded Valkey starts from."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from zero.domain.errors import ConfigurationError
from zero.embedded.valkey import SOCKET_PATH_BYTES_MAX, ValkeyOptions, prepare


def test_the_password_is_made_once_and_kept_out_of_command_and_configuration(tmp_path: Path) -> None:
    first, second = prepare(ValkeyOptions(tmp_path)), prepare(ValkeyOptions(tmp_path))
    password = (tmp_path / "valkey" / "password").read_text()
    assert len(password) == 64
    assert first.url == second.url
    assert f":{password}@" in first.url
    assert not any(password in argument for argument in first.argv)
    assert password not in (tmp_path / "valkey" / "valkey.conf").read_text()
    assert password not in (tmp_path / "valkey" / "users.acl").read_text()


def test_every_write_is_fsynced_and_nothing_is_evicted(tmp_path: Path) -> None:
    prepare(ValkeyOptions(tmp_path, memory_max_bytes=5_000_000))
    lines = (tmp_path / "valkey" / "valkey.conf").read_text().splitlines()
    for line in ("appendonly yes", "appendfsync always", "port 0", "maxmemory-policy noeviction", "maxmemory 5000000"):
        assert line in lines


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory whose path has room for a socket's: that of a test in a worker is too long for it."""
    with tempfile.TemporaryDirectory(prefix="zero-") as path:
        yield Path(path)


def test_a_deep_directory_has_its_socket_in_a_short_private_one(tmp_path: Path, short: Path) -> None:
    deep = tmp_path / ("d" * 120)
    command = prepare(ValkeyOptions(deep, runtime_dir=short / "run"))
    assert command.socket.is_relative_to(short / "run")
    assert len(os.fsencode(command.socket)) <= SOCKET_PATH_BYTES_MAX
    other = prepare(ValkeyOptions(tmp_path / ("e" * 120), runtime_dir=short / "run"))
    assert other.socket != command.socket


def test_a_runtime_directory_that_is_too_deep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="shorter runtime_dir"):
        prepare(ValkeyOptions(tmp_path, runtime_dir=tmp_path / ("r" * 120)))


def test_a_socket_directory_laid_by_somebody_else_is_refused(short: Path) -> None:
    options = ValkeyOptions(short / "data", runtime_dir=short / "run")
    place = prepare(options).socket.parent
    place.rmdir()
    place.symlink_to(short)
    with pytest.raises(ConfigurationError, match="not a directory of ours"):
        prepare(options)


def test_options_that_cannot_work_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="at least 4 MiB"):
        ValkeyOptions(tmp_path, memory_max_bytes=1000)
    with pytest.raises(ConfigurationError, match="quote"):
        ValkeyOptions(tmp_path / 'a"b')
