"""``zero ingest``: one process that takes logs in."""

import click

from zero.cli import held_option, parent_option, settings_flags
from zero.settings import Settings


@click.command()
@parent_option
@held_option
@settings_flags("buffer_url", "ingest_http", "ingest_grpc", "syslog_tcp", "syslog_tls", "syslog_udp", "shards", "durability")
def ingest(settings: Settings, parent: int | None, held: bool) -> None:
    """Take logs in, and put them on disk in the buffer.

    HTTP, gRPC and syslog; several processes share the ports.
    """
    from zero.bootstrap import run_ingest
    from zero.cli.role import run_role

    run_role("ingest", run_ingest, settings, (parent, held))
