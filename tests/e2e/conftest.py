"""Two platforms for the tests of a module: one as it starts on a laptop, one with TLS and API keys of two tenants."""

import itertools
import json
import shlex
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.test_up import ZERO, Platform
from tests.patience import READY_SECONDS_MAX
from tests.ports import free_port

DATA = "zero-data"
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")
"""What makes clients trust other CAs than those that they are told, in whose name a machine may have been set up."""


class Shipping(Platform):
    """``zero up`` in a folder of its own, with its data where it is by default, and syslog listeners."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder
        self.environment |= {"ZERO_DATA_DIR": str(folder / DATA), "ZERO_INGEST_WORKERS": "1"}
        self.environment = {name: value for name, value in self.environment.items() if name not in CA_VARIABLES}
        self.keys: dict[str, str] = {}
        syslog, self.tls_port = free_port(), free_port()
        self.environment |= dict.fromkeys(("ZERO_SYSLOG_TCP", "ZERO_SYSLOG_UDP"), f"127.0.0.1:{syslog}")

    def port(self, setting: str) -> int:
        """Return the port that a setting such as ``ZERO_INGEST_HTTP`` names."""
        return int(self.environment[setting].rpartition(":")[2])

    @property
    def ca(self) -> Path:
        return self.folder / DATA / "tls" / "ca.pem"

    def lock(self) -> None:
        """Make certificates, and the first key, which is the operator's."""
        made = self.command("certs")
        assert made.returncode == 0, made.stderr
        settings = next(line for line in made.stdout.splitlines() if "ZERO_TLS_CERT" in line)
        self.environment |= dict(word.split("=", 1) for word in shlex.split(settings)[1:])
        self.environment |= {"ZERO_CA": str(self.ca), "ZERO_SYSLOG_TLS": f"127.0.0.1:{self.tls_port}"}
        key = self.command("keys", "create", "--tenant", "acme", "--scope", "ingest,admin")
        assert key.returncode == 0, key.stderr
        self.keys["admin"] = self.environment["ZERO_SYSLOG_KEY"] = key.stdout.strip()

    def hand_out_keys(self) -> None:
        """Make a key to send with and one to search with for two tenants, and wait until every process knows them."""
        trusted = ssl.create_default_context(cafile=self.ca)
        doors = {"ingest": f"https://localhost:{self.port('ZERO_INGEST_HTTP')}/api/logs"}
        doors |= {"query": f"https://localhost:{self.port('ZERO_API')}/api/logs"}
        with httpx.Client(verify=trusted, headers={"X-API-Key": self.keys["admin"]}) as client:
            for tenant, scope in itertools.product(("acme", "other"), doors):
                wanted = {"tenant": tenant, "scopes": [scope]}
                made = client.post(doors["query"].replace("logs", "keys"), json=wanted)
                assert made.is_success, made.text
                self.keys[f"{tenant} {scope}"] = made.json()["key"]
        with httpx.Client(verify=trusted) as client:
            for name, key in self.keys.items():
                door = doors[name.split()[-1].replace("admin", "ingest")]
                ask = client.post if "query" not in name else client.get
                self.until(
                    lambda ask=ask, door=door, key=key: ask(door, headers={"X-API-Key": key}).status_code != 401,
                    READY_SECONDS_MAX,
                )

    def found(self, query: str, tenant: str = "acme", limit: int = 1000) -> list[dict[str, Any]]:
        """Return what ``zero search --json`` prints for a tenant, oldest first."""
        key = self.keys.get(f"{tenant} query", "")
        command = (*ZERO, "search", query, "--json", "--limit", str(limit))
        given = self.environment | ({"ZERO_API_KEY": key} if key else {})
        result = subprocess.run(command, env=given, cwd=self.folder, capture_output=True, text=True, timeout=120)
        assert result.returncode in (0, 1), result.stderr
        return [json.loads(line) for line in reversed(result.stdout.splitlines())]

    def once_found(self, query: str, count: int, tenant: str = "acme") -> list[dict[str, Any]]:
        """Return what is found once it is at least so many."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        while len(logs := self.found(query, tenant)) < count:
            assert time.monotonic() < deadline, f"{len(logs)} of {count} for {query}: {self.said()[-2000:]}"
            time.sleep(0.1)
        return logs


def running(platform: Shipping) -> Iterator[Shipping]:
    try:
        platform.up()
        if platform.keys:
            platform.hand_out_keys()
        yield platform
        assert platform.stop() == 0, platform.said()
    finally:
        if platform.process is not None and platform.process.poll() is None:
            platform.process.kill()
            platform.process.wait()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipping]:
    """``zero up`` with nothing set but its ports."""
    yield from running(Shipping(tmp_path_factory.mktemp("plain")))


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipping]:
    """``zero up`` with the certificates of ``zero certs`` and keys of the tenants ``acme`` and ``other``."""
    if sys.platform != "linux":
        pytest.skip("looks for processes in /proc")
    platform = Shipping(tmp_path_factory.mktemp("secure"))
    platform.lock()
    yield from running(platform)
