"""Sends batches of records to the ingest door and waits for each, again if need be, without ever doubling one."""

from __future__ import annotations

import gzip
import random
import ssl
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from zero.client.door import RETRIED, Answer, Door, DoorOptions
from zero.client.receipt import Receipt, reason_of, receipt_of


class Unreachable(Exception):
    """No answer came for as long as the options allow; what was not acknowledged may be sent again under the same key."""


class Refused(Exception):
    """The server will not take what we send, whatever the entries are (keys, media type)."""


_RETRIED = RETRIED - {500}  # an answer that says nothing of later: whoever waits here is told at once
Encode = Callable[[Sequence[bytes]], tuple[bytes, Receipt]]
"""JSON objects to the ``zero.v1.LogBatch`` of those that are good, and what would become of them all."""


@dataclass(frozen=True)
class UploaderOptions:
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


class Uploader:
    """One connection to the ingest door; each batch has an Idempotency-Key of its own, so a retry is never stored twice."""

    def __init__(self, options: UploaderOptions, sleep: Callable[[float], None] = time.sleep) -> None:
        self._door = Door(DoorOptions(options.url, options.timeout_seconds, options.api_key, options.tls))
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
        if self._options.compress:
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        deadline = time.monotonic() + self._options.retry_seconds_max
        for attempt in range(1_000_000):
            answer = self._door.post(body, headers)
            if answer.untrusted:  # trying again cannot help
                raise Unreachable(answer.problem)
            if answer.status not in _RETRIED:
                return _receipt(answer, count)
            pause = max(answer.retry_after_seconds, self._pause(attempt))
            if time.monotonic() + pause > deadline:
                break
            self.retries += 1
            self._sleep(pause)
        raise Unreachable(f"no receipt from {self._options.url} within {self._options.retry_seconds_max:g} s: {answer.problem}")

    def close(self) -> None:
        """Close the connection."""
        self._door.close()

    def _pause(self, attempt: int) -> float:
        longest = min(self._options.pause_seconds * 2.0 ** min(attempt, 16), self._options.pause_seconds_max)
        return longest * (0.5 + random.random() / 2)  # noqa: S311 - jitter, not a secret


def _joined(foreseen: Receipt, found: Receipt) -> Receipt:
    """Return what became of all records, of those that went out and those that did not."""
    errors = list(foreseen.errors)
    if len(errors) == foreseen.rejected:  # else it is not known which ones went out
        bad = {index for index, _ in errors}
        out = [index for index in range(foreseen.accepted + foreseen.rejected) if index not in bad]
        errors += [(out[index], reason) for index, reason in found.errors]
    return Receipt(found.accepted, found.rejected + foreseen.rejected, sorted(errors))


def _receipt(answer: Answer, count: int) -> Receipt:
    found = receipt_of(answer.body)
    if found is not None:
        return found
    if answer.status == 400:
        return Receipt(0, count, [(0, reason_of(answer.body))])
    raise Refused(answer.problem)
