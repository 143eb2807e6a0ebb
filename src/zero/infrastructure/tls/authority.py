"""A certificate authority for development and small installations: its certificate, and those it signs, as PEM files."""

import datetime
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS, LEAF_DAYS = 3650, 397
_CLOCK_SKEW = datetime.timedelta(hours=1)


class Issued(NamedTuple):
    """Where a certificate and its key lie."""

    certificate: Path
    key: Path


class Authority:
    """The CA of one folder; made on first use. Keys are readable by their owner alone."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self.certificate = folder / "ca.pem"
        key_file = folder / "ca.key"
        if key_file.exists() and self.certificate.exists():
            key = serialization.load_pem_private_key(key_file.read_bytes(), None)
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise ValueError(f"{key_file} is not a key that `zero certs` has made")
            self._key, self._signed = key, x509.load_pem_x509_certificate(self.certificate.read_bytes())
            return
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"zero development CA {os.urandom(4).hex()}")])
        builder = _builder(name, name, self._key.public_key(), CA_DAYS)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        self._signed = builder.sign(self._key, hashes.SHA256())
        _write(key_file, _pem(self._key), 0o600)
        _write(self.certificate, self._signed.public_bytes(serialization.Encoding.PEM), 0o644)

    def server(self, hosts: Sequence[str]) -> Issued:
        """Sign a certificate for these names and addresses."""
        names = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
        return self._issue("server", hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, names)

    def client(self, name: str) -> Issued:
        """Sign a certificate that a client shows."""
        return self._issue(f"client-{name}", name, ExtendedKeyUsageOID.CLIENT_AUTH, None)

    def _issue(
        self, stem: str, subject: str, purpose: x509.ObjectIdentifier, names: x509.SubjectAlternativeName | None
    ) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        common = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject[:64])])
        builder = _builder(common, self._signed.subject, key.public_key(), LEAF_DAYS)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        issued = Issued(self._folder / f"{stem}.pem", self._folder / f"{stem}.key")
        _write(issued.key, _pem(key), 0o600)
        _write(issued.certificate, builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), 0o644)
        return issued


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Replace the file in one step: a listener that watches it never reads half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
