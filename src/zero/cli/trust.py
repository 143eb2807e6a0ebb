"""Whom the commands trust when they speak TLS, and who they say they are."""

import ssl

from zero.domain.errors import ConfigurationError
from zero.settings import Settings

TRUST_FLAGS = ("ca", "client_cert", "client_key")
"""The settings that a command which speaks TLS takes as flags."""


def trust(settings: Settings) -> ssl.SSLContext | None:
    """Return the context for https; None is that of the system. Raises ConfigurationError when a file cannot be used."""
    if not settings.ca and not settings.client_cert:
        return None
    used = f"ZERO_CA={settings.ca}"
    try:
        context = ssl.create_default_context(cafile=settings.ca or None)
        if settings.client_cert:
            used = f"ZERO_CLIENT_CERT={settings.client_cert} with ZERO_CLIENT_KEY={settings.client_key}"
            context.load_cert_chain(settings.client_cert, settings.client_key or None, password="")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{used} cannot be used: {error}") from error
    return context
