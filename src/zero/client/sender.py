"""Sends batches of records to the ingest door, again if need be, without ever doubling one. Standard library only."""

import gzip
import json
import random
import ssl
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

_RETRYABLE = frozenset((429, 502, 503, 504))
_ANSWER_BYTES_MAX = 1 << 20


class Unreachable(Exception):
    """No answer came for as long as the options allow; what was not acknowledged may be sent again under the same key."""


class Refused(Exception):
    """The server will not take what we send, whatever the entries are (keys, media type)."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one batch; ``errors`` holds (index in the batch, reason), the first 100."""

    accepted: int
    rejected: int
    errors: Sequence[tuple[int, str]] = ()


Encode = Callable[[Sequence[bytes]], tuple[bytes, Receipt]]
"""JSON objects to the ``zero.v1.LogBatch`` of those that are good, and what would become of them all."""


@dataclass(frozen=True, slots=True)
class SenderOptions:
    """``retry_seconds_max`` bounds the time one batch is tried; between tries lies Retry-After or a growing, jittered pause.

    ``tls`` says whom an https URL may be; None trusts the CAs of the system. With ``encode`` batches go out as protobuf.
    """

    url: str = "http://127.0.0.1:4318"
    timeout_seconds: float = 15.0
    retry_seconds_max: float = 30.0
    pause_seconds: float = 0.1
    pause_seconds_max: float = 5.0
    compress: bool = False
    encode: Encode | None = None
    api_key: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)


class Sender:
    """One connection to the ingest door; each batch has an Idempotency-Key of its own, so a retry is never stored twice."""

    def __init__(self, options: SenderOptions, sleep: Callable[[float], None] = time.sleep) -> None:
        parts = urlsplit(options.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"expected a URL such as http://127.0.0.1:4318, not {options.url!r}")
        host, port, seconds = parts.hostname, parts.port, options.timeout_seconds
        self._connection = (
            HTTPSConnection(host, port, timeout=seconds, context=options.tls)
            if parts.scheme == "https"
            else HTTPConnection(host, port, timeout=seconds)
        )
        self._path = parts.path.rstrip("/") + "/api/logs"
        self._options = options
        self._sleep = sleep
        self._run = uuid.uuid4().hex
        self._batches = 0
        self.retries = 0

    def send(self, records: Sequence[bytes]) -> Receipt:
        """Send one batch of JSON objects and return its receipt. Raises Unreachable or Refused."""
        if self._options.encode is None:
            return self._deliver(b"\n".join(records), "application/x-ndjson", len(records))
        batch, foreseen = self._options.encode(records)
        if not foreseen.accepted:
            return foreseen
        return _joined(foreseen, self._deliver(batch, "application/x-protobuf", foreseen.accepted))

    def _deliver(self, body: bytes, media_type: str, count: int) -> Receipt:
        headers = {"Content-Type": media_type, "Idempotency-Key": f"{self._run}-{self._batches}"}
        self._batches += 1
        if self._options.api_key:
            headers["X-API-Key"] = self._options.api_key
        if self._options.compress:
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        deadline = time.monotonic() + self._options.retry_seconds_max
        for attempt in range(1_000_000):
            status, answer, wait, problem = self._try_once(body, headers)
            if status and status not in _RETRYABLE:
                return _receipt(status, answer, count)
            pause = max(wait, self._pause(attempt))
            if time.monotonic() + pause > deadline:
                break
            self.retries += 1
            self._sleep(pause)
        raise Unreachable(f"no receipt from {self._options.url} within {self._options.retry_seconds_max:g} s: {problem}")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _pause(self, attempt: int) -> float:
        longest = min(self._options.pause_seconds * 2.0 ** min(attempt, 16), self._options.pause_seconds_max)
        return longest * (0.5 + random.random() / 2)  # noqa: S311 - jitter, not a secret

    def _try_once(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, float, str]:
        """Return (status or 0, answer, seconds to wait, what went wrong)."""
        try:
            self._connection.request("POST", self._path, body, headers)
            response = self._connection.getresponse()
            answer = response.read(_ANSWER_BYTES_MAX)
            if not response.isclosed():
                self._connection.close()
            return response.status, answer, _retry_after(response), f"HTTP {response.status} {_reason(answer)}"
        except ssl.SSLCertVerificationError as error:  # trying again cannot help
            raise Unreachable(f"{self._options.url} cannot be trusted: {error.verify_message}") from error
        except (OSError, HTTPException) as error:
            self._connection.close()
            return 0, b"", 0.0, f"{type(error).__name__}: {error}"


def _joined(foreseen: Receipt, found: Receipt) -> Receipt:
    """Return what became of all records, of those that went out and those that did not."""
    errors = list(foreseen.errors)
    if len(errors) == foreseen.rejected:  # else it is not known which ones went out
        bad = {index for index, _ in errors}
        out = [index for index in range(foreseen.accepted + foreseen.rejected) if index not in bad]
        errors += [(out[index], reason) for index, reason in found.errors]
    return Receipt(found.accepted, found.rejected + foreseen.rejected, sorted(errors))


def _retry_after(response: HTTPResponse) -> float:
    try:
        return min(float(response.headers.get("Retry-After", "0")), 60.0)
    except ValueError:
        return 0.0


def _parsed(answer: bytes) -> dict[str, Any]:
    try:
        found = json.loads(answer)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _reason(answer: bytes) -> str:
    error = _parsed(answer).get("error")
    return str(error.get("message", error)) if isinstance(error, dict) else str(error or answer[:200].decode(errors="replace"))


def _receipt(status: int, answer: bytes, count: int) -> Receipt:
    found = _parsed(answer)
    if "accepted" in found:
        errors = [(int(item["index"]), str(item["error"])) for item in found.get("errors", ())]
        return Receipt(int(found["accepted"]), int(found["rejected"]), errors)
    if status == 400:
        return Receipt(0, count, [(0, _reason(answer))])
    raise Refused(f"HTTP {status}: {_reason(answer)}")
