"""``zero bench``: measure this machine, from a clone of the repository."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import click

ROOT = Path(__file__).parents[3]
STAGES = 7

corpus_option = click.option(
    "--corpus", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="NDJSON to send; made from a seed if absent."
)
seconds_option = click.option("--seconds", type=click.IntRange(1, 3600), default=8, show_default=True, help="Length of a run.")
runs_option = click.option("--runs", type=click.IntRange(1, 100), default=3, show_default=True, help="Runs of each case.")
result_argument = click.Path(exists=True, path_type=Path)


def _module(name: str) -> ModuleType:
    """Import ``bench.NAME`` from the clone; the installed package does not carry the benchmarks."""
    if not (ROOT / "bench" / "record.py").exists():
        raise click.ClickException("the benchmarks live in the repository: run zero bench from a clone (make setup)")
    sys.path.insert(0, str(ROOT))
    from importlib import import_module

    return import_module(f"bench.{name}")


def _measured(name: str, *arguments: Any) -> None:
    """Run a benchmark, and print where its result is."""
    try:
        click.echo(_module(name).run(*arguments))
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or "").strip()
        raise click.ClickException(f"{Path(error.cmd[0]).name} failed: {said}") from error


def _plan(**how: Any) -> Any:
    return _module("measure").Plan(**how)


@click.group(invoke_without_command=True)
@corpus_option
@click.pass_context
def bench(context: click.Context, corpus: Path | None) -> None:
    """Measure this machine; results go to bench/results.

    Without a command it measures everything, 21 minutes on two cores.
    """
    if context.invoked_subcommand is None:
        _measured("everything", corpus)


@bench.command()
@click.argument("number", type=click.IntRange(1, STAGES))
@corpus_option
def stage(number: int, corpus: Path | None) -> None:
    """Run one of the seven stages.

    Batches of 1 to 1,000, a profile, and a crash under load.
    """
    _measured("stages", corpus, number)


@bench.command()
@corpus_option
def native(corpus: Path | None) -> None:
    """Decode and encode on one core.

    JSON to frame, LogBatch to frame, frame to Native block.
    """
    _measured("native", corpus)


@bench.command()
@corpus_option
def serialize(corpus: Path | None) -> None:
    """Compare JSON with protobuf: bytes and speed."""
    _measured("serialize", corpus)


@bench.command()
@corpus_option
@click.option("--seconds", type=click.IntRange(1, 60), default=4, show_default=True, help="How long each load lasts.")
@runs_option
def doors(corpus: Path | None, seconds: int, runs: int) -> None:
    """Every door over the same entries.

    Decoded, and from request to stored; and what keys with quotas cost.
    """
    _measured("doors", corpus, seconds, runs)


@bench.command()
@corpus_option
@seconds_option
@runs_option
def ingest(corpus: Path | None, **how: Any) -> None:
    """Batches and single entries over HTTP/1.1.

    Counted when stored and searchable.
    """
    _measured("ingest", corpus, _plan(**how))


@bench.command()
@runs_option
def client(runs: int) -> None:
    """What a call of a logger costs an application.

    It has zero.client; and how many records go through.
    """
    _measured("client", runs)


@bench.command()
@corpus_option
@seconds_option
@runs_option
def http2(corpus: Path | None, **how: Any) -> None:
    """Single entries and batches over HTTP/2.

    8 connections with 20 streams each.
    """
    _measured("http2", corpus, _plan(**how))


@bench.command()
@corpus_option
@seconds_option
@runs_option
def grpc(corpus: Path | None, **how: Any) -> None:
    """Single entries, batches and streams over gRPC."""
    _measured("grpc", corpus, _plan(**how))


@bench.command()
@corpus_option
@click.option("--entries", type=click.IntRange(1_000), default=2_000_000, show_default=True, help="How many a run drains.")
@click.option("--frame-entries", type=click.IntRange(1, 20_000), default=1000, show_default=True, help="Entries of a frame.")
@runs_option
@click.option("--profile", is_flag=True, help="Sample the drain in one run more.")
def drain(corpus: Path | None, **options: Any) -> None:
    """Drain a full stream with one process."""
    _measured("drain", corpus, _module("drain").Options(**options))


@bench.command()
@click.option("--entries", type=click.IntRange(10_000), default=3_000_000, show_default=True, help="How many to search in.")
@corpus_option
def search(corpus: Path | None, entries: int) -> None:
    """Search a store of many entries, and weigh it.

    Ask what the page asks, and questions by meaning: quality and latency.
    """
    _measured("search", corpus, entries)


@bench.command()
@click.option("--entries", type=click.IntRange(0), default=1_000_000, show_default=True, help="How many to list over; 0: none.")
@click.option(
    "--labelled", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of labelled logs (CSV)."
)
@corpus_option
def patterns(corpus: Path | None, entries: int, labelled: Path | None) -> None:
    """Accuracy and speed of patterns, and of listing them."""
    _measured("patterns", corpus, entries, labelled)


@bench.command()
@click.argument("url")
@click.option(
    "--protocol", type=click.Choice(["jsonline", "bulk", "loki", "otlp"]), required=True, help="What the server takes."
)
@click.option("--path", default="", help="Path to post to, in place of the protocol's usual one.")
@click.option("--header", multiple=True, metavar="NAME:VALUE", help="A header to send; may be given several times.")
@corpus_option
@seconds_option
@runs_option
def peer(corpus: Path | None, header: tuple[str, ...], **options: Any) -> None:
    """Send the same entries to any other server.

    URL is where it listens; what it accepts is counted.
    """
    if not options["url"].startswith(("http://", "https://")):
        raise click.BadParameter(f"{options['url']!r} is not one such as http://127.0.0.1:9200", param_hint="URL")
    headers = {name.strip(): value.strip() for name, _, value in (each.partition(":") for each in header)}
    _measured("peer", corpus, _module("peer").Options(headers=headers, **options))


@bench.command()
@click.argument("first", type=result_argument)
@click.argument("second", type=result_argument)
@click.option("--all", "everything", is_flag=True, help="Show what hardly differs too.")
def compare(first: Path, second: Path, everything: bool) -> None:
    """Compare two result files, or two folders of them."""
    try:
        click.echo(_module("compare").run(first, second, everything))
    except ValueError as error:
        raise click.ClickException(str(error)) from error


@bench.command()
@click.option("--seconds", type=click.IntRange(5, 3600), default=60, show_default=True, help="How long it is watched.")
def idle(seconds: int) -> None:
    """Memory and processor time of an idle platform."""
    click.echo(_module("idle").run(seconds))


@bench.command()
@corpus_option
@seconds_option
def footprint(corpus: Path | None, seconds: int) -> None:
    """What an entry costs each role, on hosts of their own.

    Processor, memory, disk, network; as root.
    """
    _measured("footprint", corpus, seconds)


@bench.command()
def scale() -> None:
    """What many entries a second need, from the results.

    Writes the tables of docs/scale.md.
    """
    click.echo(_module("scale").publish(), nl=False)


@bench.command()
def report() -> None:
    """Write the README's table, report.md, report.html and charts."""
    _measured("report")
