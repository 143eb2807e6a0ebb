"""A log as a line on a terminal. Log content is a stranger's: nothing in it may reach the terminal as a control sequence."""

import json
import re
from typing import Any

import click

from zero.domain.unseen import UNSEEN, escaped

_LEVEL_COLOURS = {
    "TRACE": "bright_black",
    "DEBUG": "blue",
    "INFO": "green",
    "WARN": "yellow",
    "ERROR": "red",
    "FATAL": "magenta",
}
_BREAKS = re.compile(r"\r\n|[\r\n\u2028\u2029]")


def printable(text: str) -> str:
    """Return the text without characters that are not seen: line breaks show as ``↵``, tabs as spaces, the rest goes."""
    return UNSEEN.sub("", _BREAKS.sub("↵", text).replace("\t", " "))


def json_line(log: dict[str, Any]) -> str:
    """Return the log as one line of JSON in which characters that are not seen are escaped."""
    return escaped(json.dumps(log, ensure_ascii=False, separators=(",", ":")))


def pretty_line(log: dict[str, Any]) -> str:
    """Return time, level, app and message, then the metadata, coloured."""
    level = printable(str(log["level"]))
    parts = [
        click.style(printable(str(log["timestamp"])[:23]) + "Z", dim=True),
        click.style(f"{level:5}", fg=_LEVEL_COLOURS.get(level), bold=level in ("ERROR", "FATAL")),
        click.style(printable(str(log["app_id"])), fg="cyan"),
        printable(str(log["message"])),
    ]
    metadata = " ".join(f"{printable(key)}={_value(value)}" for key, value in log["metadata"].items())
    return " ".join([*parts, click.style(metadata, dim=True)] if metadata else parts)


def show(log: dict[str, Any], as_json: bool) -> None:
    """Print the log on standard output."""
    click.echo(json_line(log) if as_json else pretty_line(log))


def _value(value: Any) -> str:
    return printable(value if isinstance(value, str) else json.dumps(value))
