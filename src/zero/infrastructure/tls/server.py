"""The TLS of our listeners: what they accept, and which certificate they present, which may change while they are open."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cryptography import x509

from zero.application.background import end
from zero.application.hangup import on_hangup
from zero.application.ports import Telemetry
from zero.domain.errors import ConfigurationError
from zero.infrastructure.tls.events import CertificateLoaded, CertificateRefused

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: forward secrecy and authenticated encryption alone. TLS 1.3 has nothing else."""


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """PEM files. With ``client_ca`` every client has to show a certificate that it has signed."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    look_seconds: float = 1.0


class Pem(NamedTuple):
    """The contents of the files; ``client_ca`` is None when clients need no certificate."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None


class ServerTls:
    """The certificate of all listeners of a process, reloadable. Raises ConfigurationError when it cannot be used."""

    def __init__(self, options: TlsOptions, telemetry: Telemetry) -> None:
        self._options = options
        self._telemetry = telemetry
        self._contexts: dict[tuple[str, ...], ssl.SSLContext] = {}
        self._loaded = self._seen = self._signature()
        try:
            self.pem = self._load()
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"TLS cannot start: {_reason(error)}") from error

    def context(self, *protocols: str) -> ssl.SSLContext:
        """Return the context of a listener for these protocols (ALPN). Each new connection gets the newest certificate."""
        current = self._contexts.setdefault(protocols, self._make(protocols))

        def take_newest(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
            connection.context = self._contexts[protocols]

        outer = self._make(protocols)
        outer.sni_callback = take_newest  # called for every handshake, also where the client names no server
        assert current.verify_mode is outer.verify_mode  # noqa: S101 - a handshake keeps the mode it began with
        return outer

    def reload(self) -> None:
        """Read the files again; keep what we have when they cannot be used, and say so."""
        self._loaded = self._seen = self._signature()
        try:
            self.pem = self._load()
        except (OSError, ValueError) as error:
            self._telemetry.emit(CertificateRefused(f"the listeners keep the certificate they have: {_reason(error)}"))

    def look(self) -> None:
        """Reload once changed files have stayed the same from one look to the next: they are replaced one by one."""
        found = self._signature()
        rests, self._seen = found == self._seen, found
        if rests and found != self._loaded:
            self.reload()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator["ServerTls"]:
        """Look at the files while the block lasts, and reload at once on SIGHUP."""
        task = asyncio.get_running_loop().create_task(self._watch())
        try:
            with on_hangup(self.reload):
                yield self
        finally:
            await end(task)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._options.look_seconds)
            self.look()

    def _load(self) -> Pem:
        """Read everything, and only then take it up. Raises OSError and ValueError."""
        pem = self._read()
        contexts = {protocols: self._make(protocols) for protocols in [*self._contexts, ()]}
        if self._read() != pem:
            raise OSError("the files changed while they were read")
        certificate = x509.load_pem_x509_certificate(pem.certificate)
        self._contexts = contexts
        subject = certificate.subject.rfc4514_string()
        self._telemetry.emit(CertificateLoaded(subject, certificate.not_valid_after_utc.timestamp()))
        return pem

    def _make(self, protocols: tuple[str, ...]) -> ssl.SSLContext:
        options = self._options
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS)
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.load_cert_chain(options.certificate, options.key, password="")  # a key with a password is an error, no question
        if protocols:
            context.set_alpn_protocols(list(protocols))
        if options.client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(options.client_ca)
            context.options |= ssl.OP_NO_TICKET  # a resumed session would not be asked again
            context.num_tickets = 0
        return context

    def _read(self) -> Pem:
        client_ca = self._options.client_ca
        return Pem(
            self._options.certificate.read_bytes(),
            self._options.key.read_bytes(),
            client_ca.read_bytes() if client_ca is not None else None,
        )

    def _signature(self) -> tuple[tuple[int, int, int] | None, ...]:
        found: list[tuple[int, int, int] | None] = []
        for path in (self._options.certificate, self._options.key, self._options.client_ca):
            status = None
            with suppress(OSError):
                status = path.stat() if path is not None else None
            found.append((status.st_mtime_ns, status.st_size, status.st_ino) if status else None)
        return tuple(found)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"certificate and key do not fit, or are not PEM ({error.reason or error})"
    return str(error)
