"""``zero send``: ship files to the ingest door."""

import gzip
import queue
import sys
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import click

from zero.cli import settings_flags
from zero.cli.log_lines import json_line, printable
from zero.cli.trust import TRUST_FLAGS, trust
from zero.client.receipt import Receipt
from zero.client.records import FORMATS, Record, RecordOptions, Unreadable, read_records
from zero.client.uploader import Encode, Refused, Unreachable, Uploader, UploaderOptions
from zero.domain.errors import InvalidInput
from zero.settings import Settings

_BATCH_BYTES_MAX = 8 * 1024 * 1024
_REASONS_SHOWN_MAX = 20
_LINGER_SECONDS = 1.0
_READ_AHEAD_MAX = 32
_EXIT_REJECTED, _EXIT_USAGE, _EXIT_UNREACHABLE, _EXIT_INTERRUPTED = 1, 2, 3, 130


@dataclass(slots=True)
class _Tally:
    sent: int = 0
    accepted: int = 0
    rejected: int = 0
    reasons: list[dict[str, Any]] = field(default_factory=list)

    def refuse(self, name: str, line: int, reason: str) -> None:
        if len(self.reasons) < _REASONS_SHOWN_MAX:
            self.reasons.append({"file": name, "line": line, "reason": reason})


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…|-")
@click.option("--url", help="Ingest door.  [default: http://ZERO_INGEST_HTTP]")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Form of the files; told from name and content if absent.")
@click.option("--app-id", "--app", "app_id", help="app_id of entries that name none.")
@click.option("--level", help="Level of entries that name none.")
@click.option("--message-column", help="CSV: the column that holds the message.")
@click.option("--timestamp-column", help="CSV: the column that holds the timestamp.")
@click.option("--batch", default=1000, show_default=True, type=click.IntRange(1, 20_000), help="Entries a request.")
@click.option("--gzip", "compress", is_flag=True, help="Compress the requests.")
@click.option("--protobuf", is_flag=True, help="Read the entries here and send zero.v1.LogBatch: less work for the server.")
@click.option("--retry-seconds", type=click.FloatRange(0), default=30.0, show_default=True, help="How long a batch is tried.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@settings_flags("ingest_http", *TRUST_FLAGS)
def send(settings: Settings, files: tuple[str, ...], as_json: bool, batch: int, **given: Any) -> None:
    """Send files of logs: text, JSON, NDJSON or CSV, also gzipped.

    FILE can be - for standard input: its lines are sent within a second, so `tail -F app.log | zero send -` follows a file.

    \b
    Exit code 0: all accepted. 1: some rejected. 2: a file or an option cannot be used. 3: no answer. 130: Ctrl-C.
    """
    records = RecordOptions(**{key: given[key] for key in ("form", "app_id", "level", "message_column", "timestamp_column")})
    url = given["url"] or f"{settings.web_scheme}://{settings.ingest_http}"
    tally, started, problem, code = _Tally(), time.monotonic(), "", 0
    try:
        patience = given["retry_seconds"]
        key, tls = settings.api_key, trust(settings)
        encode = _encoder() if given["protobuf"] else None
        sender = Uploader(UploaderOptions(url, 15.0, patience, compress=given["compress"], encode=encode, api_key=key, tls=tls))
        with _progress(files) as show:
            for name in files:
                _send_file(sender, name, records, batch, tally, show)
    except (Unreadable, OSError, ValueError) as error:
        problem, code = str(error), _EXIT_USAGE
    except Refused as error:
        problem, code = str(error), _EXIT_REJECTED
    except Unreachable as error:
        problem, code = str(error), _EXIT_UNREACHABLE
    except KeyboardInterrupt:
        problem, code = "interrupted: what was sent and is not counted may have been accepted", _EXIT_INTERRUPTED
    _summary(tally, time.monotonic() - started, problem, as_json)
    sys.exit(code or (_EXIT_REJECTED if tally.rejected else 0))


def _encoder() -> Encode:
    from zero.bootstrap import native_codec

    codec = native_codec()

    def encode(records: Sequence[bytes]) -> tuple[bytes, Receipt]:
        try:
            decoded = codec.decode_json(b"\n".join(records), time.time_ns(), "")
        except InvalidInput as error:
            return b"", Receipt(0, len(records), [(0, error.message)])
        return decoded.payload, Receipt(decoded.accepted, decoded.rejected, decoded.errors)

    return encode


def _send_file(sender: Uploader, name: str, options: RecordOptions, batch: int, tally: _Tally, show: Any) -> None:
    with _opened(name) as stream:
        waiting: list[Record] = []
        size = 0
        for record in _following(stream, options) if name == "-" else read_records(stream, name, options):
            if record and record.refused:
                tally.sent += 1
                tally.rejected += 1
                tally.refuse(name, record.line, record.refused)
                continue
            if waiting and (not record or len(waiting) == batch or size + len(record.data) > _BATCH_BYTES_MAX):
                _flush(sender, name, waiting, tally, show)
                waiting, size = [], 0
            if not record:
                continue
            waiting.append(record)
            size += len(record.data) + 1
        if waiting:
            _flush(sender, name, waiting, tally, show)


def _flush(sender: Uploader, name: str, waiting: list[Record], tally: _Tally, show: Any) -> None:
    receipt = sender.send([record.data for record in waiting])
    tally.sent += len(waiting)
    tally.accepted += receipt.accepted
    tally.rejected += receipt.rejected
    for index, reason in receipt.errors:
        tally.refuse(name, waiting[min(index, len(waiting) - 1)].line, reason)
    show(name, tally)


def _following(stream: BinaryIO, options: RecordOptions) -> Iterator[Record | None]:
    """Yield the records of standard input, and None every second: whoever writes there may pause for hours.

    Another thread reads, a few records ahead. Raises what reading raises.
    """
    ahead: queue.Queue[Record | Exception | None] = queue.Queue(_READ_AHEAD_MAX)

    def read() -> None:
        try:
            for record in read_records(stream, "-", options):
                ahead.put(record)
            ahead.put(None)
        except Exception as error:
            ahead.put(error)

    threading.Thread(target=read, name="zero-standard-input", daemon=True).start()
    due = time.monotonic() + _LINGER_SECONDS
    while True:
        try:
            found = ahead.get(timeout=max(0.0, due - time.monotonic()))
        except queue.Empty:
            due = time.monotonic() + _LINGER_SECONDS
            yield None
            continue
        if found is None:
            return
        if isinstance(found, Exception):
            raise found
        yield found


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        # Not the buffer itself: a thread that waits in it at the end of the process would be a fatal error.
        yield getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    elif name.endswith(".gz"):
        with gzip.open(name, "rb") as stream:
            try:
                yield stream  # type: ignore[misc]
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise Unreadable(f"{name}: cut off or broken as gzip: {error}") from error
    else:
        with Path(name).open("rb") as plain:
            yield plain


@contextmanager
def _progress(files: tuple[str, ...]) -> Iterator[Any]:
    """Yield a function that shows how far we are: a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda name, tally: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sending", total=None)

        def show(name: str, tally: _Tally) -> None:
            bar.update(task, description=f"{name} ({files.index(name) + 1}/{len(files)})", completed=tally.sent)

        yield show


def _summary(tally: _Tally, seconds: float, problem: str, as_json: bool) -> None:
    if as_json:
        found = {"sent": tally.sent, "accepted": tally.accepted, "rejected": tally.rejected, "seconds": round(seconds, 3)}
        click.echo(json_line({**found, "reasons": tally.reasons, "problem": problem or None}))
        return
    for item in tally.reasons:
        click.echo(printable(f"rejected {item['file']}:{item['line']}: {item['reason']}"), err=True)
    if tally.rejected > len(tally.reasons):
        click.echo(f"… and {tally.rejected - len(tally.reasons):,} more", err=True)
    click.echo(f"sent {tally.sent:,}, accepted {tally.accepted:,}, rejected {tally.rejected:,} in {seconds:.1f} s")
    if problem:
        click.echo(f"zero: {printable(problem)}", err=True)
