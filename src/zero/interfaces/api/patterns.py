"""Patterns: what the logs have in common, and what of it is out of the ordinary."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import Field

from zero.application.patterns.anomalies import Anomaly
from zero.application.patterns.listing import PatternRow
from zero.domain.errors import InvalidInput
from zero.domain.instant import NANOSECONDS_PER_SECOND, format_instant
from zero.domain.pattern import Pattern, format_pattern_id, parse_pattern_id
from zero.interfaces.api.access import Tenant
from zero.interfaces.api.logs import RESPONSES, Filters
from zero.interfaces.api.services import ApiServices
from zero.interfaces.api.shapes import json_answer


class Sort(StrEnum):
    """The order of patterns: most or fewest entries first, or the latest to be seen for the first time."""

    FREQUENT = "frequent"
    RARE = "rare"
    NEW = "new"


class PatternFilters(Filters):
    """A search counted by pattern."""

    sort: Sort = Field(Sort.FREQUENT, description="frequent, rare, or new (latest first)")
    new_since: str | None = Field(None, description="only patterns first seen then or later: a time like from")
    limit: int = Field(100, description="1 to 1000")


class AnomalyFilters(Filters):
    """A search for what differs from the time before it. Without times it looks at the hour that ends now."""

    about: str = Field("", max_length=4096, description="only what has to do with this, in plain words")
    limit: int = Field(100, description="1 to 1000")


def patterns_router(services: ApiServices) -> APIRouter:
    """Return the doors of patterns."""
    router = APIRouter(prefix="/api", tags=["patterns"], responses=RESPONSES)

    @router.get("/patterns")
    async def patterns(tenant: Tenant, filters: Annotated[PatternFilters, Query()]) -> Response:
        """List the patterns of the logs found, with counts by level, app and time."""
        page = await services.patterns.find(filters.request(tenant), filters.sort.value, filters.limit, filters.new_since)
        return json_answer(
            {
                "from": format_instant(page.from_ns),
                "to": format_instant(page.to_ns),
                "step_seconds": page.step_ns / NANOSECONDS_PER_SECOND,
                "patterns": [_row(row) for row in page.rows],
            }
        )

    @router.get("/patterns/{id}")
    async def pattern(tenant: Tenant, id: Annotated[str, Path(max_length=64)]) -> Response:
        """Show a pattern and the masked texts that it is made of, most frequent first. ``q=pattern_id:ID`` finds its lines."""
        try:
            identity = parse_pattern_id(id)
        except ValueError as error:
            raise InvalidInput(str(error), field="id") from error
        members = await services.patterns.members(tenant, identity)
        return json_answer(
            {
                "id": format_pattern_id(members[0].group_id),
                "pattern": members[0].group_text,
                "members": [_member(member) for member in members],
            }
        )

    @router.get("/anomalies")
    async def anomalies(tenant: Tenant, filters: Annotated[AnomalyFilters, Query()]) -> Response:
        """List the patterns that are new, have vanished, or are far off their usual rate, the strangest first."""
        found = await services.anomalies.find(filters.request(tenant), filters.about, filters.limit)
        return json_answer(
            {
                "from": format_instant(found.from_ns),
                "to": format_instant(found.to_ns),
                "baseline_from": format_instant(found.baseline_from_ns),
                "anomalies": [_anomaly(anomaly) for anomaly in found.anomalies],
            }
        )

    return router


def _row(row: PatternRow) -> dict[str, Any]:
    counted = row.counted
    return {
        "id": format_pattern_id(counted.id),
        "pattern": counted.text,
        "example": counted.example,
        "count": counted.count,
        "first_seen": format_instant(counted.first_seen_ns),
        "last_seen": format_instant(counted.last_seen_ns),
        "levels": {level.name: count for level, count in row.levels.items()},
        "apps": list(row.apps),
        "sparkline": list(row.sparkline),
    }


def _member(pattern: Pattern) -> dict[str, Any]:
    return {
        "id": format_pattern_id(pattern.id),
        "pattern": pattern.text,
        "example": pattern.example,
        "count": pattern.count,
        "first_seen": format_instant(pattern.first_seen_ns),
        "last_seen": format_instant(pattern.last_seen_ns),
    }


def _anomaly(anomaly: Anomaly) -> dict[str, Any]:
    return {
        "id": format_pattern_id(anomaly.id),
        "pattern": anomaly.text,
        "example": anomaly.example,
        "kind": anomaly.kind,
        "observed": anomaly.observed,
        "expected": round(anomaly.expected, 3),
        "score": round(anomaly.score, 2),
        "first_seen": format_instant(anomaly.first_seen_ns),
        "baseline": list(anomaly.baseline),
    }
