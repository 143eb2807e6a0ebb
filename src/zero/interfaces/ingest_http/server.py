"""Serving the ingest doors on sockets that one process per core can share."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from zero.application.background import end
from zero.application.ingest import Ingest
from zero.application.key_ring import KeyRing
from zero.application.ports import Codec, Decompressor, Telemetry
from zero.application.readiness import Readiness
from zero.domain.key import KeyScope
from zero.interfaces.ingest_http.bodies import Bodies
from zero.interfaces.ingest_http.bulk_door import BulkDoor
from zero.interfaces.ingest_http.connections import Connections
from zero.interfaces.ingest_http.elastic import refuse
from zero.interfaces.ingest_http.elastic_handshake import ElasticHandshake
from zero.interfaces.ingest_http.greeting import Greeting
from zero.interfaces.ingest_http.logs_door import LogsDoor
from zero.interfaces.ingest_http.loki_door import LokiDoor
from zero.interfaces.ingest_http.options import IngestHttpOptions
from zero.interfaces.ingest_http.otlp_door import OtlpDoor
from zero.interfaces.ingest_http.probes import Probes
from zero.interfaces.ingest_http.routes import Route, Routes
from zero.interfaces.ingest_http.tls_listener import accept_tls

BACKLOG = 1_024


@dataclass(frozen=True, slots=True)
class IngestServices:
    """What the doors need from the rest of the process. ``metrics`` returns Prometheus text."""

    ingest: Ingest
    codec: Codec
    decompressor: Decompressor
    readiness: Readiness
    metrics: Callable[[], bytes]
    telemetry: Telemetry
    keys: KeyRing


def ingest_routes(services: IngestServices, options: IngestHttpOptions) -> Routes:
    """Return the table of all doors."""
    parts = (services.ingest, services.codec, Bodies(services.decompressor, options.body_bytes_max), services.telemetry)
    logs, otlp, loki = LogsDoor(*parts), OtlpDoor(*parts), LokiDoor(*parts)
    bulk = Route(dict.fromkeys(("POST", "PUT"), BulkDoor(*parts).prepare), refuse=refuse)
    probes = Probes(services.readiness, services.metrics)
    metrics = (KeyScope.QUERY, KeyScope.ADMIN) if services.keys.exposed else ()
    return Routes(
        {
            "/api/logs": Route({"POST": logs.prepare}),
            "/v1/logs": Route({"POST": otlp.prepare}, refuse=otlp.refuse),
            "/loki/api/v1/push": Route({"POST": loki.prepare}, refuse=loki.refuse),
            "/_bulk": bulk,
            "/*/_bulk": bulk,
            **ElasticHandshake(probes).routes(),
            "/health": Route({"GET": probes.health}, scopes=()),
            "/ready": Route({"GET": probes.ready}, scopes=()),
            "/metrics": Route({"GET": probes.metrics}, scopes=metrics),
        },
        services.keys,
    )


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket on a port that other processes of ours may share. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


async def serve(
    services: IngestServices,
    options: IngestHttpOptions,
    sockets: Sequence[socket.socket],
    stop: asyncio.Event,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve until ``stop`` is set; then answer what is in flight, and return within the stop timeout."""
    connections = Connections(ingest_routes(services, options), services.telemetry, options)
    loop = asyncio.get_running_loop()
    sweep = loop.create_task(connections.sweep())
    try:
        async with _listening(connections, sockets, tls):
            await stop.wait()
    finally:
        await connections.stop(options.stop_timeout_seconds)
        await end(sweep)


@asynccontextmanager
async def _listening(
    connections: Connections, sockets: Sequence[socket.socket], tls: ssl.SSLContext | None
) -> AsyncIterator[None]:
    """Accept connections while the block lasts."""
    loop = asyncio.get_running_loop()
    if tls is None:
        servers = [await loop.create_server(lambda: Greeting(connections), sock=sock, backlog=BACKLOG) for sock in sockets]
        try:
            yield
        finally:
            for server in servers:
                server.close()
        return
    tasks = [loop.create_task(accept_tls(connections, sock, tls)) for sock in sockets]
    try:
        yield
    finally:
        await end(*tasks)
        for sock in sockets:
            sock.close()
