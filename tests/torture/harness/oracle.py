"""The oracle: what was sent, on disk before it is sent; and what became of it, by comparing with what the store holds.

The ledger is a file of JSON lines that is only appended to. A batch is written with the digest of each of its entries, and
synced, before its first byte leaves; its answer follows with the next sync. An entry is known by (batch, index), which its
message begins with, and judged by its digest.
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

DIGEST_BYTES = 8
EXAMPLES_MAX = 5


class Status(Enum):
    """What a sender knows of a batch."""

    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"  # every entry is stored once, or a dead letter
    REFUSED = "refused"  # no entry is stored
    UNKNOWN = "unknown"  # all are stored once, or none


@dataclass(slots=True)
class Batch:
    """One request: its number, how it travels, the digests of its entries one behind the other."""

    number: int
    door: str
    key: str | None
    digests: bytes
    status: Status = Status.SENT

    def __len__(self) -> int:
        return len(self.digests) // DIGEST_BYTES

    def digest(self, index: int) -> bytes:
        """Return the digest of an entry."""
        return self.digests[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES]


class Oracle:
    """The ledger of one run."""

    def __init__(self, path: Path) -> None:
        self.batches: dict[int, Batch] = {}
        self._file = path.open("ab")
        self._lines: list[str] = []
        self._synced: asyncio.Future[None] | None = None
        self._syncing: asyncio.Task[None] | None = None

    async def sent(self, batch: Batch) -> None:
        """Write the batch; returns when it is on disk. Only then it may be sent."""
        self.batches[batch.number] = batch
        digests = [batch.digest(index).hex() for index in range(len(batch))]
        self._lines.append(json.dumps({"batch": batch.number, "door": batch.door, "key": batch.key, "digests": digests}))
        if self._synced is None:
            self._synced = asyncio.get_running_loop().create_future()
        synced = self._synced
        if self._syncing is None:
            self._syncing = asyncio.create_task(self._sync())
        await synced

    def answered(self, batch: Batch, status: Status) -> None:
        """Note what the sender was told, or that it knows nothing."""
        batch.status = status
        self._lines.append(json.dumps({"batch": batch.number, "status": status.value}))

    async def _sync(self) -> None:
        """Write what has gathered, again and again while more comes: one sync serves many."""
        while self._synced is not None:
            lines, self._lines = self._lines, []
            synced, self._synced = self._synced, None
            await asyncio.to_thread(self._write, lines)
            synced.set_result(None)
        self._syncing = None

    def _write(self, lines: list[str]) -> None:
        self._file.write("".join(f"{line}\n" for line in lines).encode())
        self._file.flush()
        os.fdatasync(self._file.fileno())

    def close(self) -> None:
        """Write the last answers."""
        self._write(self._lines)
        self._file.close()


def read_ledger(path: Path) -> dict[int, Batch]:
    """Return the batches of a ledger on disk; a last line that was cut off is left out."""
    batches: dict[int, Batch] = {}
    for line in path.read_text().splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        said = json.loads(line)
        if "status" in said:
            batches[said["batch"]].status = Status(said["status"])
        else:
            digests = bytes.fromhex("".join(said["digests"]))
            batches[said["batch"]] = Batch(said["batch"], said["door"], said["key"], digests)
    return batches


@dataclass(slots=True)
class Verdict:
    """How many entries were sent, how many of them are stored, and how many are not as they must be."""

    sent: Counter[str] = field(default_factory=Counter)
    stored: int = 0
    dead_lettered: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def find(self, kind: str, where: str, entries: int = 1) -> None:
        """Note what is wrong."""
        self.wrong[kind] += entries
        examples = self.examples.setdefault(kind, [])
        if len(examples) < EXAMPLES_MAX:
            examples.append(where)

    def problems(self) -> list[str]:
        """Return a sentence for each kind of wrong."""
        return [f"{count} {kind}, such as {', '.join(self.examples[kind])}" for kind, count in sorted(self.wrong.items())]

    def counts(self) -> dict[str, int]:
        """Return the figures that add up over runs."""
        kinds = {kind: self.wrong[kind] for kind in ("lost", "double", "phantom", "corrupt")}
        return {**self.sent, "stored": self.stored, "dead_lettered": self.dead_lettered, **kinds}


StoredEntry = tuple[int, int, bytes]
"""Batch, index, digest; batch 0, which none has, for a row that names none."""


def judge(batches: Mapping[int, Batch], stored: Iterable[StoredEntry], dead: Iterable[tuple[int, int]] = ()) -> Verdict:
    """Compare what was sent with the rows of the store and the dead letters (batch, index)."""
    verdict = Verdict(Counter({f"sent_{status.value}": 0 for status in Status}))
    seen = {number: bytearray(len(batch)) for number, batch in batches.items()}
    for number, index, digest in stored:
        verdict.stored += 1
        batch = batches.get(number)
        if batch is None or index >= len(batch):
            verdict.find("phantom", f"{number}.{index}")
        elif batch.status is Status.REFUSED:
            verdict.find("phantom", f"{number}.{index} (refused)")
        elif digest != batch.digest(index):
            verdict.find("corrupt", f"{number}.{index}")
        elif seen[number][index]:
            verdict.find("double", f"{number}.{index} ({batch.door}, {batch.key or 'no key'}, {batch.status.value})")
        if batch is not None and index < len(batch):
            seen[number][index] = 1
    for number, index in dead:
        verdict.dead_lettered += 1
        if number not in seen or index >= len(seen[number]):
            verdict.find("phantom", f"dead letter {number}.{index}")
            continue
        if seen[number][index]:
            verdict.find("double", f"{number}.{index} (a dead letter too)")
        seen[number][index] = 1
    for number, batch in batches.items():
        _missing(verdict, number, batch, seen[number])
    return verdict


def _missing(verdict: Verdict, number: int, batch: Batch, seen: bytearray) -> None:
    """Find what should be there: an acknowledged batch, and the rest of one that is there in part."""
    verdict.sent[f"sent_{batch.status.value}"] += len(batch)
    there = sum(seen)
    torn = batch.status in (Status.UNKNOWN, Status.SENT) and there > 0
    if there < len(batch) and (batch.status is Status.ACKNOWLEDGED or torn):
        verdict.find("lost", f"{number} ({batch.door}, {there} of {len(batch)} stored)", len(batch) - there)
