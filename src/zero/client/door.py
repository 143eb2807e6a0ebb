"""One kept-alive connection to the ingest door, directly or through the proxy that the environment names."""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import unquote, urlsplit

from zero.client.receipt import reason_of

RETRIED = frozenset((0, 408, 425, 429, 500, 502, 503, 504))
"""Statuses after which the same request may succeed; 0 is no answer at all."""
RETRY_AFTER_SECONDS_MAX = 300.0
_ANSWER_BYTES_MAX = 1 << 20


@dataclass(frozen=True)
class DoorOptions:
    """Where the door is. ``tls`` says whom an https URL may be; None trusts the CAs of the system."""

    url: str = "http://127.0.0.1:4318"
    timeout_seconds: float = 15.0
    api_key: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what is no address; the message never shows what may be a password."""
        parts = urlsplit(self.url)
        if parts.username or parts.password:
            raise ValueError("the URL of the ingest door holds a user or a password: give the key as api_key instead")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"expected a URL such as http://127.0.0.1:4318, not {self.url!r}")
        try:
            _ = parts.port
        except ValueError:
            raise ValueError(f"expected a port of 0 to 65535 in {self.url!r}") from None


@dataclass(frozen=True)
class Answer:
    """What came back: ``status`` 0 is no answer. ``untrusted``: the certificate was refused, so nothing was sent."""

    status: int
    body: bytes = b""
    retry_after_seconds: float = 0.0
    problem: str = ""
    untrusted: bool = False


class Door:
    """Posts bodies to ``/api/logs``, one at a time."""

    def __init__(self, options: DoorOptions) -> None:
        self._options = options
        parts = urlsplit(options.url)
        self._path = parts.path.rstrip("/") + "/api/logs"
        self._connection: HTTPConnection | None = None

    def post(self, body: bytes, headers: Mapping[str, str], timeout_seconds: float = 0.0) -> Answer:
        """Post one body; never raises for what the network does.

        A connection that was idle may have been closed by the other side: then the request goes out once more at once. That
        is safe, since a body that must not be doubled has an Idempotency-Key.
        """
        for fresh in (False, True):
            reused = self._connection is not None and self._connection.sock is not None
            try:
                return self._exchange(body, headers, timeout_seconds or self._options.timeout_seconds)
            except ssl.SSLCertVerificationError as error:
                self.close()
                return Answer(0, problem=f"{self._options.url} cannot be trusted: {error.verify_message}", untrusted=True)
            except ValueError as error:  # its text may quote a header, and so the key
                self.close()
                return Answer(0, problem=f"{type(error).__name__}: the request cannot be written")
            except (OSError, HTTPException) as error:
                self.close()
                if fresh or not reused or isinstance(error, TimeoutError):
                    return Answer(0, problem=f"{type(error).__name__}: {error}")
        raise AssertionError("the second try has answered")

    def close(self) -> None:
        """Close the connection; the next post opens another."""
        if self._connection is not None:
            self._connection.close()

    def forget(self) -> None:
        """Let go of a connection that another process uses too."""
        self._connection = None

    def _exchange(self, body: bytes, headers: Mapping[str, str], timeout_seconds: float) -> Answer:
        if self._connection is None:
            self._connection, self._target, self._more = _connection(self._options, self._path)
        connection = self._connection
        connection.timeout = timeout_seconds
        if connection.sock is not None:
            connection.sock.settimeout(timeout_seconds)
        key = {"X-API-Key": self._options.api_key} if self._options.api_key else {}
        connection.request("POST", self._target, body, {**headers, **key, **self._more})
        response = connection.getresponse()
        answer = response.read(_ANSWER_BYTES_MAX)
        if not response.isclosed():
            connection.close()
        problem = f"HTTP {response.status}: {reason_of(answer)}"
        return Answer(response.status, answer, _retry_after(response), problem)


def _connection(options: DoorOptions, path: str) -> tuple[HTTPConnection, str, dict[str, str]]:
    """Return a connection, the target to ask for, and the header fields that a proxy wants."""
    parts, seconds = urlsplit(options.url), options.timeout_seconds
    host, port, encrypted = parts.hostname or "", parts.port, parts.scheme == "https"
    proxy = _proxy(parts.scheme, host, port)
    if not proxy:
        if encrypted:
            return HTTPSConnection(host, port, timeout=seconds, context=options.tls), path, {}
        return HTTPConnection(host, port, timeout=seconds), path, {}
    via = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    given = f"{unquote(via.username)}:{unquote(via.password or '')}" if via.username else ""
    known = {"Proxy-Authorization": f"Basic {base64.b64encode(given.encode()).decode()}"} if given else {}
    if encrypted:
        tunnel = HTTPSConnection(via.hostname or "", via.port or 3128, timeout=seconds, context=options.tls)
        tunnel.set_tunnel(host, port or 443, known)
        return tunnel, path, {}
    return HTTPConnection(via.hostname or "", via.port or 3128, timeout=seconds), f"http://{parts.netloc}{path}", known


def _proxy(scheme: str, host: str, port: int | None) -> str:
    """Return the proxy that http_proxy, https_proxy or all_proxy names, unless no_proxy excepts the host."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return ""
    from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

    if proxy_bypass_environment(f"{host}:{port}" if port else host):
        return ""
    proxies = getproxies_environment()
    return proxies.get(scheme) or proxies.get("all") or ""


def _retry_after(response: HTTPResponse) -> float:
    """Return the seconds of Retry-After, which may also be a date."""
    text = response.headers.get("Retry-After", "")
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text)
    return min(max(seconds, 0.0), RETRY_AFTER_SECONDS_MAX) if seconds == seconds else 0.0


def _seconds_until(date: str) -> float:
    import time
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0
