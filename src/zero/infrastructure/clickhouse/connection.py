"""Connections to ClickHouse: pooled, persistent, without sessions, so that threads can share a client."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from zero.infrastructure.clickhouse.cluster import refuse_unknown_cluster, writing
from zero.infrastructure.clickhouse.errors import translated
from zero.infrastructure.clickhouse.options import ClickHouseOptions

# The first release whose text index and JSON column need no experimental setting.
OLDEST_VERSION = (26, 2)
_UNSEEN = logging.NullHandler()


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """What the server says of itself. ``now_seconds`` is its clock, Unix time."""

    version: str
    now_seconds: float

    @property
    def fits(self) -> bool:
        """Whether the server is new enough."""
        return tuple(int(part) for part in self.version.split(".")[:2]) >= OLDEST_VERSION


def connect(options: ClickHouseOptions) -> Client:
    """Return a client that can only read, whoever its user is. Raises the client's own errors."""
    return _client(options, options.database, options.query_timeout_seconds, {"readonly": "1"})


def connect_writer(options: ClickHouseOptions, database: str | None = None) -> Client:
    """Return a client with all rights of its user. Raises the client's own errors, or ConfigurationError for the cluster."""
    client = _client(options, database or options.database, options.insert_timeout_seconds, writing(options))
    try:
        refuse_unknown_cluster(client, options)
    except BaseException:
        client.close()
        raise
    return client


def server_version(options: ClickHouseOptions) -> ServerVersion:
    """Ask the server for its version and clock. Raises StoreUnavailable or StoreHalted."""
    with translated():
        client = connect_writer(options, "default")
        try:
            now = client.raw_query("SELECT toUnixTimestamp64Milli(now64(3))", fmt="TSV")
            return ServerVersion(str(client.server_version), int(now) / 1000)
        finally:
            client.close()


def permitted(client: Client, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the settings that the server knows and lets this user set: of the others its own profile says."""
    known = client.server_settings
    return {name: value for name, value in settings.items() if name in known and not known[name].readonly}


def trace_headers(traceparent: str) -> dict[str, str] | None:
    """Return the header by which the server knows whose trace it works for (its own: opentelemetry_span_log)."""
    return {"traceparent": traceparent} if traceparent else None


def _client(options: ClickHouseOptions, database: str, timeout_seconds: int, settings: dict[str, Any]) -> Client:
    logging.getLogger("clickhouse_connect").addHandler(_UNSEEN)  # a command without log lines tells its errors itself
    return clickhouse_connect.get_client(
        interface=options.scheme,
        host=options.host,
        port=options.port,
        username=options.user,
        password=options.password,
        database=database,
        compress="lz4" if not options.is_local else False,
        connect_timeout=options.connect_timeout_seconds,
        send_receive_timeout=timeout_seconds,
        query_retries=0,
        client_name="zero",
        settings=settings,
        autogenerate_session_id=False,
        dedicated_pool=True,
    )
