import re

import pytest

from tests.unit.interfaces.api.conftest import NOW_S
from zero.application.ports import Append, DeadLetter, Settlement
from zero.domain.errors import StoreUnavailable
from zero.domain.ledger import day_of


async def fill(api, accepted: int, stored: int) -> None:
    """Accept entries in frames of one, settle some."""
    await api.buffer.append([Append(0, b"frame", "default", 1) for _ in range(accepted)])
    lease = await api.buffer.acquire(0, "me")
    deliveries = await api.buffer.read(lease, stored, 0)
    positions, today = [delivery.position for delivery in deliveries], day_of(NOW_S * 1000)
    await api.buffer.settle(lease, Settlement(positions, {"default": stored}, (), {("default", today): stored}))
    for number in range(stored):
        api.store("row", number)


async def test_the_ledger_balances_and_shows_the_rows_of_the_store(api) -> None:
    await fill(api, accepted=5, stored=3)
    answer = (await api.client.get("/api/ledger")).json()
    figures = {"accepted": 5, "stored": 3, "dead_lettered": 0, "in_buffer": 2, "dropped": 0}
    figures |= {"rows": 3, "expired": 0, "missing": 0}
    assert answer == {**figures, "balanced": True, "tenants": {"default": figures}}


async def test_a_double_row_shows_as_out_of_balance_and_a_lost_one_as_missing(api) -> None:
    await fill(api, accepted=3, stored=3)
    api.store("double", 0)
    assert (await api.client.get("/api/ledger")).json()["balanced"] is False
    del api.reader.stored[:2]
    assert (await api.client.get("/api/ledger")).json()["missing"] == 1


async def test_stats_say_what_is_stored(api) -> None:
    await fill(api, accepted=5, stored=3)
    answer = (await api.client.get("/api/stats")).json()
    assert (answer["stored"], answer["by_app"], answer["by_level"]) == (3, {"default": 3}, {"INFO": 3})
    assert answer["entries_per_second"] == 0.05
    assert answer["buffer"]["frames"] == 2


async def bury(api, count: int) -> None:
    await api.buffer.append([Append(0, b"frame", "default", 1) for _ in range(count)])
    lease = await api.buffer.acquire(0, "me")
    deliveries = await api.buffer.read(lease, count, 0)
    letters = [DeadLetter(d.position, "because", "default", 1, b"frame", 0) for d in deliveries]
    await api.buffer.settle(lease, Settlement([d.position for d in deliveries], dead_letters=letters))


async def test_a_page_of_dead_letters_is_read_few_by_few_for_each_may_be_large(api) -> None:
    await bury(api, 11)
    read, asked = api.buffer.dead_letters, []

    async def watched(after: str, limit: int):
        asked.append(limit)
        return await read(after, limit)

    api.buffer.dead_letters = watched
    page = (await api.client.get("/api/dead-letters?limit=10")).json()
    assert [letter["frame_bytes"] for letter in page["dead_letters"]] == [5] * 10
    rest = (await api.client.get(f"/api/dead-letters?limit=10&after={page['next_cursor']}")).json()
    assert (len(rest["dead_letters"]), rest["next_cursor"]) == (1, None)
    assert max(asked) <= 8


async def test_dead_letters_are_listed_with_their_reason(api) -> None:
    await bury(api, 3)
    first = (await api.client.get("/api/dead-letters?limit=2")).json()
    assert [letter["reason"] for letter in first["dead_letters"]] == ["because", "because"]
    rest = (await api.client.get(f"/api/dead-letters?limit=2&after={first['next_cursor']}")).json()
    assert (len(rest["dead_letters"]), rest["next_cursor"]) == (1, None)


async def test_readiness_names_what_is_missing(api) -> None:
    answer = await api.client.get("/ready")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    api.reader.failure = StoreUnavailable("the store is away")
    answer = await api.client.get("/ready")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["the store is away"])
    assert (await api.client.get("/health")).status_code == 200


@pytest.mark.parametrize(("path", "status"), [("/api/logs", 405), ("/v1/logs", 404), ("/logs-shop/_bulk", 404)])
async def test_logs_that_are_sent_to_the_api_are_told_where_they_go(api, path: str, status: int) -> None:
    answer = await api.client.post(path, json={"message": "lost"})
    assert answer.status_code == status
    assert answer.json()["error"]["message"].endswith("logs are sent to ingest, at ZERO_INGEST_HTTP")


async def test_metrics_are_prometheus_text(api) -> None:
    answer = await api.client.get("/metrics")
    assert answer.text == "zero_up 1\n"
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize("path", ["/", "/api/docs"])
async def test_pages_load_nothing_from_elsewhere_and_run_no_inline_script(api, path: str) -> None:
    page = await api.client.get(path)
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert "//" not in page.text.replace("http://127.0.0.1:8080", "")
    assert re.findall(r"<script(?! (?:type=\"module\" )?src=\"/assets/)", page.text) == []
    assert "script-src 'self';" in page.headers["content-security-policy"]
    for asset in re.findall(r'(?:src|href)="(/assets/[^"]+)"', page.text):
        answer = await api.client.get(asset)
        assert answer.status_code == 200 and len(answer.content) > 50


async def test_the_openapi_document_names_every_door(api) -> None:
    paths = (await api.client.get("/api/openapi.json")).json()["paths"]
    assert {
        "/api/logs", "/api/logs/{app_id}", "/api/logs/search", "/api/logs/tail", "/api/histogram", "/api/facets", "/api/stats",
        "/api/patterns", "/api/patterns/{id}", "/api/anomalies", "/api/ledger", "/api/dead-letters", "/api/dead-letters/{id}",
        "/api/dead-letters/{id}/replay", "/health", "/ready", "/metrics",
    } <= set(paths)  # fmt: skip
