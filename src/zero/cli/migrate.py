"""``zero migrate``: bring the store's tables up to date."""

from dataclasses import replace

import click

from zero.cli import held_option, parent_option, settings_flags
from zero.domain.errors import ConfigurationError
from zero.settings import Settings


@click.command()
@parent_option
@held_option
@settings_flags("clickhouse_url", "store_url", "retention_days")
def migrate(settings: Settings, parent: int | None, held: bool) -> None:
    """Bring the store's tables up to date.

    The store is the one that the settings name, else that of the running `zero up`; what it has already is left alone.
    """
    from zero.bootstrap import store_kind
    from zero.cli.role import until_released
    from zero.embedded.lifeline import die_with

    if parent is not None:
        die_with(parent)
    if held:
        until_released("migrate", settings)
    for name in store_kind(_reached(settings)).migrate():
        click.echo(f"applied {name}")
    click.echo("the store is up to date")


def _reached(settings: Settings) -> Settings:
    """Return settings whose store answers."""
    from zero.embedded.clickhouse.options import running_url

    if settings.store:
        return settings
    url = running_url(settings.data_dir, str(settings.embedded_clickhouse))
    if url is None:
        raise ConfigurationError(
            f"no store to migrate: no `zero up` runs on {settings.data_dir} with its store at {settings.embedded_clickhouse} "
            "(it migrates that by itself when it starts); for another store set ZERO_CLICKHOUSE_URL"
        )
    return replace(settings, clickhouse_url=url)
