"""Real clients against real ingest workers: curl, h2load and httpx, in plaintext and over TLS, in HTTP/1.1 and HTTP/2."""

import http.client
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.integration.servers import Server, embedded_valkey
from tests.integration.test_ingest_http import ENTRY, Workers, accepted
from tests.ports import free_port

CURL, H2LOAD = shutil.which("curl"), shutil.which("h2load")
UNTRUSTED, NO_HANDSHAKE = 60, 35
needs_curl = pytest.mark.skipif(CURL is None, reason="curl is not installed (Debian: apt-get install curl)")
needs_h2load = pytest.mark.skipif(H2LOAD is None, reason="h2load is not installed (Debian: apt-get install nghttp2-client)")


def zero_certs(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-P", "-m", "zero", "certs", "--data-dir", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, cwd=folder).stdout


class TlsWorkers(Workers):
    """Ingest processes that speak TLS with the certificates of a folder."""

    def __init__(self, url: str, count: int, folder: Path, **environment: str) -> None:
        self.tls = folder / "tls"
        self.grpc_port = free_port()
        self.client: tuple[Path, Path] | None = None
        super().__init__(
            url,
            count,
            ZERO_TLS_CERT=str(self.tls / "server.pem"),
            ZERO_TLS_KEY=str(self.tls / "server.key"),
            ZERO_INGEST_GRPC=f"127.0.0.1:{self.grpc_port}",
            **environment,
        )

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.tls / "ca.pem"))
        if self.client:
            context.load_cert_chain(*self.client)
        return context

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=self.context())

    def certificate(self, port: int) -> bytes | None:
        """The certificate that a new connection sees."""
        context = self.context()
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection(("127.0.0.1", port)) as sock,
            context.wrap_socket(sock, server_hostname="localhost") as tls,
        ):
            return tls.getpeercert(True)

    def health(self) -> int:
        """What gRPC's health service says."""
        given = [(self.tls / "ca.pem").read_bytes()]
        if self.client:
            given += [self.client[1].read_bytes(), self.client[0].read_bytes()]
        with grpc.secure_channel(f"localhost:{self.grpc_port}", grpc.ssl_channel_credentials(*given)) as channel:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=60)
            return int(answer.status)

    def curl(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        assert CURL is not None
        command = [CURL, "-sS", "--max-time", "10", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = embedded_valkey(tmp_path_factory.mktemp("valkey")).start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def plain(valkey: Server) -> Iterator[Workers]:
    workers = Workers(valkey.url, 2, ZERO_INGEST_GRPC="").wait()
    yield workers
    assert workers.stop() == [0, 0]


@pytest.fixture(scope="module")
def secure(valkey: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsWorkers]:
    folder = tmp_path_factory.mktemp("data")
    zero_certs(folder)
    workers = TlsWorkers(valkey.url, 2, folder)
    workers.wait()
    yield workers
    assert workers.stop() == [0, 0]


@needs_curl
@pytest.mark.parametrize(("flag", "version"), [("--http2-prior-knowledge", "2"), ("--http2", "1.1"), ("--http1.1", "1.1")])
def test_curl_in_plaintext(plain, secure, flag, version):
    url = f"http://127.0.0.1:{plain.port}/api/logs"
    found = secure.curl(flag, "--json", ENTRY.decode(), "-w", "\n%{http_version} %{http_code}", url)
    receipt, said = found.stdout.rsplit("\n", 1)
    assert said == f"{version} 202", found.stderr
    assert json.loads(receipt)["accepted"] == 1


@needs_curl
@pytest.mark.parametrize(("flag", "version"), [("--http2", "2"), ("--http1.1", "1.1")])
def test_curl_over_tls(secure, flag, version):
    for host in ("127.0.0.1", "localhost"):
        url = f"https://{host}:{secure.port}/api/logs"
        given = ("--cacert", str(secure.tls / "ca.pem"), "--json", ENTRY.decode(), "-w", "\n%{http_version} %{http_code}")
        found = secure.curl(flag, *given, url)
        assert found.stdout.rsplit("\n", 1)[1] == f"{version} 202", found.stderr


@needs_curl
def test_curl_does_not_get_in_without_the_ca_with_another_or_with_old_tls(secure, tmp_path):
    zero_certs(tmp_path)
    url = f"https://127.0.0.1:{secure.port}/health"
    old = ("--tls-max", "1.1", "--tlsv1.0", "--ciphers", "DEFAULT@SECLEVEL=0", "--cacert", str(secure.tls / "ca.pem"))
    assert secure.curl(url).returncode == UNTRUSTED
    assert secure.curl("--cacert", str(tmp_path / "tls" / "ca.pem"), url).returncode == UNTRUSTED
    assert secure.curl(*old, url).returncode == NO_HANDSHAKE
    assert secure.curl(url.replace("https", "http")).returncode != 0


@needs_curl
def test_curl_uploads_a_large_body_and_reads_a_refusal_in_the_middle_of_one(plain, secure, tmp_path):
    large, huge = tmp_path / "large", tmp_path / "huge"
    large.write_bytes(b"\n".join([b'{"message":"%s"}' % (b"x" * 1000)] * 10_000))
    huge.write_bytes(b" " * (17 << 20))
    for flag, url, trusted in (
        ("--http2-prior-knowledge", f"http://127.0.0.1:{plain.port}/api/logs", ()),
        ("--http2", f"https://127.0.0.1:{secure.port}/api/logs", ("--cacert", str(secure.tls / "ca.pem"))),
    ):
        given = (flag, *trusted, "-w", "\n%{http_code}", "-H", "Content-Type: application/x-ndjson")
        assert (
            json.loads(secure.curl(*given, "--data-binary", f"@{large}", url).stdout.rsplit("\n", 1)[0])["accepted"] == 10_000
        )
        assert secure.curl(*given, "--data-binary", f"@{huge}", url).stdout.endswith("\n413")
        assert secure.curl(*given, "-T", str(huge), "-X", "POST", url).stdout.endswith("\n413")


@needs_h2load
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_h2load_loses_nothing(plain, secure, valkey, tmp_path, scheme):
    assert H2LOAD is not None
    (tmp_path / "entry").write_bytes(ENTRY)
    port, before = (plain if scheme == "http" else secure).port, accepted(valkey.url)
    url = f"{scheme}://127.0.0.1:{port}/api/logs"
    command = [
        H2LOAD,
        "-n",
        "6000",
        "-c",
        "8",
        "-m",
        "20",
        "-d",
        str(tmp_path / "entry"),
        "-H",
        "content-type: application/json",
    ]
    found = subprocess.run([*command, url], capture_output=True, text=True, timeout=60)
    assert re.search(r"6000 succeeded, 0 failed, 0 errored, 0 timeout", found.stdout), found.stdout
    assert "6000 2xx" in found.stdout
    assert accepted(valkey.url) - before == 6000


def test_httpx_over_tls_speaks_http_2(secure):
    with httpx.Client(http2=True, verify=secure.context()) as client:
        answers = [client.post(f"https://localhost:{secure.port}/api/logs", content=ENTRY) for _ in range(20)]
    assert {(answer.status_code, answer.http_version) for answer in answers} == {(202, "HTTP/2")}


def test_grpc_speaks_tls_too(secure):
    assert secure.health() == health_pb2.HealthCheckResponse.SERVING


class Posting(threading.Thread):
    """Posts on one connection until told to stop."""

    def __init__(self, workers: TlsWorkers) -> None:
        super().__init__()
        self._workers = workers
        self.over = threading.Event()
        self.statuses: list[int] = []
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            with httpx.Client(http2=True, verify=self._workers.context()) as client:
                while not self.over.is_set():
                    answer = client.post(f"https://localhost:{self._workers.port}/api/logs", content=ENTRY)
                    self.statuses.append(answer.status_code)
        except httpx.HTTPError as error:
            self.failure = error


@pytest.mark.parametrize("asked", ["by the files", "by SIGHUP"])
def test_a_new_certificate_is_taken_up_under_load_and_nobody_notices(secure, asked):
    ports = (secure.port, secure.grpc_port)
    posting = [Posting(secure) for _ in range(2)]
    for thread in posting:
        thread.start()
    old = [secure.certificate(port) for port in ports]
    zero_certs(secure.tls.parent)
    if asked == "by SIGHUP":
        for process in secure.processes:
            process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
    deadline = time.monotonic() + 60
    while any(secure.certificate(port) in old for port in ports for _ in range(6)):  # of either worker
        assert time.monotonic() < deadline
        assert asked == "by the files"
        time.sleep(0.1)
    assert secure.health() == health_pb2.HealthCheckResponse.SERVING
    for thread in posting:
        thread.over.set()
        thread.join()
    assert [thread.failure for thread in posting] == [None, None]
    assert {status for thread in posting for status in thread.statuses} == {202}
    assert min(len(thread.statuses) for thread in posting) > 5


def test_with_a_client_ca_only_its_clients_come_in(valkey, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    said = zero_certs(tmp_path, "--client", "shipper")
    zero_certs(other, "--client", "stranger")
    workers = TlsWorkers(valkey.url, 1, tmp_path, ZERO_TLS_CLIENT_CA=str(tmp_path / "tls" / "ca.pem"))
    workers.client = (workers.tls / "client-shipper.pem", workers.tls / "client-shipper.key")
    try:
        workers.wait()
        assert workers.post(ENTRY)[0] == 202
        assert workers.health() == health_pb2.HealthCheckResponse.SERVING
        send = next(line for line in said.splitlines() if "zero send" in line).split("zero send FILE --url ")[1].split()[1:]
        command = [sys.executable, "-P", "-m", "zero", "send", "-", "--url", f"https://localhost:{workers.port}", *send]
        assert subprocess.run(command, input=ENTRY, capture_output=True, timeout=60, cwd=tmp_path).returncode == 0
        for client in (None, (other / "tls" / "client-stranger.pem", other / "tls" / "client-stranger.key")):
            workers.client = client
            with closing(workers.connect()) as connection, pytest.raises(OSError):
                connection.request("GET", "/health")
                connection.getresponse()
            with pytest.raises(grpc.RpcError):
                workers.health()
    finally:
        assert workers.stop() == [0]


def test_zero_certs_refuses_names_that_are_none(tmp_path):
    for arguments in (("--client", "../x"), ("--host", "a b"), ("--client", "")):
        with pytest.raises(subprocess.CalledProcessError) as refused:
            zero_certs(tmp_path, *arguments)
        assert refused.value.returncode == 2
