import os
import socket
import threading

import pytest

from tests.patience import READY_SECONDS_MAX
from zero.domain.errors import ConfigurationError
from zero.embedded.data_folder import held
from zero.embedded.listeners import free_port


def test_the_folder_is_made_and_private(tmp_path):
    with held(tmp_path / "a" / "b") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "run" / "lock").read_text() == str(os.getpid())


def test_a_second_holder_is_refused_and_told_who_the_first_is(tmp_path):
    words = rf"process {os.getpid()}\) uses .*ZERO_DATA_DIR"
    with held(tmp_path), pytest.raises(ConfigurationError, match=words), held(tmp_path):
        pass
    with held(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot use the data folder .*file"), held(tmp_path / "file" / "data"):
        pass


def test_a_port_is_free_until_somebody_listens_on_it():
    port = free_port("127.0.0.1", 0)
    assert free_port("127.0.0.1", port) == port
    with socket.create_server(("127.0.0.1", port)), pytest.raises(OSError, match="in use"):
        free_port("127.0.0.1", port)


def test_a_port_that_processes_share_is_seen_as_taken():
    with socket.socket() as shared:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind(("127.0.0.1", 0))
        shared.listen()
        with pytest.raises(OSError, match="in use"):
            free_port("127.0.0.1", shared.getsockname()[1])


def test_a_port_of_servers_that_were_killed_is_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as ending:
        port = ending.getsockname()[1]
        timer = threading.Timer(0.2, ending.close)
        timer.start()
        assert free_port("127.0.0.1", port, patience_seconds=READY_SECONDS_MAX) == port
        timer.join()
