"""``zero doctor``: look at everything that a start needs, and say what is wrong."""

import asyncio
import json
import os
import platform
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path

import click

from zero.application.ports import Durability
from zero.cli import settings_flags
from zero.domain.errors import ZeroError
from zero.embedded.listeners import free_port
from zero.embedded.probe import look
from zero.settings import Address, Settings, environment_name

_MARKS = {"ok": "✓", "warn": "!", "fail": "✗"}
_CRC32C_CHECK = 0xE3069283
_DISK_FREE_BYTES_WARN = 5 << 30
_DISK_FREE_BYTES_FAIL = 256 << 20
_FSYNC_SECONDS_WARN = 0.05
_CLOCK_SECONDS_WARN = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found; ``state`` is ok, warn or fail."""

    subject: str
    state: str
    detail: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One finding a line, as JSON.")
@settings_flags(
    "data_dir", "buffer_url", "clickhouse_url", "store_url", "ingest_http", "ingest_grpc", "api", "embedded_clickhouse"
)
def doctor(settings: Settings, as_json: bool) -> None:
    """Look at versions, settings, disk, ports, durability, store and clock. Exit code 1 when something cannot work."""
    failed = False
    for finding in _findings(settings):
        failed |= finding.state == "fail"
        if as_json:
            click.echo(json.dumps(asdict(finding), ensure_ascii=False))
        else:
            click.echo(f"{_MARKS[finding.state]} {finding.subject:<10} {finding.detail}")
    sys.exit(1 if failed else 0)


def _findings(settings: Settings) -> Iterator[Finding]:
    looks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        _versions, _settings, _data_folder, _listeners, _buffer, _store,
    )  # fmt: skip
    for find in looks:
        try:
            yield from find(settings)
        except (ZeroError, OSError) as error:
            yield Finding(find.__name__.strip("_").replace("_", " "), "fail", str(error))


def _versions(settings: Settings) -> Iterator[Finding]:
    from zero.bootstrap import native_codec

    python = platform.python_version()
    yield Finding("zero", "ok", f"{version('zero-logs')}, Python {python}, {platform.system()} {platform.machine()}")
    if native_codec().crc32c(b"123456789") == _CRC32C_CHECK:
        yield Finding("core", "ok", "the native core works")
    else:
        yield Finding("core", "fail", "the native core miscounts; build it again")


def _settings(settings: Settings) -> Iterator[Finding]:
    settings.refuse_exposure()
    given = [environment_name(item.name) for item in fields(settings) if environment_name(item.name) in os.environ]
    yield Finding("settings", "ok", f"set: {', '.join(given)}" if given else "all by default")


def _data_folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir.absolute()
    at = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(at, os.W_OK):
        yield Finding("disk", "fail", f"{at} is not writable; choose another folder with ZERO_DATA_DIR")
        return
    free = shutil.disk_usage(at).free
    state = "fail" if free < _DISK_FREE_BYTES_FAIL else "warn" if free < _DISK_FREE_BYTES_WARN else "ok"
    yield Finding("disk", state, f"{free / 2**30:.1f} GiB free at {folder}")
    seconds = _fsync_seconds(at)
    yield Finding("fsync", "warn" if seconds > _FSYNC_SECONDS_WARN else "ok", f"{seconds * 1e3:.1f} ms, the median of 9")


def _fsync_seconds(folder: Path) -> float:
    path, times = folder / f".zero-doctor-{os.getpid()}", []
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(9):
                file.write(b"x" * 4096)
                started = time.perf_counter()
                os.fsync(file.fileno())
                times.append(time.perf_counter() - started)
    finally:
        path.unlink(missing_ok=True)
    return sorted(times)[4]


def _listeners(settings: Settings) -> Iterator[Finding]:
    """A port is free, or one of ours answers on it."""
    for name in ("ingest_http", "api"):
        address = getattr(settings, name)
        if settings.tls_client_ca:
            yield _listener(name, address)
            continue
        url = f"{settings.web_scheme}://{address}/ready"
        status, answer = look(url)
        if status == 0:
            free_port(address.host, address.port)
            yield Finding(name, "ok", f"{address} is free; nothing runs there")
        else:
            yield Finding(name, "ok" if status == 200 else "warn", f"{url} says {status}: {answer}")
    if settings.ingest_grpc is not None:
        yield _listener("ingest_grpc", settings.ingest_grpc)


def _listener(name: str, address: Address) -> Finding:
    try:
        with socket.create_connection((address.host, address.port), timeout=2.0):
            return Finding(name, "ok", f"something listens on {address}")
    except OSError:
        free_port(address.host, address.port)
        return Finding(name, "ok", f"{address} is free; nothing runs there")


def _buffer(settings: Settings) -> Iterator[Finding]:
    if not settings.buffer_url:
        yield Finding("buffer", "ok", "embedded: fsync before every reply")
        return
    durability = asyncio.run(_durability(settings))
    state = "ok" if durability.mode == "durable" else "fail" if settings.durability == "strict" else "warn"
    yield Finding("buffer", state, f"durability {durability.mode}: {durability.detail}")


async def _durability(settings: Settings) -> Durability:
    from zero.bootstrap import redis_options
    from zero.infrastructure.redis.buffer import RedisBuffer

    buffer = RedisBuffer(redis_options(settings))
    try:
        return await buffer.durability()
    finally:
        await buffer.close()


def _store(settings: Settings) -> Iterator[Finding]:
    if not settings.store:
        yield Finding("store", "ok", f"embedded: chdb-core {version('chdb-core')}")
        return
    from zero.bootstrap import store_kind

    found = store_kind(settings).report()
    yield Finding("store", "ok" if found.fits else "fail", found.description)
    if found.warning:
        yield Finding("store", "warn", found.warning)
    skew = abs(found.now_seconds - time.time())
    yield Finding("clock", "warn" if skew > _CLOCK_SECONDS_WARN else "ok", f"{skew:.1f} s apart from the store's")
