"""The forms in which clients show a key, whatever the protocol: one reading of them for HTTP and gRPC.

``Bearer KEY``, ``Basic base64(user:KEY)`` with any user (Loki and Elasticsearch clients), ``ApiKey base64(id:KEY)``,
``ApiKey base64(KEY)`` or ``ApiKey KEY`` (Elasticsearch clients), and ``KEY`` alone.
"""

import base64
import binascii
from collections.abc import Callable

CREDENTIAL_CHARACTERS = 1024

HeaderField = Callable[[str], str]
"""Returns the value of a header field (HTTP) or metadata key (gRPC), given in lower case; '' when it is absent."""


def credential_in(field: HeaderField) -> str:
    """Return the credential that a request shows, or ''. ``x-api-key`` wins: a proxy may use ``authorization`` for itself."""
    return field("x-api-key") or field("authorization")


def key_in(credential: str) -> str:
    """Return the text that has to be the key. What cannot be read is returned as it is: it is no key either."""
    if len(credential) > CREDENTIAL_CHARACTERS:
        return ""
    scheme, _, rest = credential.strip().partition(" ")
    rest = rest.strip()
    match scheme.lower():
        case "bearer":
            return rest
        case "basic" | "apikey":
            return _decoded(rest).rpartition(":")[2]
    return credential.strip()


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return text
