"""What people read of settings: in the help of a flag, and in the table of docs/operations.md."""

from dataclasses import Field, fields
from typing import Any

from zero.settings import Settings, environment_name

_NUMBER_SHOWN_MAX = 10_000_000


def about(item: "Field[Any]") -> tuple[str, str]:
    """Return what a setting does and can be, and its default."""
    text, low, high, one_of = (item.metadata[key] for key in ("help", "low", "high", "one_of"))
    if untold := [f"`{value}`" for value in one_of if f"`{value}`" not in text]:
        text += f" One of {', '.join(untold)}."
    if high is not None and high <= _NUMBER_SHOWN_MAX:
        text += f" {low} to {high}."
    elif low:
        text += f" {low} or more."
    return text, "" if item.default is None else str(item.default)


def table() -> str:
    """Return the table of docs/operations.md."""
    rows = ["| environment | `zero.toml` | default | what it does |", "|---|---|---|---|"]
    for item in fields(Settings):
        text, default = about(item)
        rows.append(f"| `{environment_name(item.name)}` | `{item.name}` | `{default or '(empty)'}` | {text} |")
    return "\n".join(rows)
