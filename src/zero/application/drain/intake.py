"""The intake: turns deliveries of any size into batches that fit one block."""

from collections.abc import Sequence
from dataclasses import dataclass

from zero.application.drain.options import DrainOptions
from zero.application.funnel import Funnel, FunnelOptions
from zero.application.ports import DeadLetter, Delivery, Position
from zero.domain.errors import CorruptFrame, Overloaded
from zero.domain.frame import Crc32c, Frame, unpack_frame

FIRST_LIMIT = 2  # frames of the first read: what lies in the buffer is unknown, and a frame may have 16 MiB


@dataclass(frozen=True, slots=True)
class Held:
    """A readable frame and where it lies. ``count`` is how many of its entries the ledger has in the buffer."""

    position: Position
    frame: Frame
    count: int
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """What is stored and settled together: frames, deliveries without data, and frames that cannot be read."""

    held: Sequence[Held]
    gone: Sequence[Position]
    corrupt: Sequence[DeadLetter]

    @property
    def positions(self) -> list[Position]:
        """Everything to acknowledge."""
        return [one.position for one in self.held] + list(self.gone) + [letter.position for letter in self.corrupt]


class Intake:
    """Frames on their way into blocks, bounded by the two halves of a funnel."""

    def __init__(self, crc32c: Crc32c, options: DrainOptions) -> None:
        self._crc32c = crc32c
        self._options = options
        self._funnel = Funnel[Held](FunnelOptions(options.block_rows_max, options.block_bytes_max))
        self._gone: list[Position] = []
        self._corrupt: list[DeadLetter] = []
        self._corrupt_bytes = 0
        self._frame_bytes = 1
        self._frame_rows = 1
        self._trusted = FIRST_LIMIT
        self.cursor = "0"
        self.spilled = False

    def admit(self, deliveries: Sequence[Delivery]) -> None:
        """Take deliveries in up to ``cursor``. What does not fit stays in the pending list, and ``spilled`` says so."""
        some = [(len(delivery.data), delivery.count) for delivery in deliveries if delivery.data is not None]
        self._learn([size for size, _ in some], [count for _, count in some])
        for delivery in deliveries:
            try:
                self._admit(delivery)
            except Overloaded:
                self.spilled = True
                return
            self.cursor = delivery.position.entry

    def take(self) -> Batch:
        """Return what fits one block, oldest first."""
        batch = Batch(self._funnel.take(), self._gone, self._corrupt)
        self._funnel.done()
        self._gone, self._corrupt, self._corrupt_bytes = [], [], 0
        return batch

    def clear(self) -> None:
        """Forget everything in hand: it is read again from the pending list."""
        self._funnel.clear()
        self._gone, self._corrupt, self._corrupt_bytes = [], [], 0
        self.cursor, self.spilled = "0", False

    @property
    def waiting(self) -> bool:
        """Whether there is something to take."""
        return bool(len(self._funnel) or self._gone or self._corrupt)

    @property
    def ready(self) -> bool:
        """Whether a full block waits."""
        frames = len(self._funnel) + len(self._gone) + len(self._corrupt)
        full = frames >= self._options.block_frames_max or self._corrupt_bytes >= self._options.block_bytes_max
        return full or self._funnel.ready

    def limit(self) -> int:
        """Return how many frames to ask for next: what a block still holds if they are like the largest of the last ones."""
        bytes_left = max(self._options.block_bytes_max - self._funnel.weight, 0)
        rows_left = max(self._options.block_rows_max - self._funnel.count, 0)
        return max(1, min(self._trusted, bytes_left // self._frame_bytes, rows_left // self._frame_rows))

    def _learn(self, sizes: Sequence[int], counts: Sequence[int]) -> None:
        """Read twice as much the next time after a read that fitted a block; begin small again after one that did not."""
        if sizes:
            self._frame_bytes, self._frame_rows = max(sizes) or 1, max(counts) or 1
            within = sum(sizes) <= self._options.block_bytes_max and sum(counts) <= self._options.block_rows_max
            self._trusted = min(self._trusted * 2, self._options.read_frames_max) if within else FIRST_LIMIT

    def _admit(self, delivery: Delivery) -> None:
        data = delivery.data
        if data is None:
            self._gone.append(delivery.position)
            return
        try:
            frame = unpack_frame(data, self._crc32c)
        except CorruptFrame as error:
            self._corrupt.append(DeadLetter(delivery.position, error.message, delivery.tenant, delivery.count, data))
            self._corrupt_bytes += len(data)
            return
        count = delivery.count if delivery.replayed else frame.count
        self._funnel.add(Held(delivery.position, frame, count, delivery.replayed), len(data), frame.count)
