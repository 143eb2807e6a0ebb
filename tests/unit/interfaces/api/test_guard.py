import httpx
import pytest

from zero.interfaces.api.app import create_app
from zero.interfaces.api.options import ApiOptions


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080", "LOCALHOST"])
async def test_names_of_this_machine_are_answered(api, host: str) -> None:
    assert (await api.client.get("/health", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8080", "localhost.evil.example", "", "10.0.0.1", "[fe80::1]"]
)
async def test_a_name_that_was_bent_to_this_machine_is_refused(api, host: str) -> None:
    answer = await api.client.get("/api/logs", headers={"host": host})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "host_not_allowed")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_an_api_for_others_answers_to_any_name(api) -> None:
    app = create_app(api.services, ApiOptions(host="0.0.0.0"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://logs.example") as client:
        assert (await client.get("/health")).status_code == 200


async def test_every_answer_keeps_a_browser_careful(api) -> None:
    for path in ("/", "/api/logs", "/nothing", "/api/logs?limit=0", "/assets/docs.js"):
        headers = (await api.client.get(path, headers={"origin": "https://evil.example"})).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert not [name for name in headers if name.startswith("access-control")]


async def test_a_large_body_is_refused_whether_it_says_so_or_not(api) -> None:
    body = b'{"query":"' + b"x" * 70_000 + b'"}'

    async def chunks():
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    for content in (body, chunks()):
        answer = await api.client.post("/api/logs/search", content=content, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
