"""``zero.v1.LogService`` and OTLP's ``LogsService``: which RPC does what."""

from collections.abc import Mapping
from typing import Any

from zero.application.otlp_answer import export_response
from zero.application.ports import Codec
from zero.application.readiness import Readiness
from zero.interfaces.ingest_grpc.call import Call, Ending, Places
from zero.interfaces.ingest_grpc.intake import Intake, receipt_message
from zero.interfaces.ingest_grpc.messages import encoded
from zero.interfaces.ingest_grpc.queries import Queries

LOG_SERVICE = "zero.v1.LogService"
OTLP_SERVICE = "opentelemetry.proto.collector.logs.v1.LogsService"


class LogService:
    """The RPCs of both services."""

    def __init__(self, intake: Intake, codec: Codec, queries: Queries, readiness: Readiness, questions: Places) -> None:
        self._intake = intake
        self._codec = codec
        self._queries = queries
        self._readiness = readiness
        self._questions = questions

    def handlers(self, ending: Ending) -> Mapping[str, Mapping[str, Any]]:
        """Return service → RPC → handler."""
        return {
            LOG_SERVICE: {
                "IngestLogs": ending.unary(self._ingest_logs, ingests=True),
                "IngestStream": ending.unary(self._ingest_stream, ingests=True),
                "GetLogsByAppId": ending.unary(self._queries.by_app_id),
                "Search": ending.streaming(self._queries.search),
                "HealthCheck": ending.unary(self._health_check),
            },
            OTLP_SERVICE: {"Export": ending.unary(self._export, ingests=True)},
        }

    async def _ingest_logs(self, call: Call) -> bytes:
        return receipt_message(await self._intake.one(call, self._codec.decode_log_batch))

    async def _ingest_stream(self, call: Call) -> bytes:
        summary = await self._intake.many(call, self._codec.decode_log_batch)
        return receipt_message(summary.receipt(), summary.batches)

    async def _export(self, call: Call) -> bytes:
        return export_response(await self._intake.one(call, self._codec.decode_otlp))

    async def _health_check(self, call: Call) -> bytes:
        call.keep(self._questions)
        found = await self._readiness.check()
        fields = {"ready": found.ready, "durability": found.durability, "detail": found.detail, "reasons": found.reasons}
        return encoded("zero.v1.HealthCheckResponse", **fields)
