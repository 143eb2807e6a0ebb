"""``zero dead-letters``: what could not be stored, and why; storing it again, or giving it up."""

import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import click

from zero.cli import settings_flags
from zero.cli.api_client import ApiClient, Refused
from zero.cli.log_lines import json_line, printable
from zero.cli.query_options import EXIT_NOTHING, api_url, asking
from zero.cli.trust import TRUST_FLAGS
from zero.settings import Settings

_PAGE_LETTERS_MAX = 1000
_PATH = "/api/dead-letters"


@click.group()
def dead_letters() -> None:
    """Show, replay or drop entries that could not be stored.

    They were accepted, and are kept with the reason.

    \b
    Exit code 0: done. 1: some of the letters are not there. 2: an option is wrong. 3: the api does not answer.
    """


def reached(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command where to ask and how to print."""
    command = settings_flags("api", *TRUST_FLAGS)(command)
    command = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")(command)
    return click.option("--url", help="The api.  [default: http://ZERO_API]")(command)


def chosen(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the letters that it is about."""
    command = click.option("--all", "everything", is_flag=True, help="Every letter that is there now.")(command)
    return click.argument("ids", nargs=-1)(command)


@dead_letters.command(name="list")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="Most dead letters to show.")
@reached
def list_letters(settings: Settings, url: str | None, as_json: bool, limit: int) -> None:
    """List dead letters, oldest first."""
    shown = 0
    with asking(settings, api_url(url, settings)) as client:
        for letter in _letters(client, limit):
            click.echo(json_line(letter) if as_json else _line(letter))
            shown += 1
    if not shown and not as_json:
        click.echo("no dead letters", err=True)


@dead_letters.command()
@click.argument("id")
@reached
def show(settings: Settings, url: str | None, as_json: bool, id: str) -> None:
    """Show one dead letter with its entries.

    Those are for keys that may read the logs of its tenant.
    """
    with asking(settings, api_url(url, settings)) as client:
        try:
            letter = client.get(f"{_PATH}/{quote(id, safe='')}", [])
        except Refused as error:
            _pass_over_missing(error)
            sys.exit(EXIT_NOTHING)
    if as_json:
        click.echo(json_line(letter))
        return
    click.echo(_line(letter))
    for log in letter["logs"] or ():
        click.echo("  " + printable(json_line(log)))
    if not letter["logs"]:
        hidden = "its entries are for keys with the scope query of that tenant"
        click.echo(f"  {hidden if letter['logs'] is None else 'its entries cannot be read'}", err=True)


@dead_letters.command()
@chosen
@reached
def replay(settings: Settings, url: str | None, as_json: bool, ids: tuple[str, ...], everything: bool) -> None:
    """Put dead letters back into the buffer, to be stored.

    Each is stored once, under its own id, or comes back with its reason.
    """
    _each(settings, url, as_json, _ids(ids, everything), lambda client, path: client.post(f"{path}/replay", {}))


@dead_letters.command()
@chosen
@click.option("--yes", is_flag=True, help="Do not ask.")
@reached
def drop(settings: Settings, url: str | None, as_json: bool, ids: tuple[str, ...], everything: bool, yes: bool) -> None:
    """Delete dead letters for good.

    The ledger goes on counting them, as dropped.
    """
    some = _ids(ids, everything)
    if not yes:
        click.confirm(f"Delete {'every dead letter' if some is None else f'{len(some)} dead letters'}?", abort=True, err=True)
    _each(settings, url, as_json, some, lambda client, path: client.delete(path))


def _ids(ids: tuple[str, ...], everything: bool) -> tuple[str, ...] | None:
    """Return the letters that are named, or None for all."""
    if bool(ids) == everything:
        raise click.UsageError("name dead letters by their ids, or say --all")
    return None if everything else ids


def _each(
    settings: Settings,
    url: str | None,
    as_json: bool,
    ids: tuple[str, ...] | None,
    act: Callable[[ApiClient, str], dict[str, Any]],
) -> None:
    """Act on each letter; one that is not there, or no longer, does not stop the others."""
    missing = 0
    with asking(settings, api_url(url, settings)) as client:
        for id in _present(client) if ids is None else ids:
            try:
                letter = act(client, f"{_PATH}/{quote(id, safe='')}")
            except Refused as error:
                _pass_over_missing(error)
                missing += 1
            else:
                click.echo(json_line(letter) if as_json else _line(letter))
    if missing:
        sys.exit(EXIT_NOTHING)


def _present(client: ApiClient) -> list[str]:
    """Return the ids of all that are there now: those that come back meanwhile have other ones."""
    return [letter["id"] for letter in _letters(client, sys.maxsize)]


def _pass_over_missing(error: Refused) -> None:
    """Say that a letter is not there; raise what is wrong otherwise."""
    if error.code != "not_found":
        raise error
    click.echo(printable(str(error)), err=True)


def _letters(client: ApiClient, limit: int) -> Iterator[dict[str, Any]]:
    after: str | None = ""
    while limit > 0 and after is not None:
        page = [("limit", str(min(limit, _PAGE_LETTERS_MAX))), ("after", after)]
        answer = client.get(_PATH, page)
        yield from answer["dead_letters"]
        limit -= len(answer["dead_letters"])
        after = answer["next_cursor"]


def _line(letter: dict[str, Any]) -> str:
    """Return id, tenant, how much it is, and the reason."""
    what = f"{letter['entries']} entries" if letter["index"] is None else f"entry {letter['index']} of its frame"
    return printable(f"{letter['id']}  {letter['tenant'] or '-'}  {what}, {letter['frame_bytes']} bytes  {letter['reason']}")
