"""``zero torture``: break this platform on purpose, and count; from a clone of the repository."""

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import click

ROOT = Path(__file__).parents[3]
RESULTS = click.Path(exists=True, dir_okay=False, path_type=Path)


def _harness(module: str = "command") -> ModuleType:
    """Import the harness from the clone; the installed package does not carry it."""
    if not (ROOT / "tests" / "torture" / "harness" / "command.py").exists():
        raise click.ClickException("the torture suite lives in the repository: run zero torture from a clone (make setup)")
    sys.path.insert(0, str(ROOT))
    from importlib import import_module

    return import_module(f"tests.torture.harness.{module}")


@click.command()
@click.option(
    "--profile", type=click.Choice(["quick", "full"]), default="quick", show_default=True, help="How much of each row."
)
@click.option("--row", "rows", multiple=True, help="Only this row (R2); can be given more than once.")
@click.option("--seed", type=click.IntRange(1), help="Seed of the first part; each further part takes the next.  [default: 1]")
@click.option("--amount", type=click.IntRange(0), default=0, help="How much of it in a part, in the row's own unit.")
@click.option("--parts", type=click.IntRange(0), default=0, help="How many parts.")
@click.option("--parts-until", help="Run what is missing of a full proof, part after part, until then: 23:30, or +90m, +2h.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON line for each part.")
@click.option("--keep/--no-keep", default=True, help="Keep results in bench/results/torture.  [default: keep]")
@click.option("--table", is_flag=True, help="Run nothing: print the table of the results that are kept.")
@click.option("--shrink", type=RESULTS, help="Replay the last failure of this file of results with ever fewer faults.")
def torture(
    rows: tuple[str, ...], seed: int | None, parts_until: str | None, table: bool, shrink: Path | None, **how: int | str | bool
) -> None:
    """Break a platform on purpose, and count what is lost.

    It kills, cuts, fills and overloads a platform of its own: nothing may be lost, and nothing stored twice.

    \b
    Exit code 0: everything held. 1: something did not.
    """
    harness = _harness()

    def say(line: str) -> None:
        click.echo(line, err=bool(how["as_json"]))

    if unknown := set(rows) - set(harness.TRIALS):
        raise click.UsageError(f"no row {', '.join(sorted(unknown))}; there are {', '.join(harness.TRIALS)}")
    if table:
        click.echo(harness.shown(), nl=False)
    elif shrink is not None:
        try:
            click.echo(f"still fails with the faults {harness.shrunk(shrink, seed or 0, say)}")
        except (RuntimeError, ValueError, KeyError) as error:
            raise click.ClickException(f"{shrink} cannot be replayed: {error}") from error
    elif _run(harness.Wish(rows=rows, seed=seed or 1, **how), parts_until, say):
        sys.exit(1)


def _run(wish: Any, parts_until: str | None, say: Callable[[str], None]) -> int:
    """Run what is wished, or what is missing; return how many parts failed."""
    if parts_until is None:
        return int(_harness().run(wish, say))
    unattended = _harness("unattended")
    try:
        until = unattended.when(parts_until, datetime.now().astimezone())
    except ValueError as error:
        raise click.BadParameter("a time such as 23:30, or a while such as +90m or +2h", param_hint="--parts-until") from error
    return int(unattended.run_until(until.timestamp(), wish, say))
