"""The bounds and times of a drain."""

from dataclasses import dataclass, field

from zero.application.retry import BackoffOptions


@dataclass(frozen=True, slots=True)
class DrainOptions:
    """Bounds and times of one shard's drain.

    Memory of a shard is at most the frames of three blocks in flight, two halves of the funnel, four encoded blocks and the
    reply to one read: about 10 x ``block_bytes_max``.
    """

    block_rows_max: int = 100_000
    block_frames_max: int = 8_192  # bounds the ids in one presence query and in one settlement
    block_bytes_max: int = 48 * 1024 * 1024
    read_frames_max: int = 512
    flights_max: int = 3  # blocks inserted at once: some wait for the disk while another is sorted and compressed
    poison_rows_max: int = 256  # so many refused and none taken means that the table is wrong, not the rows
    linger_seconds: float = 0.5
    idle_seconds: float = 1.0
    contend_seconds: float = 0.3  # how often a shard is asked for that another has
    held_failures_max: int = 4  # so often the store may fail in a row before another process may try: it may reach it
    renew_seconds: float = 0.5  # well under the lease's time to live (2.5 s or more)
    sweep_seconds: float = 15.0
    retry: BackoffOptions = field(default_factory=BackoffOptions)

    def __post_init__(self) -> None:
        bounds = (self.block_rows_max, self.block_frames_max, self.block_bytes_max, self.read_frames_max, self.flights_max)
        if min(*bounds, self.poison_rows_max, self.held_failures_max) < 1:
            raise ValueError("every bound of a drain is at least 1")
        if self.block_rows_max > 100_000:
            raise ValueError("a block holds at most 100,000 rows: more are split by the store, no longer one insert")
