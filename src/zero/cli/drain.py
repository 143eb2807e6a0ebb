"""``zero drain``: one process that moves logs from the buffer into the store."""

from functools import partial

import click

from zero.cli import held_option, parent_option, settings_flags
from zero.settings import Settings


@click.command()
@click.option(
    "--shard",
    type=click.IntRange(0),
    help="The shard to drain, and every ZERO_SHARDS-th above it that the buffer has.  [default: all]",
)
@click.option("--owner", help="Whose leases these are; a restart under the same name need not wait.  [default: one of its own]")
@parent_option
@held_option
@settings_flags("buffer_url", "clickhouse_url", "store_url", "drain_http", "shards")
def drain(settings: Settings, shard: int | None, owner: str | None, parent: int | None, held: bool) -> None:
    """Move logs from the buffer into the store, exactly once.

    Each shard has one owner at a time; a further drain waits to take over.
    """
    from zero.bootstrap import run_drain
    from zero.cli.role import run_role

    run_role("drain", partial(run_drain, shard, owner), settings, (parent, held))
