"""Packing gathered submissions into frames."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from zero.application.ports import Append, Appended, Decoded, IdempotencyKey
from zero.application.receipt import Receipt, recall
from zero.application.submission import Submission
from zero.domain.frame import Crc32c, pack_frame

Gathered = tuple[Submission, Decoded]


@dataclass(frozen=True, slots=True)
class FrameBounds:
    """How much one frame may gather. One request larger than this travels in a frame of its own."""

    entries_max: int = 20_000
    bytes_max: int = 1024 * 1024


@dataclass(slots=True)
class Parcel:
    """Submissions of one tenant that share a frame."""

    tenant: str
    key: str | None
    members: list[Gathered] = field(default_factory=list)
    count: int = 0
    size: int = 0
    batch_id: int = 0

    def put(self, gathered: Gathered) -> None:
        """Add one submission."""
        self.members.append(gathered)
        self.count += gathered[1].accepted
        self.size += len(gathered[1].payload)

    def append(self, shard: int, received_ms: int, crc32c: Crc32c) -> Append:
        """Return the frame as the buffer takes it."""
        payloads = [decoded.payload for _, decoded in self.members]
        frame = pack_frame(self.batch_id, received_ms, self.count, self.tenant, payloads, crc32c)
        known = None
        if self.key is not None:
            known = IdempotencyKey(self.tenant, self.key, self.receipts()[0].remembered(self._digest))
        return Append(shard, frame, self.tenant, self.count, known)

    def receipts(self, appended: Appended | None = None) -> list[Receipt]:
        """Return the members' receipts, in order; the earlier one when the buffer knew the key.

        Raises KeyReused when the key belongs to another body.
        """
        if appended and appended.earlier_receipt is not None:
            return [recall(appended.earlier_receipt, self._digest)]
        receipts, first, identity = [], 0, self.batch_id
        for _, decoded in self.members:
            receipts.append(Receipt(decoded.accepted, decoded.rejected, identity, first, decoded.errors))
            first += decoded.accepted
        return receipts

    @property
    def _digest(self) -> bytes:
        return self.members[0][0].digest


def parcels(gathered: Sequence[Gathered], bounds: FrameBounds) -> list[Parcel]:
    """Share the submissions out over as few frames as tenants, keys and bounds allow."""
    packed: list[Parcel] = []
    filling: dict[str, Parcel] = {}
    for each in gathered:
        submission, decoded = each
        parcel = filling.get(submission.tenant)
        if submission.key is not None or parcel is None or not _fits(parcel, decoded, bounds):
            parcel = Parcel(submission.tenant, submission.key)
            packed.append(parcel)
            if submission.key is None:
                filling[submission.tenant] = parcel
        parcel.put(each)
    return packed


def _fits(parcel: Parcel, decoded: Decoded, bounds: FrameBounds) -> bool:
    return parcel.count + decoded.accepted <= bounds.entries_max and parcel.size + len(decoded.payload) <= bounds.bytes_max
