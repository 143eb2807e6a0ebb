"""The receipt: what a sender gets back for one request."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from zero.domain.errors import KeyReused


class Receipt(NamedTuple):
    """What became of the entries of one request.

    The accepted entries are numbered from ``first_index`` in the frame ``batch_id``; an entry's id is 16 hex digits of the
    batch and 8 of that number. ``batch_id`` is 0 when nothing was accepted. ``errors`` holds (index in the body, reason), the
    first 100. ``ack`` says how safe the entries are (``durable`` or ``stored``) when the sender asked for it, or
    ``dead-lettered`` when ``dead_lettered`` of them were refused by the store and put aside.
    """

    accepted: int
    rejected: int
    batch_id: int
    first_index: int
    errors: Sequence[tuple[int, str]] = ()
    ack: str = ""
    dead_lettered: int = 0

    def to_json(self) -> bytes:
        """Return the receipt as the JSON object that goes over the wire."""
        if self.errors or self.ack or not self.batch_id:
            return self._full_json()
        return b'{"accepted":%d,"rejected":%d,"batch_id":"%016x","first_index":%d,"errors":[]}' % self[:4]

    def remembered(self, digest: bytes) -> bytes:
        """Return what is kept under an idempotency key: the receipt, and the digest of the body that it was given for."""
        return self.to_json()[:-1] + b',"body":"%b"}' % digest.hex().encode()

    def _full_json(self) -> bytes:
        fields: dict[str, object] = {
            "accepted": self.accepted,
            "rejected": self.rejected,
            "batch_id": f"{self.batch_id:016x}" if self.batch_id else "",
            "first_index": self.first_index,
            "errors": [{"index": index, "error": reason} for index, reason in self.errors],
        }
        if self.ack:
            fields["ack"] = self.ack
        if self.dead_lettered:
            fields["dead_lettered"] = self.dead_lettered
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def recall(data: bytes, digest: bytes) -> Receipt:
    """Return the receipt that ``remembered`` wrote. Raises KeyReused when it was given for another body."""
    fields = json.loads(data)
    if fields.get("body", digest.hex()) != digest.hex():
        raise KeyReused(
            "Idempotency-Key was used before, for another body, which was accepted; give every new body a new key",
            field="Idempotency-Key",
        )
    errors = [(error["index"], error["error"]) for error in fields["errors"]]
    identity = int(fields["batch_id"] or "0", 16)
    return Receipt(fields["accepted"], fields["rejected"], identity, fields["first_index"], errors, fields.get("ack", ""))
