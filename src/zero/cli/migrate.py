"""``zero migrate``: bring the store's tables up to date."""

import click

from zero.cli import parent_option, settings_flags
from zero.settings import Settings


@click.command()
@parent_option
@settings_flags("clickhouse_url", "retention_days")
def migrate(settings: Settings, parent: int | None) -> None:
    """Apply the numbered migrations that the store does not have yet."""
    from zero.bootstrap import run_migrations
    from zero.embedded.lifeline import die_with

    if parent is not None:
        die_with(parent)
    for name in run_migrations(settings):
        click.echo(f"applied {name}")
    click.echo("the store is up to date")
