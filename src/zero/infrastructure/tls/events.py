"""What TLS reports about itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event


@dataclass(frozen=True, slots=True)
class CertificateLoaded(Event):
    """The listeners present this certificate from now on. The time of its end is in Unix seconds."""

    name: ClassVar[str] = "tls_certificate_loaded"
    level: ClassVar[str | None] = "info"
    gauges: ClassVar[tuple[str, ...]] = ("expiry_timestamp_seconds",)
    help: ClassVar[str] = "Times that the certificate of the listeners was read"
    about: ClassVar[Mapping[str, str]] = {"expiry_timestamp_seconds": "When the certificate ends; 0 without TLS"}

    subject: str
    expiry_timestamp_seconds: float


@dataclass(frozen=True, slots=True)
class CertificateRefused(Event):
    """New files cannot be used; the listeners keep what they have."""

    name: ClassVar[str] = "tls_certificate_refused"
    level: ClassVar[str | None] = "error"
    help: ClassVar[str] = "Times that the files of the certificate could not be used"

    message: str
