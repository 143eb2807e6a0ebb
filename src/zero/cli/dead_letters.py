"""``zero dead-letters``: what could not be stored, and why."""

from collections.abc import Iterator
from typing import Any

import click

from zero.cli import settings_flags
from zero.cli.api_client import ApiClient, Refused, Unreachable
from zero.cli.log_lines import json_line, printable
from zero.cli.query_options import api_url, fail
from zero.cli.trust import TRUST_FLAGS, trust
from zero.settings import Settings

_PAGE_LETTERS_MAX = 1000


@click.group()
def dead_letters() -> None:
    """Show entries that were accepted and cannot be stored; each is kept with its reason."""


@dead_letters.command(name="list")
@click.option("--url", help="The api.  [default: http://ZERO_API]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="Most dead letters to show.")
@settings_flags("api", *TRUST_FLAGS)
def list_letters(settings: Settings, url: str | None, as_json: bool, limit: int) -> None:
    """List dead letters, oldest first.

    \b
    Exit code 0: all is told, perhaps that there are none. 2: an option is wrong. 3: the api does not answer.
    """
    url, shown = api_url(url, settings), 0
    try:
        for letter in _letters(ApiClient(url, settings.api_key, trust(settings)), limit):
            click.echo(json_line(letter) if as_json else _line(letter))
            shown += 1
    except (Refused, Unreachable) as error:
        fail(error, "", url)
    if not shown and not as_json:
        click.echo("no dead letters", err=True)


def _letters(client: ApiClient, limit: int) -> Iterator[dict[str, Any]]:
    after: str | None = ""
    while limit > 0 and after is not None:
        page = [("limit", str(min(limit, _PAGE_LETTERS_MAX))), ("after", after)]
        answer = client.get("/api/dead-letters", page)
        yield from answer["dead_letters"]
        limit -= len(answer["dead_letters"])
        after = answer["next_cursor"]


def _line(letter: dict[str, Any]) -> str:
    """Return cursor, tenant, how much it is, and the reason."""
    what = f"{letter['entries']} entries" if letter["index"] is None else f"entry {letter['index']} of its frame"
    return printable(f"{letter['id']}  {letter['tenant'] or '-'}  {what}, {letter['frame_bytes']} bytes  {letter['reason']}")
