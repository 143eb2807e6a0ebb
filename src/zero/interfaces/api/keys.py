"""``/api/keys`` and ``/api/audit``: administration, for keys with the scope ``admin``."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from zero.application.identity import Identity
from zero.application.key_shapes import act_shape, instant, key_shape, new_key_shape
from zero.application.keys import KeyRequest
from zero.domain.key import KeyScope, Quota
from zero.interfaces.api.access import Admin
from zero.interfaces.api.services import ApiServices
from zero.interfaces.api.shapes import ErrorOut

ADMIN_RESPONSES: dict[int | str, dict[str, Any]] = {status: {"model": ErrorOut} for status in (400, 401, 403, 404, 429, 503)}


class QuotaIn(BaseModel):
    """What a key may do; absent is without a limit."""

    model_config = ConfigDict(extra="forbid")

    requests_per_second: int | None = None
    bytes_per_second: int | None = None
    in_flight_max: int | None = None


class KeyIn(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(extra="forbid")

    tenant: str
    scopes: list[KeyScope] = Field(max_length=len(KeyScope))
    label: str = ""
    expires_seconds: int | None = Field(None, description="how long it lives; absent is for ever")
    quota: QuotaIn = Field(default_factory=QuotaIn)

    def request(self) -> KeyRequest:
        """Return what is asked for. Raises InvalidInput."""
        quota = Quota(**self.quota.model_dump())
        return KeyRequest(self.tenant, frozenset(self.scopes), self.label, self.expires_seconds, quota)


class RotationIn(BaseModel):
    """How long the old key goes on working beside the new one."""

    model_config = ConfigDict(extra="forbid")

    overlap_seconds: int = 3600


def keys_router(services: ApiServices) -> APIRouter:
    """Return the doors of administration."""
    router = APIRouter(prefix="/api", tags=["keys"], responses=ADMIN_RESPONSES)
    keys = services.key_admin

    @router.get("/keys")
    async def list_keys(admin: Admin) -> Response:
        """List every key, ended ones too; no secret can be had again."""
        return JSONResponse({"keys": [key_shape(key) | {"last_used": instant(used)} for key, used in await keys.list()]})

    @router.post("/keys", status_code=201)
    async def create_key(admin: Admin, body: KeyIn) -> Response:
        """Make a key; ``key`` is shown in this answer and never again."""
        made = await keys.create(body.request(), actor(admin))
        return JSONResponse(new_key_shape(made), 201)

    @router.post("/keys/{id}/rotate", status_code=201)
    async def rotate_key(admin: Admin, id: str, body: RotationIn) -> Response:
        """Make a key like this one, which ends after the overlap."""
        return JSONResponse(new_key_shape(await keys.rotate(id, body.overlap_seconds, actor(admin))), 201)

    @router.delete("/keys/{id}")
    async def revoke_key(admin: Admin, id: str) -> Response:
        """End a key: within about two seconds no process takes it any more."""
        return JSONResponse(key_shape(await keys.revoke(id, actor(admin))))

    @router.get("/audit")
    async def audit(
        admin: Admin,
        before: Annotated[str, Query(max_length=64, description="next_cursor of the page before")] = "",
        limit: Annotated[int, Query(description="1 to 1000")] = 100,
    ) -> Response:
        """List acts of administration, newest first."""
        acts = await keys.audit(before, limit)
        cursor = acts[-1][0] if len(acts) == limit else None
        return JSONResponse({"acts": [act_shape(act) for _, act in acts], "next_cursor": cursor})

    return router


def actor(identity: Identity) -> str:
    """Return how the audit log names who asks."""
    return f"key:{identity.key_id}" if identity.key_id else "anyone"
