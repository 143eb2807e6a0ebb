"""A log as a line on a terminal. Log content is a stranger's: nothing in it may reach the terminal as a control sequence."""

import json
import os
import re
import sys
from typing import Any

import click

_LEVEL_COLOURS = {
    "TRACE": "bright_black",
    "DEBUG": "blue",
    "INFO": "green",
    "WARN": "yellow",
    "ERROR": "red",
    "FATAL": "magenta",
}
# C0, DEL, C1, line and paragraph separators, and the characters that turn the direction of text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_BREAKS = re.compile(r"\r\n|[\r\n\u2028\u2029]")


def printable(text: str) -> str:
    """Return the text without control characters: line breaks show as ``↵``, tabs as spaces, the rest goes."""
    return _CONTROL.sub("", _BREAKS.sub("↵", text).replace("\t", " "))


def json_line(log: dict[str, Any]) -> str:
    """Return the log as one line of JSON in which control characters are escaped."""
    text = json.dumps(log, ensure_ascii=False, separators=(",", ":"))
    return _CONTROL.sub(lambda char: f"\\u{ord(char[0]):04x}", text)


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
    """Print the log on standard output; colours only on a terminal that wants them."""
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    click.echo(json_line(log) if as_json else pretty_line(log), color=coloured)


def _value(value: Any) -> str:
    return printable(value if isinstance(value, str) else json.dumps(value))
