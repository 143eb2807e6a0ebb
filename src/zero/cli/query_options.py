"""What ``zero search`` and ``zero tail`` have in common: how to say what to look for, and how they fail."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click
from rich.cells import cell_len

from zero.cli.api_client import ApiClient, Refused, Unreachable
from zero.cli.log_lines import printable
from zero.cli.trust import trust
from zero.settings import Settings

EXIT_NOTHING, EXIT_USAGE, EXIT_UNREACHABLE = 1, 2, 3


def query_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the query, its filters, and where to ask."""
    for option in (
        click.option("--url", help="The api.  [default: http://ZERO_API]"),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line."),
        click.option("--level", "levels", multiple=True, help="Only this level; may be repeated."),
        click.option("--app", "--app-id", "app_id", help="Only logs of this app."),
        click.argument("query", nargs=-1),
    ):
        command = option(command)
    return command


def api_url(url: str | None, settings: Settings) -> str:
    """Return where to ask: what was said, or this machine's api."""
    if url:
        return url
    host = settings.api.host
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return f"{settings.web_scheme}://127.0.0.1:{settings.api.port}"
    return f"{settings.web_scheme}://{settings.api}"


@contextmanager
def asking(settings: Settings, url: str, query: str = "", timeout_seconds: float = 60.0) -> Iterator[ApiClient]:
    """Give a client of the api; where it raises, say what is wrong with the query or the api, and end the process."""
    try:
        yield ApiClient(url, settings.api_key, trust(settings), timeout_seconds)
    except (Refused, Unreachable) as error:
        _fail(error, query, url)


def filters(query: str, app_id: str | None, levels: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the parameters of the request."""
    given = [("q", query)] + [("level", level) for level in levels]
    return given + ([("app_id", app_id)] if app_id is not None else [])


def nothing(what: str, as_json: bool) -> NoReturn:
    """Say that there is nothing, and what to try, where a person reads it; end the process."""
    if not as_json:
        click.echo(what, err=True)
    sys.exit(EXIT_NOTHING)


def _fail(error: Refused | Unreachable, query: str, url: str) -> NoReturn:
    """Say what is wrong and what to do, and end the process."""
    if isinstance(error, Refused):
        click.echo(f"error: {printable(str(error))}", err=True)
        if error.position is not None:
            shown = query.replace("\n", " ").replace("\t", " ")
            click.echo(f"  {printable(shown)}\n  {' ' * cell_len(printable(shown[: error.position]))}^", err=True)
        if error.code in ("unauthenticated", "forbidden"):
            click.echo("The key is that of ZERO_API_KEY; `zero keys create` makes one with the scope that is needed.", err=True)
        sys.exit(EXIT_USAGE)
    click.echo(f"error: no answer from the api at {url}: {printable(str(error))}", err=True)
    click.echo("Is it running? Start everything with `zero up`, or name another api with --url or ZERO_API.", err=True)
    sys.exit(EXIT_UNREACHABLE)
