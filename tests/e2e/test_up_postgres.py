"""``zero up`` with PostgreSQL as the store: logs in, out by search, their patterns, the ledger, and a drain that is killed."""

import json
import os
import signal
import sys

import pytest

from tests.e2e.test_up import Platform, child_pids
from tests.integration.postgres_server import PostgresServer, postgres_folder


@pytest.fixture
def postgres():
    if postgres_folder() is None:
        pytest.skip("PostgreSQL is not installed on this machine: deploy/machine.sh test-packages")
    server = PostgresServer().start()
    server.command("postgres", "CREATE DATABASE logs")
    yield server
    server.close()


@pytest.fixture
def platform(tmp_path, postgres):
    running = Platform(tmp_path)
    running.environment |= {"ZERO_STORE_URL": postgres.url("logs"), "ZERO_INGEST_WORKERS": "1"}
    running.up()
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()
        running.log.close()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_everything_works_with_postgresql_as_the_store(platform, postgres, tmp_path):
    assert platform.post({"app_id": "shop", "level": "error", "message": "payment refused", "order": {"id": 7}})[0] == 202
    text = tmp_path / "app.log"
    text.write_text("".join(f"served request {number} of the file\n" for number in range(1500)))
    sent = platform.command("send", str(text), "--app-id", "files", "--json", "--batch", "200")
    assert json.loads(sent.stdout)["accepted"] == 1500, sent.stderr
    platform.until_balanced(1501)
    assert postgres.command("logs", "SELECT count(*) FROM logs") == [(1501,)]

    (found,) = platform.search("level:error payment")
    assert (found["app_id"], found["message"], found["metadata"]) == ("shop", "payment refused", {"order.id": 7})
    assert [log["message"] for log in platform.search('app_id:files "request 1234"')] == ["served request 1234 of the file"]
    assert platform.get("/api/stats")["stored"] == 1501
    platform.until(lambda: len(platform.get("/api/patterns")["patterns"]) == 2, 60)
    served = platform.get("/api/patterns")["patterns"][0]
    assert (served["pattern"], served["count"]) == ("served request <*> of the file", 1500)
    assert platform.get(f"/api/patterns/{served['id']}")["id"] == served["id"]

    (drain,) = child_pids(platform, "drain")
    os.kill(drain, signal.SIGKILL)
    platform.until(lambda: (pids := child_pids(platform, "drain")) and drain not in pids, 60)
    assert platform.post({"app_id": "again", "message": "after the kill"})[0] == 202
    platform.until_balanced(1502)

    assert platform.command("migrate").stdout == "the store is up to date\n"
    looked = platform.command("doctor")
    assert looked.returncode == 0, looked.stdout
    assert "PostgreSQL 1" in looked.stdout
    assert platform.stop() == 0, platform.said()
