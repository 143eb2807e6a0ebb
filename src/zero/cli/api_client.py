"""What the commands need of the api over HTTP, with the standard library."""

import http.client
import json
import ssl
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_BODY_BYTES_MAX = 512 * 1024 * 1024
_EVENT_BYTES_MAX = 16 * 1024 * 1024
_FAILURES = (OSError, http.client.HTTPException)


class Unreachable(Exception):
    """The api does not answer, or is not ready; carries the reason."""


class Refused(Exception):
    """The api refuses the request; ``position`` is the 0-based character of the query, ``code`` that of the error."""

    def __init__(self, message: str, position: int | None, code: str = "") -> None:
        super().__init__(message)
        self.position = position
        self.code = code


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event; ``name`` is empty for a sign of life."""

    name: str
    data: str
    id: str


class ApiClient:
    """Asks one api. Raises Unreachable and Refused, nothing else."""

    def __init__(self, url: str, key: str = "", tls: ssl.SSLContext | None = None, timeout_seconds: float = 60.0) -> None:
        parts, self._host, self._port = _split(url)
        self._secure, self._tls = parts.scheme == "https", tls
        self._prefix = parts.path.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._headers = {"X-API-Key": key} if key else {}

    def get(self, path: str, parameters: list[tuple[str, str]]) -> dict[str, Any]:
        """Return the JSON object at the path."""
        return self._answer("GET", path, parameters, {})

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the JSON object that answers the document."""
        return self._answer("POST", path, [], {"Content-Type": "application/json"}, json.dumps(body).encode())

    def delete(self, path: str) -> dict[str, Any]:
        """Delete what is at the path, and return the JSON object that says what it was."""
        return self._answer("DELETE", path, [], {})

    def events(self, path: str, parameters: list[tuple[str, str]], last_id: str) -> Iterator[Event]:
        """Yield events until the api ends the stream."""
        try:
            connection, response = self._request("GET", path, parameters, {"Last-Event-ID": last_id} if last_id else {})
            try:
                yield from _events(response)
            finally:
                connection.close()
        except _FAILURES as error:
            raise Unreachable(_reason(error)) from error

    def _answer(self, *request: Any) -> dict[str, Any]:
        try:
            connection, response = self._request(*request)
            try:
                answer: dict[str, Any] = json.loads(response.read(_BODY_BYTES_MAX))
                return answer
            finally:
                connection.close()
        except (*_FAILURES, ValueError) as error:
            raise Unreachable(_reason(error)) from error

    def _request(
        self, method: str, path: str, parameters: list[tuple[str, str]], headers: dict[str, str], body: bytes | None = None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        host, port, seconds = self._host, self._port, self._timeout_seconds
        connection = (
            http.client.HTTPSConnection(host, port, timeout=seconds, context=self._tls)
            if self._secure
            else http.client.HTTPConnection(host, port, timeout=seconds)
        )
        try:
            query = urllib.parse.urlencode(parameters, errors="replace")
            target = f"{self._prefix}{path}?{query}" if query else f"{self._prefix}{path}"
            connection.request(method, target, body, headers=self._headers | headers)
            response = connection.getresponse()
            if response.status != 200:
                raise _failure(response)
        except BaseException:
            connection.close()
            raise
        return connection, response


def _split(url: str) -> tuple[urllib.parse.SplitResult, str, int | None]:
    """Return the URL in its parts, its host and its port. Raises Refused."""
    try:
        parts = urllib.parse.urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme in ("http", "https") and parts.hostname and not any(char.isspace() for char in url):
            return parts, parts.hostname, parts.port
    except ValueError:  # a port or an address that cannot be
        pass
    raise Refused(f"{url!r} is not the URL of an api: write http://127.0.0.1:8080", None)


def _failure(response: http.client.HTTPResponse) -> Exception:
    try:
        error = json.loads(response.read(_EVENT_BYTES_MAX))["error"]
        message, position = str(error["message"]), error.get("position")
    except (ValueError, KeyError, TypeError, AttributeError):
        return Unreachable(f"it answers with status {response.status} and is perhaps no api of zero")
    if response.status >= 500 or response.status == 429:
        return Unreachable(message)
    return Refused(message, position if isinstance(position, int) else None, str(error.get("code", "")))


def _events(response: http.client.HTTPResponse) -> Iterator[Event]:
    fields: dict[str, str] = {}
    while line := response.readline(_EVENT_BYTES_MAX):
        text = line.decode(errors="replace").rstrip("\r\n")
        if text:
            name, _, value = text.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        yield Event(fields.get("event", ""), fields.get("data", ""), fields.get("id", ""))
        fields = {}


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
