import asyncio
import json

import pytest

from tests.patience import READY_SECONDS_MAX
from zero.domain.entry import Level
from zero.domain.errors import InvalidInput, Overloaded, QueryTooExpensive, StoreHalted, StoreUnavailable, Unavailable
from zero.domain.pattern import format_pattern_id
from zero.infrastructure.memory.query_evaluator import message_id


async def test_a_log_has_the_promised_shape(api) -> None:
    stored = api.store(
        "hi", 0.000000001, 7, level=Level.ERROR, app_id="web", source="n1", trace_id="t", span_id="s", user_id="u",
        metadata={"a": 1, "a.b": "x", "big": 2**63, "f": 1.0, "ok": True},
    )  # fmt: skip
    answer = await api.client.get("/api/logs")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "logs": [
            {
                "id": stored.id, "timestamp": "2026-11-22T10:00:00.000000001Z", "level": "ERROR", "app_id": "web",
                "message": "hi", "source": "n1", "environment": "prod", "trace_id": "t", "span_id": "s", "user_id": "u",
                "pattern_id": format_pattern_id(message_id("hi")),
                "metadata": {"a": 1, "a.b": "x", "big": 2**63, "f": 1.0, "ok": True},
            }
        ],
        "next_cursor": None,
    }  # fmt: skip
    assert '"big":9223372036854775808' in answer.text and '"f":1.0' in answer.text


async def test_a_number_that_json_cannot_hold_is_given_as_text(api) -> None:
    api.store("hi", metadata={"inf": float("inf")})
    assert (await api.client.get("/api/logs")).json()["logs"][0]["metadata"] == {"inf": "inf"}


async def test_search_takes_query_filters_times_and_pages(api) -> None:
    for second in range(5):
        api.store(f"error {second}", second, app_id="web", level=Level.ERROR)
    api.store("error", 9, app_id="db")
    first = (await api.client.get("/api/logs?q=error&app_id=web&level=error,fatal&level=warn&limit=2")).json()
    assert [log["message"] for log in first["logs"]] == ["error 4", "error 3"]
    path = f"/api/logs?q=error&app_id=web&level=error,fatal&level=warn&limit=2&cursor={first['next_cursor']}"
    assert await api.messages(path) == ["error 2", "error 1"]
    assert await api.messages("/api/logs?from=2026-11-22T10:00:03Z&to=2026-11-22T10:00:09Z") == ["error 4", "error 3"]
    assert await api.messages("/api/logs?from=-1h&to=now&q=4") == []


async def test_one_app_has_a_path_of_its_own_even_with_odd_characters(api) -> None:
    for app_id in ("web", "a/b c", "%2F"):
        api.store(app_id, app_id=app_id)
    assert await api.messages("/api/logs/web") == ["web"]
    assert await api.messages("/api/logs/a/b%20c") == ["a/b c"]
    assert await api.messages("/api/logs/%252F") == ["%2F"]
    assert await api.messages("/api/logs/web?q=nothing") == []


async def test_a_search_document_finds_the_same(api) -> None:
    api.store("error", 1, app_id="web", level=Level.ERROR)
    body = {
        "query": "error",
        "mode": "text",
        "app_id": "web",
        "level": ["error"],
        "time_range": {"from": 1_795_341_601, "to": "now"},
    }
    answer = await api.client.post("/api/logs/search", json={**body, "time_range": {"from": 1_795_341_601}})
    assert [log["message"] for log in answer.json()["logs"]] == ["error"]


async def test_null_in_a_document_is_as_good_as_absent(api) -> None:
    api.store("error", 1)
    names = ("query", "mode", "app_id", "level", "time_range", "limit", "cursor")
    answer = await api.client.post("/api/logs/search", json=dict.fromkeys(names))
    assert [log["message"] for log in answer.json()["logs"]] == ["error"]
    answer = await api.client.post("/api/patterns/search", json=dict.fromkeys(names[:-1]) | {"query": "error"})
    assert [pattern["count"] for pattern in answer.json()["patterns"]] == [1]


@pytest.mark.parametrize("failure", [Overloaded("spent by sk-1"), Unavailable("refused: sk-1", retry_after_seconds=9)])
@pytest.mark.parametrize("path", ["/api/logs/search", "/api/patterns/search"])
async def test_without_vectors_hybrid_goes_on_by_words_and_semantic_says_no_more_than_that(api, path: str, failure) -> None:
    api.store("payment failed")
    api.embedder.failure = failure
    for _ in range(2):
        answer = await api.client.post(path, json={"query": "payments", "mode": "hybrid"})
        assert answer.status_code == 200 and "payment failed" in answer.text, answer.text
    answer = await api.client.post(path, json={"query": "payments", "mode": "semantic"})
    assert answer.status_code == 503 and "sk-1" not in answer.text
    assert answer.json()["error"]["message"].endswith("which go on by words")
    assert [event.message for event in api.telemetry.events if event.name == "questions_halted"] == [failure.message]


@pytest.mark.parametrize("text", ["404", "?!", "x" * 5_000])
async def test_what_is_no_question_is_refused_by_the_name_of_its_field(api, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await api.services.meaning.about("default", text, 5)
    assert caught.value.field == "about"
    answer = await api.client.post("/api/patterns/search", json={"query": text})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "query")


async def test_a_log_is_shown_among_its_neighbours_though_all_share_one_timestamp(api) -> None:
    stored = [api.store(f"line {number}", index=number, app_id="batch") for number in range(100)]
    api.store("of another app", index=200, app_id="other")
    path = f"/api/around?id={stored[50].id}&limit=2"
    assert await api.messages(f"{path}&app_id=batch") == [f"line {number}" for number in (52, 51, 50, 49, 48)]
    assert await api.messages(f"/api/around?id={stored[99].id}&limit=1") == ["of another app", "line 99", "line 98"]
    answer = await api.client.get(f"/api/around?id={'1' * 24}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_lines_are_looked_for_while_the_texts_of_their_patterns_are(api, monkeypatch) -> None:
    api.store("payment failed")
    texts, latest, begun, ended = api.ranker.texts, api.reader.latest, asyncio.Event(), asyncio.Event()

    async def late_texts(*given):
        try:
            await asyncio.wait_for(begun.wait(), READY_SECONDS_MAX)
            return await texts(*given)
        finally:
            ended.set()

    async def begin(*given):
        begun.set()
        return await latest(*given)

    async def fail(*_):
        await asyncio.sleep(0)
        raise StoreUnavailable("down")

    monkeypatch.setattr(api.ranker, "texts", late_texts)
    monkeypatch.setattr(api.reader, "latest", begin)
    question = {"query": "payments", "mode": "hybrid"}
    (log,) = (await api.client.post("/api/logs/search", json=question)).json()["logs"]
    assert log["why"]["words"] == [{"asked": "payments", "found": "payment"}]
    begun.clear(), ended.clear()
    monkeypatch.setattr(api.reader, "latest", fail)
    assert (await api.client.post("/api/logs/search", json=question)).status_code == 503
    assert ended.is_set()  # nothing of a question goes on behind its answer


@pytest.mark.parametrize("mode", ["semantic", "hybrid"])
async def test_lines_found_by_meaning_say_how_well_they_answer_and_why(api, mode: str) -> None:
    for index, message in enumerate(["wrong password for bob", "disk is full", "wrong password for eve"]):
        api.store(message, seconds=index, index=index)
    answer = await api.client.post("/api/logs/search", json={"query": "wrong passwords", "mode": mode, "limit": 2})
    assert answer.status_code == 200, answer.text
    logs = answer.json()["logs"]
    assert [log["message"] for log in logs] == ["wrong password for eve", "wrong password for bob"]
    assert 0 < logs[0]["score"] <= 1
    assert {"asked": "passwords", "found": "password"} in logs[0]["why"]["words"]


@pytest.mark.parametrize("query", ["", "   ", "123 456", "x " * 3000])
async def test_a_question_without_words_or_bound_is_refused(api, query: str) -> None:
    for path in ("/api/logs/search", "/api/patterns/search"):
        answer = await api.client.post(path, json={"query": query, "mode": "hybrid"})
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, "query")


async def test_patterns_are_ranked_by_a_question(api) -> None:
    for index, message in enumerate(["wrong password for bob", "disk is full", "wrong password for bob"]):
        api.store(message, index=index, app_id="auth" if index < 2 else "web")
    body = {"query": "wrong passwords", "mode": "text"}
    answer = await api.client.post("/api/patterns/search", json=body)
    (pattern,) = answer.json()["patterns"]
    assert (pattern["pattern"], pattern["example"], pattern["count"]) == ("wrong password for bob", "wrong password for bob", 2)
    answer = await api.client.post("/api/patterns/search", json=body | {"app_id": "web"})
    assert [pattern["count"] for pattern in answer.json()["patterns"]] == [1]
    for bad in ({"limit": 0}, {"limit": 1001}, {"level": ["loud"]}, {"time_range": {"from": "soon"}}, {"mode": "magic"}):
        answer = await api.client.post("/api/patterns/search", json=body | bad)
        assert answer.status_code in (400, 422), answer.text


async def test_a_query_mistake_comes_back_with_its_position(api) -> None:
    answer = await api.client.get("/api/logs", params={"q": "level:error AND"})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["position"]) == ("query_syntax", 15)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/logs?cursor=nonsense", "cursor"),
        ("/api/logs?cursor=" + "A" * 50, "cursor"),
        ("/api/logs?limit=0", "limit"),
        ("/api/logs?limit=1001", "limit"),
        ("/api/logs?limit=many", "limit"),
        ("/api/logs?from=soon", "from"),
        ("/api/logs?level=loud", "level"),
        ("/api/logs?levle=error", "levle"),
        ("/api/logs?tenant=other", "tenant"),
        ("/api/logs?app_id=%00", "app_id"),
        ("/api/logs/", "app_id"),
        ("/api/histogram?buckets=0", "buckets"),
        ("/api/around", "id"),
        ("/api/around?id=-" + "1" * 23, "id"),
        ("/api/around?id=" + "1" * 24 + "&limit=501", "limit"),
        ("/api/facets?limit=101", "limit"),
        ("/api/dead-letters?limit=0", "limit"),
        ("/api/logs/tail?after=xyz", "Last-Event-ID"),
    ],
)
async def test_a_wrong_parameter_is_named(api, path: str, field: str) -> None:
    answer = await api.client.get(path)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == field
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", None),
        (b"[]", None),
        (b'{"query":5}', "query"),
        (b'{"mode":"magic"}', "mode"),
        (b'{"tenant":"other"}', "tenant"),
        (b'{"tenant":null}', "tenant"),
        (b'{"time_range":{"from":[]}}', "time_range.from"),
        (b'{"time_range":{"from":true}}', "time_range.from"),
        (b'{"time_range":{"to":false}}', "time_range.to"),
        (b'{"level":["loud"]}', "level"),
        (b'{"limit":1e400}', "limit"),
        (b'{"query":"\\ud800"}', None),
        (b'{"app_id":"\\ud800"}', "app_id"),
    ],
)
async def test_a_wrong_document_is_answered_with_400(api, body: bytes, field: str | None) -> None:
    answer = await api.client.post("/api/logs/search", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    error = answer.json()["error"]
    if field:
        assert error["field"].startswith(field)


@pytest.mark.parametrize("media", ["application/x-www-form-urlencoded", "text/plain", ""])
async def test_a_document_that_is_not_sent_as_json_is_told_how(api, media: str) -> None:
    headers = {"content-type": media} if media else {}
    answer = await api.client.post("/api/logs/search", content=b'{"query":"error"}', headers=headers)
    assert answer.status_code == 415
    error = answer.json()["error"]
    assert (error["code"], error["field"]) == ("unsupported_media_type", "Content-Type")
    assert "Content-Type: application/json" in error["message"]


async def test_the_door_of_documents_is_no_app(api) -> None:
    answer = await api.client.get("/api/logs/search")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["error"]["code"] == "method_not_allowed"


async def test_a_deep_document_is_refused(api) -> None:
    body = b'{"query":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    answer = await api.client.post("/api/logs/search", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (StoreUnavailable("gone"), 503, "store_unavailable"),
        (StoreHalted("no table", store_code=60), 503, "store_halted"),
        (Overloaded("busy"), 429, "overloaded"),
        (QueryTooExpensive("too much"), 422, "query_too_expensive"),
    ],
)
async def test_a_failing_store_is_answered_in_the_same_form(api, failure: Exception, status: int, code: str) -> None:
    api.reader.failure = failure
    answer = await api.client.get("/api/logs")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert ("retry-after" in answer.headers) is (status in (429, 503))


async def test_the_histogram_counts_by_level(api) -> None:
    api.store("a", 0)
    api.store("b", 1, level=Level.ERROR)
    api.store("c", 61)
    answer = (await api.client.get("/api/histogram?from=2026-11-22T10:00:00Z&to=2026-11-22T10:02:00Z&buckets=2")).json()
    assert answer["step_seconds"] == 60
    assert answer["buckets"] == [
        {"start": "2026-11-22T10:00:00.000000000Z", "count": 2, "levels": {"INFO": 1, "ERROR": 1}},
        {"start": "2026-11-22T10:01:00.000000000Z", "count": 1, "levels": {"INFO": 1}},
    ]


async def test_facets_count_values_of_what_the_query_finds(api) -> None:
    api.store("a", app_id="web")
    api.store("a", 1, app_id="web")
    api.store("b", app_id="db")
    answer = (await api.client.get("/api/facets?q=a")).json()
    assert answer["app_id"] == [{"value": "web", "count": 2}]
    assert set(answer) == {"app_id", "level", "environment", "source"}


async def test_every_answer_is_json_even_for_what_is_not_there(api) -> None:
    for method, path, status, code in (
        ("GET", "/nothing", 404, "not_found"),
        ("DELETE", "/api/logs", 405, "method_not_allowed"),
        ("GET", "/assets/..%2fapp.py", 404, "not_found"),
    ):
        answer = await api.client.request(method, path)
        assert (answer.status_code, json.loads(answer.content)["error"]["code"]) == (status, code)


async def test_a_search_that_is_not_json_says_where(api) -> None:
    answer = await api.client.post("/api/logs/search", content=b'{"query": nope}', headers={"content-type": "application/json"})
    error = answer.json()["error"]
    assert (answer.status_code, error["position"]) == (400, 10)
    assert error["message"] == "the body is not valid JSON at character 10"
