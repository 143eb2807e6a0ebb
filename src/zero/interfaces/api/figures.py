"""How the platform is doing: stats, ledger, probes."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, Response

from zero.application.overview import TenantBalance
from zero.domain.key import KeyScope
from zero.interfaces.api.access import ReaderOrAdmin, Tenant, asks_query_or_admin
from zero.interfaces.api.logs import RESPONSES
from zero.interfaces.api.services import ApiServices

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FIGURES = ("accepted", "stored", "dead_lettered", "in_buffer", "dropped")
_OF_THE_STORE = ("rows", "expired", "missing")


def figures_router(services: ApiServices) -> APIRouter:
    """Return the doors with figures about the platform."""
    router = APIRouter(prefix="/api", tags=["platform"], responses=RESPONSES)

    @router.get("/stats")
    async def stats(tenant: Tenant) -> Response:
        """Say what is stored, how much arrives, and how far the drain is behind."""
        figures, level = await services.overview.figures(tenant)
        return JSONResponse(
            {
                "stored": figures.entries,
                "by_app": dict(sorted(figures.by_app.items())),
                "by_level": {level.name: count for level, count in sorted(figures.by_level.items())},
                "entries_per_second": round(figures.entries_last_minute / 60, 2),
                "disk_bytes": figures.disk_bytes,
                "buffer": {"frames": level.frames, "used_bytes": level.used_bytes, "limit_bytes": level.limit_bytes},
            }
        )

    @router.get("/ledger")
    async def ledger(asker: ReaderOrAdmin) -> Response:
        """Show that accepted = stored + dead-lettered + in buffer, and the rows that the store itself counts.

        Of the dead-lettered ``dropped`` are deleted; rows no longer there are ``expired`` where retention was due, else
        ``missing``.

        With the scope ``admin`` that is of every tenant, else of one's own.
        """
        balances = await services.overview.ledger()
        if KeyScope.ADMIN not in asker.scopes:
            balances = {tenant: balance for tenant, balance in balances.items() if tenant == asker.tenant}
        return JSONResponse(ledger_body(balances))

    return router


def ledger_body(balances: Mapping[str, TenantBalance]) -> dict[str, Any]:
    """Return the ledger as JSON: the sums of all tenants, and those of each."""
    tenants = {tenant: _balance(balance) for tenant, balance in balances.items()}
    totals = {name: sum(figures[name] for figures in tenants.values()) for name in (*_FIGURES, *_OF_THE_STORE)}
    balanced = all(balance.balanced for balance in balances.values())
    return {**totals, "balanced": balanced, "tenants": tenants}


def probes_router(services: ApiServices) -> APIRouter:
    """Return the doors for those who look after the process."""
    router = APIRouter(tags=["platform"])
    of_metrics = [Depends(asks_query_or_admin)] if services.keys.exposed else []

    @router.get("/health")
    async def health() -> Response:
        """Say that the process is alive."""
        return JSONResponse({"status": "alive"})

    @router.get("/ready")
    async def ready() -> Response:
        """Say whether buffer and store answer."""
        found = await services.overview.ready()
        body = {"ready": not found.reasons, "durability": found.durability, "detail": found.detail, "reasons": found.reasons}
        return JSONResponse(body, 503 if found.reasons else 200, {"Retry-After": "1"} if found.reasons else None)

    @router.get("/metrics", dependencies=of_metrics)
    async def metrics() -> Response:
        """Give the metrics as Prometheus text."""
        return Response(services.metrics(), headers={"Content-Type": METRICS_TYPE})

    return router


def _balance(balance: TenantBalance) -> dict[str, int]:
    figures = {name: getattr(balance.ledger, name) for name in _FIGURES}
    return {**figures, "rows": balance.rows_now, "expired": balance.expired, "missing": balance.missing}
