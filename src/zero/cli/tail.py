"""``zero tail``: follow logs as they arrive."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import click

from zero.cli import settings_flags
from zero.cli.api_client import ApiClient, Event, Unreachable
from zero.cli.log_lines import printable, show
from zero.cli.query_options import api_url, asking, filters, query_options
from zero.cli.trust import TRUST_FLAGS
from zero.settings import Settings

_PAUSE_SECONDS_MAX = 10.0
_SILENCE_SECONDS_MAX = 45.0  # three heartbeats of the api


@click.command()
@query_options
@settings_flags("api", *TRUST_FLAGS)
def tail(settings: Settings, query: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Follow logs as they arrive, until Ctrl-C.

    QUERY is that of zero search; without one it follows all. A lost connection is taken up again.

    \b
    Exit code 0: ended with Ctrl-C. 2: the query or an option is wrong. 3: the api does not answer at the start.
    """
    text, url = " ".join(query), api_url(given["url"], settings)
    with suppress(KeyboardInterrupt), asking(settings, url, text, _SILENCE_SECONDS_MAX) as client:
        for event in _follow(client, filters(text, given["app_id"], given["levels"])):
            _show(event, as_json)


def _follow(client: ApiClient, parameters: list[tuple[str, str]]) -> Iterator[Event]:
    last_id, connected, pause_seconds = "", False, 1.0
    while True:
        try:
            for event in client.events("/api/logs/tail", parameters, last_id):
                last_id, connected, pause_seconds = event.id or last_id, True, 1.0
                yield event
        except Unreachable as error:
            if not connected:
                raise
            click.echo(f"lost the api ({printable(str(error))}); trying again", err=True)
        time.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * 2, _PAUSE_SECONDS_MAX)


def _show(event: Event, as_json: bool) -> None:
    if event.name == "log":
        show(json.loads(event.data), as_json)
    elif event.name in ("gap", "problem"):
        click.echo(printable(f"{event.name}: {json.loads(event.data)['message']}"), err=True)
