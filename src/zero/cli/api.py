"""``zero api``: one process that answers queries."""

import click

from zero.cli import held_option, parent_option, settings_flags
from zero.settings import Settings


@click.command()
@parent_option
@held_option
@settings_flags("buffer_url", "clickhouse_url", "store_url", "api", "shards")
def api(settings: Settings, parent: int | None, held: bool) -> None:
    """Answer searches, live tails and statistics over HTTP."""
    from zero.bootstrap import run_api
    from zero.cli.role import run_role

    run_role("api", run_api, settings, (parent, held))
