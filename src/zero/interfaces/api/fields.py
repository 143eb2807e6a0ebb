"""What a query can be completed with."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from zero.interfaces.api.access import Tenant
from zero.interfaces.api.logs import RESPONSES, Filters
from zero.interfaces.api.services import ApiServices


class NameFilters(Filters):
    """Which names are asked for."""

    prefix: str = Field("", description="what the name begins with, in any case")
    limit: int = Field(20, description="1 to 100")


class ValueFilters(NameFilters):
    """Which values are asked for; ``prefix`` is that of the value."""

    field: str = Field(description="name of a field or a metadata key, as in a query", min_length=1, max_length=256)


def fields_router(services: ApiServices) -> APIRouter:
    """Return the doors that complete a query."""
    router = APIRouter(prefix="/api", tags=["search"], responses=RESPONSES)

    @router.get("/fields")
    async def fields(tenant: Tenant, filters: Annotated[NameFilters, Query()]) -> Response:
        """Name the fields and the metadata keys of the newest matching logs."""
        names = await services.fields.names(filters.request(tenant), filters.prefix, filters.limit)
        found = [{"name": one.name, "kind": "metadata" if one.is_key else "field"} for one in names]
        return JSONResponse({"fields": found})

    @router.get("/fields/values")
    async def values(tenant: Tenant, filters: Annotated[ValueFilters, Query()]) -> Response:
        """Count the most frequent values of a field in the newest matching logs."""
        found = await services.fields.values(filters.request(tenant), filters.field, filters.prefix, filters.limit)
        return JSONResponse({"field": filters.field, "values": [{"value": value, "count": count} for value, count in found]})

    return router
