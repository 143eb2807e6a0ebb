"""The whole platform with keys and mutual TLS: rsyslog and logger in, field by field out of ``zero search``."""

import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.test_up import Platform
from tests.integration.test_ingest_syslog import GTLS, LOGGER, Rsyslog, needs_gtls, needs_logger, needs_rsyslog
from tests.patience import READY_SECONDS_MAX
from tests.ports import free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
    needs_rsyslog,
    needs_gtls,
    needs_logger,
]

# What docs/ship.md quotes; the tests put ports, files and one condition each around it.
RSYSLOG_TCP = """\
action(type="omfwd" target="127.0.0.1" port="5514" protocol="tcp" TCP_Framing="octet-counted"
       template="RSYSLOG_SyslogProtocol23Format" action.resumeRetryCount="-1"
       queue.type="LinkedList" queue.filename="zero" queue.maxDiskSpace="1g" queue.saveOnShutdown="on")
"""
RSYSLOG_TLS = """\
action(type="omfwd" target="127.0.0.1" port="6514" protocol="tcp" TCP_Framing="octet-counted"
       template="RSYSLOG_SyslogProtocol23Format" action.resumeRetryCount="-1"
       queue.type="LinkedList" queue.filename="zero-tls" queue.maxDiskSpace="1g" queue.saveOnShutdown="on"
       StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost")
"""
RSYSLOG_TLS_GLOBAL = """\
global(DefaultNetstreamDriverCAFile="zero-data/tls/ca.pem"
       DefaultNetstreamDriverCertFile="zero-data/tls/client-shipper.pem"
       DefaultNetstreamDriverKeyFile="zero-data/tls/client-shipper.key")
"""
RSYSLOG_UDP = """\
action(type="omfwd" target="127.0.0.1" port="5514" protocol="udp" template="RSYSLOG_SyslogProtocol23Format")
"""
LOGGER_TCP = (
    "logger --tcp --server 127.0.0.1 --port 5514 --rfc5424 --octet-count --tag shop --priority local3.err 'card declined'"
)
LOGGER_UDP = "logger --udp --server 127.0.0.1 --port 5514 --rfc3164 --tag shop --priority local3.err 'card declined'"

MANY = 500


class SyslogPlatform(Platform):
    """A platform with keys, mutual TLS and every syslog listener."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ports = {transport: free_port() for transport in ("tcp", "tls", "udp")}
        self.tls = folder / "data" / "tls"
        self.made("certs", "--client", "shipper")
        key = re.search(r"\bzero_\S+", self.made("keys", "create", "--tenant", "acme", "--scope", "ingest,query"))
        assert key is not None
        self.environment |= {f"ZERO_SYSLOG_{name.upper()}": f"127.0.0.1:{port}" for name, port in self.ports.items()}
        self.environment |= {
            "ZERO_SYSLOG_KEY": key[0],
            "ZERO_API_KEY": key[0],
            "ZERO_TLS_CERT": str(self.tls / "server.pem"),
            "ZERO_TLS_KEY": str(self.tls / "server.key"),
            "ZERO_TLS_CLIENT_CA": str(self.tls / "ca.pem"),
            "ZERO_CA": str(self.tls / "ca.pem"),
            "ZERO_CLIENT_CERT": str(self.tls / "client-shipper.pem"),
            "ZERO_CLIENT_KEY": str(self.tls / "client-shipper.key"),
        }

    def made(self, *arguments: str) -> str:
        found = self.command(*arguments)
        assert found.returncode == 0, found.stderr
        return str(found.stdout)

    def found(self, query: str, count: int) -> list[dict[str, object]]:
        """Return what ``zero search`` finds once it is so many."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            listed = self.command("search", query, "--json", "--limit", str(MANY + 1))
            assert listed.returncode in (0, 1), listed.stderr  # 1: nothing yet
            logs = [json.loads(line) for line in listed.stdout.splitlines()]
            if len(logs) >= count:
                assert len(logs) == count
                return logs
            assert time.monotonic() < deadline, (query, len(logs), count, self.said())
            time.sleep(0.2)

    def placed(self, block: str) -> str:
        """Put our ports and files into what the documentation says."""
        name = "udp" if "udp" in block else "tls" if "6514" in block else "tcp"
        found = re.sub(r"\b(5514|6514)\b", str(self.ports[name]), block)
        return found.replace("zero-data/tls", str(self.tls))


@pytest.fixture
def platform(tmp_path):
    running = SyslogPlatform(tmp_path)
    running.up()
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()
        running.log.close()


def test_what_rsyslog_and_logger_send_comes_back_field_by_field(platform, tmp_path):
    assert GTLS.exists() and LOGGER is not None
    blocks = {"tcp": RSYSLOG_TCP, "tls": RSYSLOG_TLS, "udp": RSYSLOG_UDP}
    rules = [f'if $programname == "shop-{name}" then {{\n{platform.placed(block)}}}\n' for name, block in blocks.items()]
    rsyslog = Rsyslog(tmp_path, platform.placed(RSYSLOG_TLS_GLOBAL) + "".join(rules))
    begun = time.time()
    try:
        for name in blocks:
            rsyslog.log(
                "--tag", f"shop-{name}", "--priority", "local3.warning", "--id=4711", f"card 4242 declined by {name}: café"
            )
        for name in ("tcp", "tls"):
            rsyslog.log("--tag", f"shop-{name}", text="".join(f"number {number}\n" for number in range(MANY - 1)))
        for command in (LOGGER_TCP, LOGGER_UDP):
            subprocess.run(shlex.split(platform.placed(command)), check=True, timeout=READY_SECONDS_MAX)
        found = {name: platform.found(f"app_id:shop-{name}", 1 if name == "udp" else MANY) for name in blocks}
        by_logger = platform.found("app_id:shop", 2)
    finally:
        rsyslog.stop()
    host = socket.gethostname()
    for name, logs in found.items():
        (log,) = (log for log in logs if "card" in log["message"])
        kept = {key: log[key] for key in ("message", "level", "app_id", "source", "environment")}
        assert kept == {
            "message": f"card 4242 declined by {name}: café",
            "level": "WARN",
            "app_id": f"shop-{name}",
            "source": host,
            "environment": "prod",
        }
        assert log["metadata"] == {"facility": "local3", "severity": "warning", "procid": "4711"}
        assert (
            abs(time.mktime(time.strptime(log["timestamp"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - begun)
            < READY_SECONDS_MAX
        )
        assert len({log["message"] for log in logs}) == len(logs)
    for log in by_logger:
        assert (log["message"], log["level"], log["source"]) == ("card declined", "ERROR", host)
        assert (log["metadata"]["facility"], log["metadata"]["severity"]) == ("local3", "err")
    assert shutil.which("logger") and platform.stop() == 0, platform.said()
