"""``/api/dead-letters``: what was accepted and could not be stored, for the operator."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict

from zero.application.identity import Identity
from zero.application.ports import DeadLetter
from zero.domain.key import KeyScope
from zero.interfaces.api.access import Admin
from zero.interfaces.api.keys import ADMIN_RESPONSES, actor
from zero.interfaces.api.services import ApiServices
from zero.interfaces.api.shapes import json_answer, log_shape

LetterId = Annotated[str, Path(max_length=64)]


class ReplayIn(BaseModel):
    """An empty object. It has to be JSON, so that web pages of other origins cannot send it (CSRF)."""

    model_config = ConfigDict(extra="forbid")


def dead_letters_router(services: ApiServices) -> APIRouter:
    """Return the doors of dead letters."""
    router = APIRouter(prefix="/api", tags=["platform"], responses=ADMIN_RESPONSES)
    letters = services.dead_letters

    @router.get("/dead-letters")
    async def list_dead_letters(
        admin: Admin,
        after: Annotated[str, Query(max_length=256)] = "",
        limit: Annotated[int, Query(description="1 to 1000")] = 100,
    ) -> Response:
        """List what could not be stored, oldest first, with the reason."""
        found = await letters.list(after, limit)
        cursor = found[-1][0] if len(found) == limit else None
        shapes = [_shape(id, listed.letter, listed.frame_bytes) for id, listed in found]
        return JSONResponse({"dead_letters": shapes, "next_cursor": cursor})

    @router.get("/dead-letters/{id}")
    async def show_dead_letter(admin: Admin, id: LetterId) -> Response:
        """Show one. ``logs`` are its first 100 entries, or null: they are for keys that may read the logs of that tenant."""
        letter = await letters.find(id)
        logs = [log_shape(stored) for stored in letters.logs(letter)] if _reads(admin, letter.tenant) else None
        return json_answer({**_shape(id, letter, len(letter.frame)), "logs": logs})

    @router.post("/dead-letters/{id}/replay")
    async def replay_dead_letter(admin: Admin, id: LetterId, body: ReplayIn) -> Response:
        """Put one back into the buffer, to be stored under the identity it was accepted with. A second time is 404."""
        letter = await letters.replay(id, actor(admin))
        return JSONResponse(_shape(id, letter, len(letter.frame)))

    @router.delete("/dead-letters/{id}")
    async def drop_dead_letter(admin: Admin, id: LetterId) -> Response:
        """Delete one for good; the ledger counts it as ``dropped``."""
        letter = await letters.drop(id, actor(admin))
        return JSONResponse(_shape(id, letter, len(letter.frame)))

    return router


def _reads(identity: Identity, tenant: str) -> bool:
    return KeyScope.QUERY in identity.scopes and identity.tenant == tenant


def _shape(id: str, letter: DeadLetter, frame_bytes: int) -> dict[str, Any]:
    return {
        "id": id,
        "reason": letter.reason,
        "tenant": letter.tenant,
        "entries": letter.count,
        "index": letter.index,
        "shard": letter.position.shard,
        "position": letter.position.entry,
        "frame_bytes": frame_bytes,
    }
