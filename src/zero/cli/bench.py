"""``zero bench``: measure this machine, from a clone of the repository."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import click

ROOT = Path(__file__).parents[3]

corpus_option = click.option(
    "--corpus", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="NDJSON to send; made from a seed if absent."
)


def _module(name: str) -> ModuleType:
    """Import ``bench.NAME`` from the clone; the installed package does not carry the benchmarks."""
    if not (ROOT / "bench" / "record.py").exists():
        raise click.ClickException("the benchmarks live in the repository: run zero bench from a clone (make setup)")
    sys.path.insert(0, str(ROOT))
    from importlib import import_module

    return import_module(f"bench.{name}")


@click.group()
def bench() -> None:
    """Measure throughput and latency; results go to bench/results."""


@bench.command()
@corpus_option
def native(corpus: Path | None) -> None:
    """Decode and encode on one core: JSON to frame, LogBatch to frame, frame to Native block."""
    click.echo(_module("native").run(corpus))


@bench.command()
@corpus_option
@click.option("--seconds", type=click.IntRange(1, 60), default=4, show_default=True, help="How long each load lasts.")
@click.option("--runs", type=click.IntRange(1, 20), default=3, show_default=True, help="How often each door has its turn.")
def doors(corpus: Path | None, seconds: int, runs: int) -> None:
    """Every door over the same entries, decoded and from request to stored; and what keys with quotas cost."""
    click.echo(_module("doors").run(corpus, seconds, runs))


@bench.command()
@corpus_option
@click.option("--seconds", type=click.IntRange(5, 3600), default=60, show_default=True, help="How long the main load lasts.")
def ingest(corpus: Path | None, seconds: int) -> None:
    """Batches and single entries over HTTP, counted when stored and searchable."""
    click.echo(_module("ingest").run(corpus, seconds))


@bench.command()
@corpus_option
@click.option("--entries", type=click.IntRange(1_000), default=2_000_000, show_default=True, help="How many a run drains.")
@click.option("--frame-entries", type=click.IntRange(1, 20_000), default=1000, show_default=True, help="Entries of a frame.")
@click.option("--runs", type=click.IntRange(1), default=3, show_default=True, help="How often it is measured.")
@click.option("--profile", is_flag=True, help="Sample the drain in one run more.")
def drain(corpus: Path | None, **options: Any) -> None:
    """Drain a full stream with one process: from the buffer until stored."""
    module = _module("drain")
    click.echo(module.run(corpus, module.Options(**options)))


@bench.command()
@click.option("--entries", type=click.IntRange(10_000), default=10_000_000, show_default=True, help="How many to search in.")
@corpus_option
def search(corpus: Path | None, entries: int) -> None:
    """Search a store of many entries: a rare word, the latest errors of an app."""
    click.echo(_module("search").run(corpus, entries))


@bench.command()
def report() -> None:
    """Write the measured table into the README, from bench/results."""
    click.echo(_module("report").run())
