"""``zero anomalies``: what is out of the ordinary."""

from typing import Any

import click

from zero.cli import settings_flags
from zero.cli.log_lines import json_line, printable
from zero.cli.query_options import api_url, asking, filters, nothing, query_options
from zero.cli.trust import TRUST_FLAGS
from zero.settings import Settings

_COLOURS = {"new": "yellow", "more": "red", "fewer": "blue", "vanished": "magenta"}


@click.command()
@query_options
@click.option("--from", "start", help="First moment of the window to judge.  [default: an hour before --to]")
@click.option("--to", "end", help="Moment after the last.  [default: now]")
@click.option("--about", help="Only what has to do with this, in plain words.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="Most anomalies to show.")
@settings_flags("api", *TRUST_FLAGS)
def anomalies(settings: Settings, query: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """List patterns that are new, gone, or off their usual rate.

    The strangest come first. The window is compared with stretches of the same length before it. QUERY narrows what is looked
    at, as in zero search.

    \b
    Exit code 0: found. 1: nothing found. 2: the query or an option is wrong. 3: the api does not answer.
    """
    text, url = " ".join(query), api_url(given["url"], settings)
    names = (("from", "start"), ("to", "end"), ("about", "about"), ("limit", "limit"))
    options = [(name, str(given[key])) for name, key in names if given[key]]
    with asking(settings, url, text) as client:
        answer = client.get("/api/anomalies", filters(text, given["app_id"], given["levels"]) + options)
    found = answer["anomalies"]
    for anomaly in found:
        click.echo(json_line(anomaly) if as_json else _pretty(anomaly))
    if not found:
        nothing(_why_not(answer), as_json)


def _why_not(answer: dict[str, Any]) -> str:
    start, end, before = (_minute(answer[key]) for key in ("from", "to", "baseline_from"))
    if answer["baseline_from"] == answer["from"]:
        return f"there is nothing before {start} to compare with; judge a later window: --from -5m"
    return f"nothing out of the ordinary from {start} to {end}, compared with what there is since {before}"


def _minute(instant: str) -> str:
    return f"{printable(instant)[:16]}Z"


def _pretty(anomaly: dict[str, Any]) -> str:
    """Return kind, score, counts, and the pattern, coloured."""
    kind = printable(str(anomaly["kind"]))
    return " ".join(
        [
            click.style(f"{kind:8}", fg=_COLOURS.get(kind)),
            f"score {float(anomaly['score']):>8.1f}",
            f"observed {int(anomaly['observed']):>7}",
            f"expected {float(anomaly['expected']):>9.1f}",
            click.style(f"since {printable(str(anomaly['first_seen'])[:19])}Z", dim=True),
            printable(str(anomaly["pattern"])),
        ]
    )
