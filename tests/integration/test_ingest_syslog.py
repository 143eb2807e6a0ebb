"""Real senders, Debian's rsyslog and util-linux's logger, into two real workers over TCP, TLS and UDP."""

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.servers import Server, embedded_valkey
from tests.integration.test_http_clients import TlsWorkers, zero_certs
from tests.integration.test_ingest_http import drained
from tests.patience import READY_SECONDS_MAX
from tests.ports import free_port
from zero.domain.entry import Level, LogEntry

RSYSLOGD = shutil.which("rsyslogd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
LOGGER = shutil.which("logger")
GTLS = Path("/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so")
ROLLING_MESSAGES = 10
needs_rsyslog = pytest.mark.skipif(RSYSLOGD is None, reason="rsyslogd is not installed (Debian: apt-get install rsyslog)")
needs_gtls = pytest.mark.skipif(not GTLS.exists(), reason="rsyslog has no TLS (Debian: apt-get install rsyslog-gnutls)")
needs_logger = pytest.mark.skipif(LOGGER is None, reason="logger is not installed (Debian: apt-get install bsdutils)")


class Syslog(TlsWorkers):
    """Workers with every syslog listener."""

    def __init__(self, valkey: Server, folder: Path, **environment: str) -> None:
        self.valkey = valkey
        self.ports = {transport: free_port() for transport in ("tcp", "tls", "udp")}
        listeners = {f"ZERO_SYSLOG_{name.upper()}": f"127.0.0.1:{port}" for name, port in self.ports.items()}
        super().__init__(valkey.url, 2, folder, **listeners, **environment)

    def entries(self, count: int) -> list[LogEntry]:
        """Return what has arrived once it is so many."""
        found: list[LogEntry] = []
        deadline = time.monotonic() + 60
        while len(found) < count:
            assert time.monotonic() < deadline, (len(found), count)
            found += asyncio.run(drained(self.valkey.url))
            time.sleep(0.05)
        return found

    def replace_one(self, index: int) -> None:
        """Start a worker beside the others, and then stop one."""
        command = [sys.executable, "-m", "zero", "ingest"]
        new = subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        old, self.processes[index] = self.processes[index], new
        assert new.stdout is not None
        assert new.stdout.readline() == b"ready\n"
        new.stdout.close()
        old.terminate()
        assert old.wait(READY_SECONDS_MAX) == 0
        assert old.stderr is not None
        old.stderr.close()


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Syslog]:
    folder = tmp_path_factory.mktemp("syslog")
    zero_certs(folder)
    valkey = embedded_valkey(folder / "valkey").start()
    running = Syslog(valkey, folder)
    try:
        running.wait()
        yield running
        assert running.stop() == [0, 0]
    finally:
        valkey.close()


class Rsyslog:
    """An rsyslogd of our own: a socket that logger writes to, and rules that forward."""

    def __init__(self, folder: Path, rules: str) -> None:
        self.socket = folder / "log.sock"
        config = folder / "rsyslog.conf"
        config.write_text(
            f'global(workDirectory="{folder}" net.enableDNS="off")\n'
            'module(load="imuxsock" SysSock.Use="off")\n'
            f'input(type="imuxsock" Socket="{self.socket}" RateLimit.Interval="0" UsePIDFromSystem="off")\n'
            f"{rules}\n"
        )
        command = [RSYSLOGD, "-n", "-f", config, "-i", folder / "rsyslog.pid"]
        self.said = (folder / "said").open("w+")
        self.process = subprocess.Popen(command, stdout=self.said, stderr=self.said)
        deadline = time.monotonic() + 60
        while not self.socket.exists():
            self.said.seek(0)
            assert time.monotonic() < deadline and self.process.poll() is None, self.said.read()
            time.sleep(0.02)

    def log(self, *arguments: str, text: str | None = None) -> None:
        subprocess.run([LOGGER, "--socket", self.socket, *arguments], check=True, timeout=60, input=text, text=True)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(READY_SECONDS_MAX)
        self.said.close()


RFC5424, RFC3164 = ('Template="RSYSLOG_SyslogProtocol23Format"', 'Template="RSYSLOG_TraditionalForwardFormat"')
COUNTED = 'Protocol="tcp" TCP_Framing="octet-counted"'
GTLS_DRIVER = 'StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost"'
FORWARD = 'action(type="omfwd" Target="127.0.0.1" action.resumeRetryCount="-1" {})'
ACTIONS = {
    "tcp, counted, RFC 5424": f'{COUNTED} Port="{{tcp}}" {RFC5424}',
    "tcp, lines, RFC 5424": f'Protocol="tcp" Port="{{tcp}}" {RFC5424}',
    "tcp, counted, RFC 3164": f'{COUNTED} Port="{{tcp}}" {RFC3164}',
    "tcp, lines, as rsyslog forwards": 'Protocol="tcp" Port="{tcp}"',
    "udp, RFC 5424": f'Protocol="udp" Port="{{udp}}" {RFC5424}',
    "udp, as rsyslog forwards": 'Protocol="udp" Port="{udp}"',
    "tls": f'{COUNTED} Port="{{tls}}" {RFC5424} {GTLS_DRIVER}',
}


@needs_rsyslog
@needs_logger
@pytest.mark.parametrize(
    "action", [pytest.param(text, id=name, marks=[needs_gtls] if name == "tls" else []) for name, text in ACTIONS.items()]
)
def test_what_rsyslog_forwards_arrives_field_by_field(workers: Syslog, tmp_path: Path, action: str) -> None:
    trusted = f'global(DefaultNetstreamDriverCAFile="{workers.tls / "ca.pem"}")\n'
    rsyslog = Rsyslog(tmp_path, trusted + FORWARD.format(action.format(**workers.ports)))
    try:
        begun = time.time_ns()
        rsyslog.log("--tag", "shop", "--priority", "local3.warning", "--id=4711", "card 4242 declined: caf\u00e9")
        (entry,) = workers.entries(1)
    finally:
        rsyslog.stop()
    assert (entry.message, entry.level, entry.app_id) == ("card 4242 declined: caf\u00e9", Level.WARN, "shop")
    assert entry.source == socket.gethostname().split(".")[0]
    assert (entry.metadata["facility"], entry.metadata["severity"], entry.metadata["procid"]) == ("local3", "warning", "4711")
    assert abs(entry.timestamp_ns - begun) < READY_SECONDS_MAX * 1e9


@needs_rsyslog
@needs_logger
def test_nothing_that_rsyslog_sends_over_tcp_is_lost(workers: Syslog, tmp_path: Path) -> None:
    rsyslog = Rsyslog(tmp_path, FORWARD.format(ACTIONS["tcp, counted, RFC 5424"].format(**workers.ports)))
    try:
        rsyslog.log("--tag", "many", text="".join(f"message {number}\n" for number in range(5000)))
        entries = workers.entries(5000)
    finally:
        rsyslog.stop()
    assert sorted(entry.message for entry in entries) == sorted(f"message {number}" for number in range(5000))


@needs_rsyslog
@needs_logger
@pytest.mark.parametrize("name", ["tcp, counted, RFC 5424", pytest.param("tls", marks=needs_gtls)])
def test_rsyslog_loses_nothing_when_workers_are_replaced_one_by_one(workers: Syslog, tmp_path: Path, name: str) -> None:
    trusted = f'global(DefaultNetstreamDriverCAFile="{workers.tls / "ca.pem"}")\n'
    rsyslog = Rsyslog(tmp_path, trusted + FORWARD.format(ACTIONS[name].format(**workers.ports)))
    over, written = threading.Event(), 0

    def write() -> None:
        nonlocal written
        logger = subprocess.Popen([LOGGER, "--socket", rsyslog.socket, "--tag", "many"], stdin=subprocess.PIPE)
        assert logger.stdin is not None
        while not over.wait(0.005):
            logger.stdin.write(b"".join(b"message %d\n" % (written + number) for number in range(ROLLING_MESSAGES)))
            logger.stdin.flush()
            written += ROLLING_MESSAGES
        logger.stdin.close()
        assert logger.wait(READY_SECONDS_MAX) == 0

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for index in range(2):
            workers.replace_one(index)
        over.set()
        writing.join()
        entries = workers.entries(written)
    finally:
        over.set()
        writing.join()
        rsyslog.stop()
    assert sorted(entry.message for entry in entries) == sorted(f"message {number}" for number in range(written))


@needs_logger
@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("form", [["--rfc3164"], ["--rfc5424"], ["--rfc5424=notime,notq,nohost"]])
def test_what_logger_sends_by_itself_arrives(workers: Syslog, transport: str, form: list[str]) -> None:
    counted = [[]] if transport == "udp" else [[], ["--octet-count"]]
    for options in counted:
        where = [f"--{transport}", "--server", "127.0.0.1", "--port", str(workers.ports[transport])]
        element = ["--sd-id", "shop@1", "--sd-param", 'order="7"'] if form == ["--rfc5424"] else []
        subprocess.run([LOGGER, *where, *form, *options, *element, "--tag", "shop", "hello there"], check=True, timeout=60)
        (entry,) = workers.entries(1)
        assert (entry.message, entry.app_id, entry.level) == ("hello there", "shop", Level.INFO)
        if element:
            assert entry.metadata["sd.shop@1.order"] == "7"


def test_keys_need_one_for_syslog_too(workers: Syslog, tmp_path: Path) -> None:
    valkey = embedded_valkey(tmp_path / "valkey").start()
    try:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ZERO_")}
        environment |= {"ZERO_BUFFER_URL": valkey.url, "ZERO_INGEST_HTTP": "127.0.0.1:0", "ZERO_INGEST_GRPC": ""}
        environment |= {"ZERO_SYSLOG_TCP": "127.0.0.1:0"}
        zero = [sys.executable, "-P", "-m", "zero"]
        subprocess.run(
            [*zero, "keys", "create", "--tenant", "acme", "--scope", "ingest"], env=environment, check=True, timeout=60
        )
        found = subprocess.run([*zero, "ingest"], env=environment, capture_output=True, text=True, timeout=60)
    finally:
        valkey.close()
    assert found.returncode == 78
    assert "ZERO_SYSLOG_KEY" in found.stderr


def stream_over_tls(workers: Syslog, client: tuple[Path, Path] | None = None) -> ssl.SSLSocket:
    context = workers.context()
    if client is not None:
        context.load_cert_chain(*client)
    sock = socket.create_connection(("127.0.0.1", workers.ports["tls"]), timeout=READY_SECONDS_MAX)
    return context.wrap_socket(sock, server_hostname="localhost")


def test_a_new_certificate_is_for_new_streams_and_old_ones_live_on(workers: Syslog) -> None:
    with stream_over_tls(workers) as old:
        before = old.getpeercert(True)
        zero_certs(workers.tls.parent)
        deadline = time.monotonic() + READY_SECONDS_MAX
        while before in {workers.certificate(workers.ports["tls"]) for _ in range(6)}:  # of either worker
            assert time.monotonic() < deadline
            time.sleep(0.1)
        old.sendall(b"<13>old: still here\n")
        with stream_over_tls(workers) as new:
            new.sendall(b"<13>new: here too\n")
            assert {entry.app_id for entry in workers.entries(2)} == {"old", "new"}


def test_with_a_client_ca_only_its_machines_send(tmp_path: Path) -> None:
    stranger = tmp_path / "other"
    stranger.mkdir()
    zero_certs(tmp_path, "--client", "shipper")
    zero_certs(stranger, "--client", "stranger")
    valkey = embedded_valkey(tmp_path / "valkey").start()
    workers = Syslog(valkey, tmp_path, ZERO_TLS_CLIENT_CA=str(tmp_path / "tls" / "ca.pem"))
    workers.client = (workers.tls / "client-shipper.pem", workers.tls / "client-shipper.key")
    try:
        workers.wait()
        workers.client = None
        for client in (None, (stranger / "tls" / "client-stranger.pem", stranger / "tls" / "client-stranger.key")):
            with pytest.raises(OSError), stream_over_tls(workers, client) as sock:
                sock.sendall(b"<13>stranger: let me in\n")
                if sock.recv(1) == b"":
                    raise ConnectionResetError
        with stream_over_tls(workers, (workers.tls / "client-shipper.pem", workers.tls / "client-shipper.key")) as sock:
            sock.sendall(b"<13>shipper: hello\n")
            assert [entry.app_id for entry in workers.entries(1)] == ["shipper"]
    finally:
        assert workers.stop() == [0, 0]
        valkey.close()
