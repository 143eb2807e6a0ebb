"""Serving gRPC on a port that one process per core can share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from zero.application.background import end
from zero.application.ingest import Ingest
from zero.application.key_ring import KeyRing
from zero.application.ports import Codec, Decompressor, Telemetry
from zero.application.readiness import Readiness
from zero.application.search import Search
from zero.domain.errors import ConfigurationError
from zero.interfaces.ingest_grpc.call import Ending, Places
from zero.interfaces.ingest_grpc.intake import Intake
from zero.interfaces.ingest_grpc.log_service import LOG_SERVICE, OTLP_SERVICE, LogService
from zero.interfaces.ingest_grpc.messages import pool
from zero.interfaces.ingest_grpc.options import IngestGrpcOptions
from zero.interfaces.ingest_grpc.queries import Queries
from zero.interfaces.ingest_grpc.standard import Health, StandardServices
from zero.interfaces.ingest_grpc.tls import Pem, credentials


@dataclass(frozen=True, slots=True)
class GrpcServices:
    """What the door needs from the rest of the process. ``make_search`` is called when the first query comes."""

    ingest: Ingest
    codec: Codec
    decompressor: Decompressor
    readiness: Readiness
    telemetry: Telemetry
    keys: KeyRing
    make_search: Callable[[], Search] | None = None


class GrpcDoor:
    """The gRPC server of one process."""

    def __init__(self, services: GrpcServices, options: IngestGrpcOptions) -> None:
        self._options = options
        self._readiness = services.readiness
        questions = Places(options.open_questions_max)
        self._server = grpc.aio.server(
            options=options.channel_arguments(),
            maximum_concurrent_rpcs=options.rpcs_max,
            interceptors=[StandardServices(services.decompressor, options, questions)],
        )
        self._health = Health(("", LOG_SERVICE, OTLP_SERVICE), options.ready_look_seconds)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        queries = Queries(services.make_search, services.decompressor, options)
        intake = Intake(services.ingest, services.decompressor, options)
        logs = LogService(intake, services.codec, queries, services.readiness, questions)
        handlers = logs.handlers(Ending(services.keys, services.telemetry))
        for name, rpcs in handlers.items():
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, dict(rpcs)),))
        names = (*handlers, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server, pool())

    def bind(self, address: str, pem: Callable[[], Pem] | None = None) -> int:
        """Listen on ``host:port``, perhaps beside other processes of ours; the port. Raises ConfigurationError.

        With ``pem`` over TLS alone; it is asked at each new connection for the newest certificate.
        """
        try:
            if pem is not None:
                return self._server.add_secure_port(address, credentials(pem))
            return self._server.add_insecure_port(address)
        except RuntimeError:
            raise ConfigurationError(f"cannot listen on {address}; choose another address with ZERO_INGEST_GRPC") from None

    async def serve(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set; then refuse new RPCs, and let those under way end within the stop timeout."""
        await self._server.start()
        looking = asyncio.create_task(self._keep_health())
        try:
            await stop.wait()
        finally:
            await end(looking)
            self._health.stop()
            await self._server.stop(self._options.stop_timeout_seconds)

    async def _keep_health(self) -> None:
        while True:
            self._health.serving = (await self._readiness.check()).ready
            await asyncio.sleep(self._options.ready_look_seconds)
