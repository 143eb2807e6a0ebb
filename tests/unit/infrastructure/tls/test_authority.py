"""Certificates that others accept, in files that others cannot read."""

import stat
import subprocess

import pytest
from cryptography import x509

from zero.infrastructure.tls.authority import Authority

HOSTS = ("localhost", "127.0.0.1", "::1", "*.example.com")


def names(issued):
    certificate = x509.load_pem_x509_certificate(issued.certificate.read_bytes())
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in found]


def verify(authority, issued, purpose):
    command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", authority.certificate, issued.certificate]
    return subprocess.run(command, capture_output=True, text=True).returncode


def test_a_server_certificate_is_for_the_names_and_signed_by_the_ca(tmp_path):
    authority = Authority(tmp_path / "tls")
    issued = authority.server(HOSTS)
    assert names(issued) == list(HOSTS)
    assert verify(authority, issued, "sslserver") == 0
    assert verify(authority, issued, "sslclient") != 0


def test_a_client_certificate_is_for_clients(tmp_path):
    authority = Authority(tmp_path / "tls")
    issued = authority.client("bob")
    assert issued.certificate.name == "client-bob.pem"
    assert verify(authority, issued, "sslclient") == 0
    assert verify(authority, issued, "sslserver") != 0


def test_the_ca_is_made_once_and_certificates_anew(tmp_path):
    first = Authority(tmp_path / "tls")
    before, ca = first.server(HOSTS).certificate.read_bytes(), first.certificate.read_bytes()
    again = Authority(tmp_path / "tls")
    assert again.certificate.read_bytes() == ca
    assert again.server(HOSTS).certificate.read_bytes() != before
    assert verify(again, again.server(HOSTS), "sslserver") == 0


def test_keys_are_for_their_owner_alone(tmp_path):
    authority = Authority(tmp_path / "tls")
    authority.server(HOSTS)
    authority.client("bob")
    keys = sorted((tmp_path / "tls").glob("*.key"))
    assert [key.name for key in keys] == ["ca.key", "client-bob.key", "server.key"]
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700
    assert not list((tmp_path / "tls").glob(".*"))


def test_a_folder_with_another_key_is_refused(tmp_path):
    Authority(tmp_path)
    (tmp_path / "ca.key").write_text("nonsense")
    with pytest.raises(ValueError, match="PEM"):
        Authority(tmp_path)
