"""What became of a batch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Receipt:
    """What became of one batch; ``errors`` holds (index in the batch, reason), the first 100.

    ``ack`` says how safe the accepted entries are (``durable`` or ``stored``). ``pending`` entries have no answer yet: they are
    still tried, or lie in the spool when ``ack`` is ``spooled``.
    """

    accepted: int
    rejected: int
    errors: Sequence[tuple[int, str]] = ()
    batch_id: str = ""
    ack: str = ""
    pending: int = 0


def parsed(answer: bytes) -> dict[str, Any]:
    """Return the JSON object of an answer, or an empty one."""
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def reason_of(answer: bytes) -> str:
    """Return what an answer says of an error."""
    error = parsed(answer).get("error")
    return str(error.get("message", error)) if isinstance(error, dict) else str(error or answer[:200].decode(errors="replace"))


def receipt_of(answer: bytes, ack: str = "") -> Receipt | None:
    """Return the receipt in an answer; None when there is none."""
    found = parsed(answer)
    try:
        errors = [(int(item["index"]), str(item["error"])) for item in found.get("errors") or ()]
        accepted, rejected = int(found["accepted"]), int(found["rejected"])
    except (KeyError, TypeError, ValueError):
        return None
    return Receipt(accepted, rejected, errors, str(found.get("batch_id", "")), str(found.get("ack", ack)))
