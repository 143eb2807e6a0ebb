"""Ranking patterns by a question in plain words."""

from typing import Annotated, Any

from fastapi import APIRouter, Body
from fastapi.responses import Response
from pydantic import Field

from zero.application.meaning.search import Hit
from zero.application.ports import Mode
from zero.domain.pattern import format_pattern_id
from zero.interfaces.api.access import Tenant
from zero.interfaces.api.logs import RESPONSES, FiltersBody
from zero.interfaces.api.services import ApiServices
from zero.interfaces.api.shapes import answer_shape, json_answer


class QuestionBody(FiltersBody):
    """A question, and which logs it is about."""

    query: str = Field(description="plain words", examples=["someone is guessing passwords over ssh"])
    mode: Mode = Field(Mode.HYBRID, description="text (words and their synonyms), semantic (vectors), hybrid (both)")
    limit: int = Field(20, description="1 to 1000")


def meaning_router(services: ApiServices) -> APIRouter:
    """Return the door of questions."""
    router = APIRouter(prefix="/api", tags=["patterns"], responses=RESPONSES)

    @router.post("/patterns/search")
    async def search_patterns(tenant: Tenant, body: Annotated[QuestionBody, Body()]) -> Response:
        """Rank patterns by how well they answer a question, with score and reasons; ``count`` is of the logs asked about."""
        hits = await services.meaning.patterns(body.request(tenant), body.mode, body.limit)
        return json_answer({"patterns": [_pattern(hit) for hit in hits]})

    return router


def _pattern(hit: Hit) -> dict[str, Any]:
    ranked, texts = hit.ranked, hit.texts
    named = {"id": format_pattern_id(ranked.group_id), "pattern": texts.group_text, "example": texts.example}
    return {**named, "count": ranked.count, **answer_shape(hit)}
