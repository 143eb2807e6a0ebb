"""The stages of the platform's history, which can still be run: what happens between a request and its answer.

Each changes one thing of the one before it. Only those with a buffer keep what the platform promises (docs/benchmarks.md).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One way from the request to the store.

    ``waits``: the answer comes after the insert, or after the append to the buffer. ``coalesces``: requests that arrive
    together travel together. ``buffered``: through the durable buffer and a drain. ``all_cores``: an ingest process for each
    core, and large bodies decoded in threads. ``native``: decoded and encoded in C++.
    """

    waits: bool
    coalesces: bool
    buffered: bool
    all_cores: bool
    native: bool

    @property
    def drain_block_rows_max(self) -> int:
        """Rows of one insert of the drain: what it can encode well within its lease."""
        return 100_000 if self.native else 5_000


PIPELINES = {
    "direct": Pipeline(waits=True, coalesces=False, buffered=False, all_cores=False, native=False),
    "fire-and-forget": Pipeline(waits=False, coalesces=False, buffered=False, all_cores=False, native=False),
    "coalesced": Pipeline(waits=True, coalesces=True, buffered=False, all_cores=False, native=False),
    "stream": Pipeline(waits=True, coalesces=True, buffered=True, all_cores=False, native=False),
    "cores": Pipeline(waits=True, coalesces=True, buffered=True, all_cores=True, native=False),
    "native": Pipeline(waits=True, coalesces=True, buffered=True, all_cores=True, native=True),
}
PLATFORM = "native"
"""What the platform is; the others are for comparing."""
