"""``zero drain`` with small blocks, to measure rates over seconds: ``python -m tests.torture.harness.small_blocks drain``."""

from zero.application.pipeline import Pipeline
from zero.cli import main

ROWS_MAX = 2_000

if __name__ == "__main__":
    Pipeline.drain_block_rows_max = property(lambda self: ROWS_MAX)  # type: ignore[assignment, method-assign]
    main()
