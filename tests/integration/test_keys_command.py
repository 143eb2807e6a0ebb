"""``zero keys`` against a real buffer and real ingest workers: what it says, what it changes, and how soon."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.servers import Server
from tests.integration.test_ingest_http import ENTRY, Workers
from tests.ports import free_port

KEY = re.compile(r"zero_[0-9a-f]{16}_[0-9a-f]{64}\n")


def zero_keys(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ZERO_")}
    command = [sys.executable, "-P", "-m", "zero", "keys", *arguments]
    given = environment | {"ZERO_DATA_DIR": str(folder)}
    return subprocess.run(command, env=given, cwd=folder, capture_output=True, text=True, timeout=60)


def made(folder: Path, *arguments: str) -> str:
    """Return a new key."""
    found = zero_keys(folder, "create", *arguments)
    assert found.returncode == 0, found.stderr
    assert KEY.fullmatch(found.stdout)
    return found.stdout.strip()


def test_a_first_key_can_be_made_before_anything_runs(tmp_path):
    found = zero_keys(tmp_path, "create", "--tenant", "acme", "--scope", "ingest,query", "--expires", "90d", "--label", "edge")
    assert KEY.fullmatch(found.stdout)
    assert "opened the embedded buffer" in found.stderr
    assert "every request needs one" in found.stderr
    (line,) = zero_keys(tmp_path, "list", "--json").stdout.splitlines()
    key = json.loads(line)
    assert (key["tenant"], key["scopes"], key["label"], key["last_used"]) == ("acme", ["ingest", "query"], "edge", None)
    assert found.stdout.strip().rpartition("_")[2] not in line
    stored = b"".join(path.read_bytes() for path in (tmp_path / "valkey").rglob("*") if path.is_file())
    assert key["id"].encode() in stored
    assert found.stdout.strip().rpartition("_")[2].encode() not in stored


def test_wrong_usage_is_named_and_changes_nothing(tmp_path):
    for arguments, words in (
        (("create", "--tenant", "../x", "--scope", "query"), "a tenant is"),
        (("create", "--tenant", "a", "--scope", "root"), "ingest, query, admin"),
        (("create", "--tenant", "a", "--scope", "query", "--expires", "soon"), "not a duration"),
        (("revoke", "nope"), "there is no key 'nope'"),
    ):
        found = zero_keys(tmp_path, *arguments)
        assert found.returncode == 2, found.stderr
        assert words in found.stderr
    assert zero_keys(tmp_path, "list", "--json").stdout == ""


@pytest.fixture
def folder(own_valkey: Server, tmp_path: Path) -> Path:
    """The data folder of a buffer that runs."""
    return tmp_path


def until(workers: Workers, key: str, status: int) -> float:
    """Return after how many seconds every worker answers with the status: eight in a row, each on its own connection."""
    began, row = time.monotonic(), 0
    while row < 8:
        row = row + 1 if workers.post(ENTRY, {"X-API-Key": key})[0] == status else 0
        assert time.monotonic() - began < 60
    return time.monotonic() - began


@pytest.mark.timed
def test_every_worker_takes_a_new_key_and_drops_a_revoked_one_within_two_seconds(own_valkey, folder):
    admin = made(folder, "--tenant", "ops", "--scope", "ingest,admin")
    workers = exposed(own_valkey)
    try:
        assert workers.post(ENTRY)[0] == 401
        assert until(workers, admin, 202) < 2
        key = made(folder, "--tenant", "acme", "--scope", "ingest")
        assert until(workers, key, 202) < 2
        rotated = zero_keys(folder, "rotate", key.split("_")[1], "--overlap", "1s")
        assert until(workers, rotated.stdout.strip(), 202) < 2
        assert until(workers, key, 401) < 3
        assert zero_keys(folder, "revoke", rotated.stdout.split("_")[1]).returncode == 0
        assert until(workers, rotated.stdout.strip(), 401) < 2
        assert workers.post(ENTRY, {"X-API-Key": admin})[0] == 202
    finally:
        assert workers.stop() == [0, 0]
    used = {key["id"]: key["last_used"] for key in map(json.loads, zero_keys(folder, "list", "--json").stdout.splitlines())}
    assert used[admin.split("_")[1]] is not None
    acts = [json.loads(line)["act"] for line in zero_keys(folder, "audit").stdout.splitlines()]
    assert acts == ["key.revoke", "key.rotate", "key.create", "key.create"]


def exposed(valkey: Server) -> Workers:
    """Return two workers that other machines can reach."""
    port = free_port()
    workers = Workers(valkey.url, 2, ZERO_INGEST_HTTP=f"0.0.0.0:{port}", ZERO_PLAINTEXT="proxy")
    workers.port = port
    return workers.wait()


def test_an_exposed_worker_without_keys_does_not_start(own_valkey, folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ZERO_")}
    given = environment | {"ZERO_BUFFER_URL": own_valkey.url, "ZERO_INGEST_HTTP": "0.0.0.0:0", "ZERO_PLAINTEXT": "proxy"}
    command = [sys.executable, "-P", "-m", "zero", "ingest"]
    found = subprocess.run(command, env=given, cwd=folder, capture_output=True, text=True, timeout=60)
    assert found.returncode == 78
    assert "zero keys create" in found.stderr
