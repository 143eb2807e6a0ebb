"""``zero patterns``: what the logs have in common."""

import sys
from typing import IO, Any

import click

from zero.cli import settings_flags
from zero.cli.log_lines import json_line, printable
from zero.cli.query_options import api_url, asking, filters, nothing, query_options
from zero.cli.trust import TRUST_FLAGS
from zero.settings import Settings

_BARS = " ▁▂▃▄▅▆▇█"


class _ListByDefault(click.Group):
    """Takes anything but the name of a command for what to list."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args[:1] not in ([name] for name in (*self.commands, "--help", "-h")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ListByDefault)
def patterns() -> None:
    """List the patterns of the logs, or give lines their pattern.

    \b
    zero patterns [QUERY] is zero patterns list [QUERY], for example:
      zero patterns --app sshd --from -1h
      zero patterns --sort rare --json level:error
      zero patterns --new-since -1d
    All its options: zero patterns list --help
    """


@patterns.command("list")
@query_options
@click.option("--from", "start", help="First moment: 2026-11-22T10:00:00Z, -15m, now, or seconds since 1970.")
@click.option("--to", "end", help="Moment after the last.")
@click.option("--sort", type=click.Choice(["frequent", "rare", "new"]), default="frequent", show_default=True, help="Order.")
@click.option("--new-since", help="Only patterns first seen then or later; a moment like --from.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="Most patterns to show.")
@settings_flags("api", *TRUST_FLAGS)
def list_(settings: Settings, query: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """List patterns with their counts. QUERY is that of zero search.

    \b
    Exit code 0: found. 1: nothing found. 2: the query or an option is wrong. 3: the api does not answer.
    """
    text, url = " ".join(query), api_url(given["url"], settings)
    names = (("from", "start"), ("to", "end"), ("sort", "sort"), ("new_since", "new_since"), ("limit", "limit"))
    options = [(name, str(given[key])) for name, key in names if given[key]]
    with asking(settings, url, text) as client:
        found = client.get("/api/patterns", filters(text, given["app_id"], given["levels"]) + options)["patterns"]
    for pattern in found:
        click.echo(json_line(pattern) if as_json else _pretty(pattern))
    if not found:
        nothing("nothing found: `zero patterns` without a query, filters and times shows all there is", as_json)


@patterns.command()
@click.argument("file", type=click.File("rb"))
@click.option("--mask-only", is_flag=True, help="Print the id of the masked text, as entries are stored with; no groups.")
def assign(file: IO[bytes], mask_only: bool) -> None:
    """Print one pattern id for each line of FILE, offline.

    FILE can be - for standard input. It is the id of the line's group: lines are masked as when they are stored, then masked
    texts that differ only in free words are grouped over the whole input.
    """
    from zero.bootstrap.patterns import assigned

    out = sys.stdout.buffer
    for lines in assigned(file, mask_only):
        out.write(lines)
    out.flush()


def sparkline(counts: list[int]) -> str:
    """Return the counts as a row of bars; what is not zero shows."""
    most = max(counts, default=0)
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // most) if most else 0] for count in counts)


def _pretty(pattern: dict[str, Any]) -> str:
    """Return id, count, counts over time, and the pattern, coloured."""
    parts = [
        click.style(printable(str(pattern["id"])), dim=True),
        f"{int(pattern['count']):>9}",
        click.style(sparkline([int(count) for count in pattern["sparkline"]]), fg="blue"),
        click.style(printable(",".join(map(str, pattern["apps"][:3]))), fg="cyan"),
        printable(str(pattern["pattern"])),
    ]
    return " ".join(parts)
