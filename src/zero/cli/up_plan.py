"""What ``zero up`` starts: the servers, the migration, the roles, and how each is told where the others are."""

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from zero.cli.memory_plan import cores, store_bytes
from zero.cli.reloading import left_to_children
from zero.cli.up_stop import STORE_SECONDS, told_to
from zero.domain.errors import ConfigurationError
from zero.embedded.listeners import ENDING_SECONDS_MAX, free_port
from zero.embedded.memory_limit import memory_limit
from zero.embedded.process import ChildCommand
from zero.infrastructure.telemetry.exposition import FOLDER_VARIABLE, empty_folder
from zero.settings import LISTENERS, Address, Settings, as_environment, environment_name


@dataclass(frozen=True, slots=True)
class Plan:
    """Commands in the order of starting. ``probes`` are the URLs that are green when everything is ready."""

    settings: Settings
    folder: Path
    servers: tuple[ChildCommand, ...]
    migration: ChildCommand
    roles: tuple[ChildCommand, ...]

    @property
    def probes(self) -> tuple[str, ...]:
        """Return the readiness pages; none where only clients with a certificate may look."""
        settings, scheme = self.settings, self.settings.web_scheme
        if settings.tls_client_ca:
            return ()
        return (f"{scheme}://{settings.ingest_http}/ready", f"{scheme}://{settings.api}/ready")

    @property
    def embeds_store(self) -> bool:
        """Whether the store is one of our own."""
        return any(command.name == "store" for command in self.servers)


def plan(settings: Settings, folder: Path) -> Plan:
    """Return what to start. Raises ConfigurationError, among others when a port is taken."""
    settings = replace(settings, data_dir=folder, drain_http=None)  # drains share the metrics page of the api
    settings = _with_ports(replace(settings, ingest_workers=settings.ingest_workers or cores()))
    servers, memory_bytes = [], store_bytes(settings, memory_limit())
    if not settings.buffer_url:
        if settings.buffer_replicas:
            raise ConfigurationError("ZERO_BUFFER_REPLICAS is for a buffer of your own: set ZERO_BUFFER_URL, or leave it at 0")
        command, settings = _embedded_buffer(settings)
        servers.append(command)
    if not settings.store:
        command, settings = _embedded_store(settings, memory_bytes)
        servers.append(command)
    return Plan(settings, folder, tuple(servers), _role(settings, "migrate"), _roles(settings))


def _with_ports(settings: Settings) -> Settings:
    """Look at every port before anything starts, and choose the free ones that were asked for."""
    chosen: dict[str, Any] = {}
    for name in (*LISTENERS, "syslog_udp"):
        address: Address | None = getattr(settings, name)
        if address is None or (name == "embedded_clickhouse" and settings.store):
            continue
        try:
            how: dict[str, Any] = {"datagrams": name == "syslog_udp", "patience_seconds": ENDING_SECONDS_MAX}
            chosen[name] = replace(address, port=free_port(address.host, address.port, **how))
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {address} ({error.strerror or error}); choose another address with {environment_name(name)}"
            ) from error
    return replace(settings, **chosen)


def _embedded_buffer(settings: Settings) -> tuple[ChildCommand, Settings]:
    from zero.embedded.valkey import ValkeyOptions, prepare

    server = prepare(ValkeyOptions(settings.data_dir, memory_max_bytes=settings.buffer_memory_max_bytes))
    command = ChildCommand("buffer", server.argv, ready_pattern="Ready to accept connections")
    return command, replace(settings, buffer_url=server.url)


def _embedded_store(settings: Settings, memory_bytes: int) -> tuple[ChildCommand, Settings]:
    from zero.embedded.clickhouse.options import READER, WRITER, read_passwords

    folder, address = settings.data_dir / "clickhouse", settings.embedded_clickhouse
    file = folder / "passwords"
    passwords = read_passwords(file)
    server = ("zero.embedded.clickhouse", "--path", str(folder), "--listen", str(address), "--password-file", str(file))
    bounds = ("--memory-bytes", str(memory_bytes), "--shutdown-seconds", str(STORE_SECONDS), "--parent", str(os.getpid()))
    argv = (sys.executable, "-P", "-m", *server, *bounds)
    writer, reader = (f"http://{user}:{quote(passwords[user])}@{address}/zero" for user in (WRITER, READER))
    told = replace(settings, clickhouse_url=writer, clickhouse_reader_url=reader)
    return ChildCommand("store", argv, ready_pattern="^ready http"), told


def _roles(settings: Settings) -> tuple[ChildCommand, ...]:
    owner = f"{socket.gethostname()}:{settings.data_dir}"
    ingest = [_role(settings, "ingest", slot=slot, page="ingest") for slot in range(settings.ingest_processes)]
    drain = [
        _role(settings, "drain", "--shard", str(shard), "--owner", owner, slot=shard, page="api")
        for shard in range(settings.shards if settings.stage.buffered else 0)
    ]
    return (*ingest, *drain, _role(settings, "api", page="api"))


def _role(settings: Settings, *arguments: str, slot: int | None = None, page: str = "") -> ChildCommand:
    """Return the command of a role; roles of one ``page`` share their metrics, which one of them answers at ``/metrics``."""
    name = arguments[0] if slot is None else f"{arguments[0]}-{slot}"
    words = (*arguments, "--parent", str(os.getpid()), "--held")
    argv = (sys.executable, "-P", "-m", "zero", *words)
    return ChildCommand(name, argv, environment=_environment(told_to(arguments[0], settings), page), held=True, forked=words)


def metrics_folder(data_dir: Path, page: str) -> Path:
    """Return where the processes write their metrics that ``page`` shows."""
    return data_dir / "run" / "metrics" / page


def _environment(settings: Settings, page: str) -> Mapping[str, str]:
    metrics = metrics_folder(settings.data_dir, page)
    if not page:
        return _told(settings)
    empty_folder(metrics)
    return {**_told(settings), FOLDER_VARIABLE: str(metrics)}


def _told(settings: Settings) -> Mapping[str, str]:
    """Return the settings for a child, but for those that it is to read again from the file."""
    left = left_to_children(settings, os.environ)
    return {name: text for name, text in as_environment(settings).items() if name not in left}
