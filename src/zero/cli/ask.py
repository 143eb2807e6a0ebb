"""``zero ask``: find logs by meaning."""

from typing import Any

import click

from zero.cli import settings_flags
from zero.cli.api_client import ApiClient
from zero.cli.log_lines import json_line, printable, show
from zero.cli.query_options import api_url, asking, nothing, query_options
from zero.cli.trust import TRUST_FLAGS
from zero.settings import Settings

_PATTERNS_MAX = 50
_SHARE_MIN = 0.6  # of the best score, as the api has it in the other modes
_PATTERN_KEYS = ("id", "pattern", "example", "score", "count", "why")


@click.command()
@query_options
@click.option("--patterns", "as_patterns", is_flag=True, help="Show ranked patterns, not lines.")
@click.option(
    "--mode",
    type=click.Choice(["hybrid", "semantic", "text"]),
    default="hybrid",
    show_default=True,
    help="Compare meaning and words, meaning alone, or words alone.",
)
@click.option("--from", "start", help="First moment: 2026-11-22T10:00:00Z, -15m, now, or seconds since 1970.")
@click.option("--to", "end", help="Moment after the last.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="Most patterns or lines to show.")
@settings_flags("api", *TRUST_FLAGS)
def ask(settings: Settings, query: tuple[str, ...], limit: int, as_json: bool, as_patterns: bool, **given: Any) -> None:
    """Find logs by meaning: ask in plain words.

    For example: zero ask someone is guessing passwords over ssh

    \b
    Exit code 0: found. 1: nothing found. 2: the question or an option is wrong. 3: the api does not answer.
    """
    text, url = " ".join(query), api_url(given["url"], settings)
    times = {name: given[key] for name, key in (("from", "start"), ("to", "end")) if given[key]}
    filters: dict[str, Any] = {"level": list(given["levels"]), "time_range": times}
    if given["app_id"] is not None:
        filters["app_id"] = given["app_id"]
    with asking(settings, url, text) as client:
        found = (_patterns if as_patterns else _lines)(client, {"query": text, "mode": given["mode"], **filters}, limit)
    for one in found:
        if as_patterns:
            _show_pattern(one, as_json)
        else:
            show(one, as_json)
    if not found:
        nothing(
            "nothing found: ask in other words, or without filters; what has just arrived is found in some seconds", as_json
        )


def _patterns(client: ApiClient, question: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.post("/api/patterns/search", {**question, "limit": limit})["patterns"]
    return found


def _lines(client: ApiClient, question: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    """Return lines of the best patterns. In mode text the api takes the query language, so it is told their ids."""
    query = question["query"]
    if question["mode"] == "text":
        ranked = _patterns(client, question, _PATTERNS_MAX)
        best = [one["id"] for one in ranked if one["score"] >= _SHARE_MIN * ranked[0]["score"]]
        if not best:
            return []
        query = f"pattern_id:({' OR '.join(best)})"
    found: list[dict[str, Any]] = client.post("/api/logs/search", {**question, "query": query, "limit": limit})["logs"]
    return found


def _show_pattern(pattern: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json_line({key: pattern[key] for key in _PATTERN_KEYS}))
        return
    score, count = click.style(f"{pattern['score']:.2f}", fg="green"), click.style(f"{pattern['count']}x", fg="cyan")
    why = ", ".join(f"{match['asked']} ~ {match['found']}" for match in pattern["why"]["words"])
    lines = [f"{score} {count} {printable(pattern['pattern'])}"]
    lines += [click.style(f"     {printable(text)}", dim=True) for text in (pattern["example"], why) if text]
    click.echo("\n".join(lines))
