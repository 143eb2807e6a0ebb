"""What listeners accept, and how they come by a new certificate: over real connections."""

import asyncio
import contextlib
import os
import signal
import ssl

import pytest

from zero.domain.errors import ConfigurationError
from zero.infrastructure.memory import MemoryTelemetry
from zero.infrastructure.tls.authority import Authority
from zero.infrastructure.tls.events import CertificateLoaded, CertificateRefused
from zero.infrastructure.tls.server import ServerTls, TlsOptions


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "tls")


@pytest.fixture
def issued(authority):
    return authority.server(["localhost"])


def server_tls(issued, client_ca=None, look_seconds=0.02):
    telemetry = MemoryTelemetry()
    return ServerTls(TlsOptions(issued.certificate, issued.key, client_ca, look_seconds), telemetry), telemetry


@contextlib.asynccontextmanager
async def listening(context):
    async def answer(reader, writer):
        with contextlib.suppress(OSError):
            writer.write(await reader.readline())
            await writer.drain()
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def trusting(authority, shown=None, **attributes):
    context = ssl.create_default_context(cafile=str(authority.certificate))
    if shown:
        context.load_cert_chain(shown.certificate, shown.key)
    for name, value in attributes.items():
        setattr(context, name, value)
    return context


async def say_hello(port, context):
    """Return the certificate that the server shows, and what was agreed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    try:
        connection = writer.get_extra_info("ssl_object")
        writer.write(b"hello\n")
        if await reader.readline() != b"hello\n":
            raise ConnectionResetError("no answer")
        return connection.getpeercert(True), connection.version(), connection.selected_alpn_protocol()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what changes is a list
            await asyncio.sleep(0.02)


async def test_the_protocol_is_agreed_by_alpn(authority, issued):
    tls, _ = server_tls(issued)
    both, one = tls.context("h2", "http/1.1"), tls.context("http/1.1")
    async with listening(both) as port, listening(one) as other:
        context = trusting(authority)
        context.set_alpn_protocols(["h2", "http/1.1"])
        assert (await say_hello(port, context))[1:] == ("TLSv1.3", "h2")
        assert (await say_hello(other, context))[2] == "http/1.1"


async def test_tls_1_2_is_the_least_and_has_forward_secrecy(authority, issued):
    tls, _ = server_tls(issued)
    async with listening(tls.context()) as port:
        old = trusting(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
        assert (await say_hello(port, old))[1] == "TLSv1.2"
        old.set_ciphers("AES128-SHA:AES256-SHA:ECDHE+AES128-SHA:@SECLEVEL=0")
        with pytest.raises(OSError):
            await say_hello(port, old)


async def test_a_client_without_the_ca_does_not_trust_us(issued):
    tls, _ = server_tls(issued)
    async with listening(tls.context()) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await say_hello(port, ssl.create_default_context())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_with_a_client_ca_nobody_comes_in_without_its_certificate(tmp_path, authority, issued, version):
    tls, _ = server_tls(issued, authority.certificate)
    stranger = Authority(tmp_path / "other").client("eve")
    async with listening(tls.context()) as port:
        assert await say_hello(port, trusting(authority, authority.client("bob"), maximum_version=version))
        for shown in (None, stranger, issued):
            with pytest.raises(OSError):
                await say_hello(port, trusting(authority, shown, maximum_version=version))


async def test_new_files_are_taken_up_for_new_connections(authority, issued):
    tls, telemetry = server_tls(issued)
    async with listening(tls.context("h2")) as port, tls.watched():
        first = (await say_hello(port, trusting(authority)))[0]
        pem = tls.pem
        authority.server(["localhost"])
        await until(lambda: len(telemetry.events) == 2)
        assert (await say_hello(port, trusting(authority)))[0] != first
    assert tls.pem != pem
    assert [type(event) for event in telemetry.events] == [CertificateLoaded, CertificateLoaded]


@pytest.mark.timed
async def test_sighup_takes_new_files_up_at_once(authority, issued):
    tls, _ = server_tls(issued, look_seconds=60)
    async with listening(tls.context()) as port, tls.watched():
        first = (await say_hello(port, trusting(authority)))[0]
        authority.server(["localhost"])
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0.05)
        assert (await say_hello(port, trusting(authority)))[0] != first


async def test_files_that_cannot_be_used_leave_the_old_certificate_and_say_so_once(authority, issued):
    tls, telemetry = server_tls(issued)
    good = issued.key.read_bytes()
    async with listening(tls.context()) as port, tls.watched():
        first = (await say_hello(port, trusting(authority)))[0]
        for broken in (b"nonsense", Authority(issued.key.parent.parent / "other").server(["x"]).key.read_bytes(), None):
            telemetry.events.clear()
            issued.key.unlink(missing_ok=True)
            if broken is not None:
                issued.key.write_bytes(broken)
            await until(lambda: bool(telemetry.events))
            await asyncio.sleep(0.1)
            assert [type(event) for event in telemetry.events] == [CertificateRefused]
            assert (await say_hello(port, trusting(authority)))[0] == first
        issued.key.write_bytes(good)
        await until(lambda: type(telemetry.events[-1]) is CertificateLoaded)


async def test_a_client_ca_that_is_replaced_lets_its_former_clients_no_longer_in(tmp_path, authority, issued):
    client_ca = tmp_path / "clients.pem"
    client_ca.write_bytes(authority.certificate.read_bytes())
    tls, _ = server_tls(issued, client_ca)
    other = Authority(tmp_path / "other")
    async with listening(tls.context()) as port:
        former = trusting(authority, authority.client("bob"))
        assert await say_hello(port, former)
        client_ca.write_bytes(other.certificate.read_bytes())
        tls.reload()
        with pytest.raises(OSError):
            await say_hello(port, former)
        assert await say_hello(port, trusting(authority, other.client("ann")))


def test_half_replaced_files_are_waited_for(authority, issued):
    tls, telemetry = server_tls(issued)
    new = Authority(issued.key.parent).server(["localhost"])
    assert new == issued
    tls.look()
    assert len(telemetry.events) == 1
    tls.look()
    assert len(telemetry.events) == 2


@pytest.mark.parametrize("break_it", [lambda issued: issued.key.unlink(), lambda issued: issued.certificate.write_text("x")])
def test_a_start_with_unusable_files_is_refused(issued, break_it):
    break_it(issued)
    with pytest.raises(ConfigurationError, match="TLS cannot start"):
        server_tls(issued)


def test_a_key_with_a_password_is_refused_without_a_question(tmp_path, issued):
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(issued.key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    issued.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    with pytest.raises(ConfigurationError, match="TLS cannot start"):
        server_tls(issued)
