"""Searching logs: pages, facets, the histogram."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException

from zero.application.ports import Mode
from zero.application.search import SearchPage, SearchRequest
from zero.domain.instant import format_instant
from zero.interfaces.api.access import Tenant
from zero.interfaces.api.services import ApiServices
from zero.interfaces.api.shapes import ErrorOut, LogsOut, answer_shape, json_answer, log_shape

RESPONSES: dict[int | str, dict[str, Any]] = {status: {"model": ErrorOut} for status in (400, 401, 403, 429, 503)}
_TIME = "RFC 3339, seconds since 1970 (ms, µs, ns by size), now, or -15m"


class Filters(BaseModel):
    """The filters of a search as query parameters."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field("", description="query; docs/search.md", examples=['level:error "No Route to Host"'])
    app_id: str | None = None
    level: list[str] = Field([], description="one or more levels, also comma-separated")
    from_: str | None = Field(None, alias="from", description=f"first moment: {_TIME}")
    to: str | None = Field(None, description=f"moment after the last: {_TIME}")

    def request(self, tenant: str) -> SearchRequest:
        """Return the search of that tenant."""
        levels = [name for part in self.level for name in part.split(",") if name]
        return SearchRequest(tenant, self.q, self.app_id, levels, self.from_, self.to)


class PageFilters(Filters):
    """A search that comes in pages."""

    limit: int = Field(100, description="1 to 1000")
    cursor: str | None = Field(None, description="next_cursor of the page before")


class AroundFilters(Filters):
    """A search, and the entry whose neighbours among the found are asked for."""

    id: str = Field(description="the entry in the middle", max_length=64)
    limit: int = Field(25, description="entries on either side, 1 to 500")


class HistogramFilters(Filters):
    """A search counted over time."""

    buckets: int = Field(60, description="1 to 1000; the step is the next that people can read")


class FacetFilters(Filters):
    """A search counted by value."""

    limit: int = Field(10, description="values a field, 1 to 100")


def _no_truth(value: object) -> object:
    """Refuse booleans, which pydantic would take for the numbers 1 and 0. Raises ValueError."""
    if isinstance(value, bool):
        raise ValueError(f"a moment is {_TIME}")
    return value


Moment = Annotated[str | int | float, BeforeValidator(_no_truth)]


class Document(BaseModel):
    """What is posted. Many clients write null for what they do not say: it is as good as absent."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        return {key: value for key, value in given.items() if value is not None or key not in cls.model_fields}


class TimeRange(Document):
    """From the first moment up to, not including, the second."""

    from_: Moment | None = Field(None, alias="from")
    to: Moment | None = None


class FiltersBody(Document):
    """The filters of a search as JSON; as in ``Filters``."""

    query: str
    app_id: str | None = None
    level: list[str] = Field(default_factory=list, max_length=32)
    time_range: TimeRange = Field(default_factory=lambda: TimeRange.model_validate({}))

    def request(self, tenant: str) -> SearchRequest:
        """Return the search of that tenant."""
        start, end = self.time_range.from_, self.time_range.to
        return SearchRequest(tenant, self.query, self.app_id, self.level, _as_text(start), _as_text(end))


class SearchBody(FiltersBody):
    """A search as JSON."""

    query: str = ""
    mode: Mode = Mode.TEXT
    limit: int = 100
    cursor: str | None = None


def logs_router(services: ApiServices) -> APIRouter:
    """Return the search doors."""
    router = APIRouter(prefix="/api", tags=["search"], responses=RESPONSES)

    @router.get("/logs", response_model=LogsOut)
    async def find_logs(tenant: Tenant, filters: Annotated[PageFilters, Query()]) -> Response:
        """Find logs, newest first."""
        return _page(await services.search.find(filters.request(tenant), filters.limit, filters.cursor))

    @router.post("/logs/search", response_model=LogsOut)
    async def search_logs(tenant: Tenant, body: SearchBody) -> Response:
        """Find logs by a JSON search, newest first. In modes semantic and hybrid the query is a question in plain words; each
        log then says how well its pattern answers it (``score``), and ``why``."""
        if body.mode is Mode.TEXT:
            return _page(await services.search.find(body.request(tenant), body.limit, body.cursor))
        page = await services.meaning.lines(body.request(tenant), body.mode, body.limit, body.cursor)
        logs = [{**log_shape(line.stored), **(answer_shape(line.hit) if line.hit else {})} for line in page.lines]
        return json_answer({"logs": logs, "next_cursor": page.next_cursor})

    @router.get("/around", response_model=LogsOut)
    async def around(tenant: Tenant, filters: Annotated[AroundFilters, Query()]) -> Response:
        """Show a log among those found right before and after it, newest first."""
        return _page(SearchPage(await services.search.around(filters.request(tenant), filters.id, filters.limit), None))

    @router.get("/histogram")
    async def histogram(tenant: Tenant, filters: Annotated[HistogramFilters, Query()]) -> Response:
        """Count logs by level over time. Without times it covers the day that ends now."""
        timeline = await services.timeline.count(filters.request(tenant), filters.buckets)
        buckets: dict[int, dict[str, int]] = {}
        for tally in timeline.tallies:
            buckets.setdefault(tally.start_ns, {})[tally.level.name] = tally.count
        return JSONResponse(
            {
                "from": format_instant(timeline.from_ns),
                "to": format_instant(timeline.to_ns),
                "step_seconds": timeline.step_seconds,
                "buckets": [
                    {"start": format_instant(start_ns), "count": sum(levels.values()), "levels": levels}
                    for start_ns, levels in buckets.items()
                ],
            }
        )

    @router.get("/facets")
    async def facets(tenant: Tenant, filters: Annotated[FacetFilters, Query()]) -> Response:
        """Count logs by their most frequent apps, levels, environments and sources."""
        found = await services.search.facets(filters.request(tenant), filters.limit)
        return JSONResponse({field: [{"value": v, "count": n} for v, n in values] for field, values in found.items()})

    return router


def app_router(services: ApiServices) -> APIRouter:
    """Return the door of one app's logs. It comes last: ``search`` and ``tail`` are doors before they are apps."""
    router = APIRouter(prefix="/api", tags=["search"], responses=RESPONSES)

    @router.get("/logs/search", include_in_schema=False)
    async def search_without_document(tenant: Tenant) -> Response:
        """Refuse: it is a door, and no app."""
        raise HTTPException(405, "search documents are posted; /api/logs?q= searches without one", {"Allow": "POST"})

    @router.get("/logs/{app_id:path}", response_model=LogsOut)
    async def find_app_logs(
        tenant: Tenant, filters: Annotated[PageFilters, Query()], app_id: Annotated[str, Path(min_length=1, max_length=512)]
    ) -> Response:
        """Find the logs of one app, newest first."""
        narrowed = filters.model_copy(update={"app_id": app_id})
        return _page(await services.search.find(narrowed.request(tenant), filters.limit, filters.cursor))

    return router


def _page(page: SearchPage) -> Response:
    return json_answer({"logs": [log_shape(stored) for stored in page.entries], "next_cursor": page.next_cursor})


def _as_text(moment: str | int | float | None) -> str | None:
    return None if moment is None else str(moment)
