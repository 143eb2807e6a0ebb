import json
import os
import socket
import time
from dataclasses import replace

import pytest
from click.testing import CliRunner

from tests.ports import free_port
from zero.cli import doctor_machine
from zero.cli.doctor import doctor, findings
from zero.settings import LISTENERS, Address, Settings


@pytest.fixture
def settings(tmp_path):
    ports = {name: Address("127.0.0.1", free_port()) for name in LISTENERS if getattr(Settings(), name) is not None}
    return Settings(data_dir=tmp_path / "data", **ports)


def found(settings, subject):
    return [finding for finding in findings(settings) if finding.subject == subject]


def test_a_fresh_machine_has_nothing_that_cannot_work(settings):
    seen = list(findings(settings))
    assert not [finding for finding in seen if finding.state == "fail"]
    assert {"zero", "parts", "core", "settings", "disk", "fsync", "limits", "ingest_http", "api", "buffer", "store"} <= {
        finding.subject for finding in seen
    }
    assert all(finding.advice for finding in seen if finding.state != "ok")


@pytest.mark.parametrize("name", ["ingest_http", "ingest_grpc", "api", "embedded_clickhouse"])
def test_a_port_that_a_stranger_has_fails_and_names_the_setting(settings, name):
    with socket.create_server(("127.0.0.1", getattr(settings, name).port)) as stranger:
        stranger.settimeout(1)
        if name in ("ingest_http", "api"):
            stranger.close()
            stranger = _Silent(getattr(settings, name).port)
        (finding,) = found(settings, name)
        stranger.close()
    assert finding.state == "fail"
    assert f"ZERO_{name.upper()}" in finding.advice


class _Silent:
    """Accepts, and closes at once."""

    def __init__(self, port):
        import threading

        self.sock = socket.create_server(("127.0.0.1", port))
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            try:
                self.sock.accept()[0].close()
            except OSError:
                return

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.thread.join(10)


def test_a_folder_that_is_none_or_that_others_may_enter_is_told(settings, tmp_path):
    (tmp_path / "file").write_text("x")
    assert found(replace(settings, data_dir=tmp_path / "file"), "disk")[0].state == "fail"
    settings.data_dir.mkdir(mode=0o755)
    settings.data_dir.chmod(0o755)
    (finding,) = found(settings, "folder")
    assert (finding.state, finding.advice) == ("warn", f"chmod 700 {settings.data_dir}")


def test_the_folder_of_a_role_that_keeps_nothing_is_not_looked_at(settings, tmp_path):
    (tmp_path / "file").touch()  # as good as the read-only root of a container
    away = {"buffer_url": "redis://127.0.0.1:9", "data_dir": tmp_path / "file" / "zero-data"}
    (disk,) = doctor_machine.disk(replace(settings, clickhouse_url="http://127.0.0.1:9/zero", **away))
    assert (disk.subject, disk.state) == ("disk", "ok") and "elsewhere" in disk.detail
    assert next(iter(doctor_machine.disk(replace(settings, **away)))).state == "fail", "the store is embedded"


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="no tmpfs at /dev/shm")
def test_a_folder_in_memory_is_told(settings):
    from pathlib import Path

    (finding,) = found(replace(settings, data_dir=Path("/dev/shm/zero-doctor-test")), "files")
    assert finding.state == "warn"
    assert "ZERO_DATA_DIR" in finding.advice


def test_little_room_is_told_and_none_fails(settings, monkeypatch):
    usage = doctor_machine.shutil.disk_usage(settings.data_dir.parent)
    for free, state in ((10 << 30, "ok"), (1 << 30, "warn"), (1 << 20, "fail")):
        monkeypatch.setattr(doctor_machine.shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        assert found(settings, "disk")[0].state == state


def test_a_clock_that_cannot_be_right_fails_and_one_that_nothing_keeps_is_told(settings, monkeypatch):
    monkeypatch.setattr(doctor_machine, "synchronized", lambda: False)
    assert found(settings, "clock")[0].state == "warn"
    now = time.time()
    monkeypatch.setattr(doctor_machine.time, "time", lambda: now - 400 * 86_400)
    assert [finding.state for finding in doctor_machine.clock(settings)] == ["fail"]


def test_a_certificate_is_looked_at_with_its_key(settings, tmp_path):
    from zero.infrastructure.tls.authority import Authority

    issued, other = Authority(tmp_path / "a").server(["localhost"]), Authority(tmp_path / "b").server(["localhost"])
    good = replace(settings, tls_cert=str(issued.certificate), tls_key=str(issued.key))
    assert found(good, "tls")[0].state == "ok"
    (mixed,) = found(replace(good, tls_key=str(other.key)), "tls")
    assert (mixed.state, "ZERO_TLS_KEY" in mixed.advice) == ("fail", True)


def test_a_buffer_and_a_store_that_are_away_fail_and_the_rest_is_looked_at(settings):
    away = replace(
        settings, buffer_url=f"redis://127.0.0.1:{free_port()}/0", clickhouse_url=f"http://x:y@127.0.0.1:{free_port()}/zero"
    )
    seen = {finding.subject: finding for finding in findings(away)}
    assert (seen["buffer"].state, seen["store"].state) == ("fail", "fail")
    assert "ZERO_BUFFER_URL" in seen["buffer"].advice
    assert "ZERO_CLICKHOUSE_URL" in seen["store"].advice
    assert seen["disk"].state in ("ok", "warn")


def run(settings, *arguments):
    from zero.settings import as_environment

    return CliRunner().invoke(doctor, list(arguments), env=as_environment(settings))


def test_the_exit_code_and_the_json_say_the_same(settings):
    good = run(settings, "--json")
    lines = [json.loads(line) for line in good.output.splitlines()]
    assert good.exit_code == 0
    assert all(set(line) == {"subject", "state", "detail", "advice"} for line in lines)
    warned = any(line["state"] == "warn" for line in lines)
    assert run(settings, "--strict").exit_code == (1 if warned else 0)
    bad = run(replace(settings, buffer_url=f"redis://127.0.0.1:{free_port()}/0"))
    assert bad.exit_code == 1
    assert "✗ buffer" in bad.output
    assert "→ start it" in bad.output
