"""TLS as gRPC wants it: PEM in, and a question at each new connection whether it has changed."""

from collections.abc import Callable
from typing import cast

import grpc

Pem = tuple[bytes, bytes, bytes | None]
"""Certificate chain, private key, and the CA of client certificates, which are required then."""


def credentials(pem: Callable[[], Pem]) -> grpc.ServerCredentials:
    """Return credentials that are always the newest. ``pem`` is called in threads of gRPC."""
    used = pem()

    def newest() -> grpc.ServerCertificateConfiguration | None:
        nonlocal used
        found = pem()
        if found == used:
            return None
        used = found
        return _configuration(found)

    fetch = cast("Callable[[], grpc.ServerCertificateConfiguration]", newest)  # its stubs forget None: as it was
    return grpc.dynamic_ssl_server_credentials(_configuration(used), fetch, used[2] is not None)


def _configuration(pem: Pem) -> grpc.ServerCertificateConfiguration:
    certificate, key, client_ca = pem
    return grpc.ssl_server_certificate_configuration([(key, certificate)], client_ca)
