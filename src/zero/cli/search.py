"""``zero search``: find logs."""

from collections.abc import Iterator
from typing import Any

import click

from zero.cli import settings_flags
from zero.cli.api_client import ApiClient
from zero.cli.log_lines import show
from zero.cli.query_options import api_url, asking, filters, nothing, query_options
from zero.cli.trust import TRUST_FLAGS
from zero.settings import Settings

_PAGE_ENTRIES_MAX = 1000


@click.command()
@query_options
@click.option("--from", "start", help="First moment: 2026-11-22T10:00:00Z, -15m, now, or seconds since 1970.")
@click.option("--to", "end", help="Moment after the last.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="Most logs to show.")
@settings_flags("api", *TRUST_FLAGS)
def search(settings: Settings, query: tuple[str, ...], limit: int, as_json: bool, **given: Any) -> None:
    """Find logs, newest first. QUERY is like: level:error app_id:hadoop "No Route to Host"

    \b
    Exit code 0: found. 1: nothing found. 2: the query or an option is wrong. 3: the api does not answer.
    """
    text, url = " ".join(query), api_url(given["url"], settings)
    times = [(name, given[key]) for name, key in (("from", "start"), ("to", "end")) if given[key]]
    found = 0
    with asking(settings, url, text) as client:
        for log in _logs(client, filters(text, given["app_id"], given["levels"]) + times, limit):
            show(log, as_json)
            found += 1
    if not found:
        nothing("nothing found: try fewer words or filters; `zero search` alone shows the newest logs there are", as_json)


def _logs(client: ApiClient, parameters: list[tuple[str, str]], limit: int) -> Iterator[dict[str, Any]]:
    cursor: str | None = ""
    while limit > 0 and cursor is not None:
        page = [("limit", str(min(limit, _PAGE_ENTRIES_MAX)))] + ([("cursor", cursor)] if cursor else [])
        answer = client.get("/api/logs", parameters + page)
        yield from answer["logs"]
        limit -= len(answer["logs"])
        cursor = answer["next_cursor"]
    if cursor:
        click.echo("there are more: raise --limit, or narrow the time with --from and --to", err=True)
