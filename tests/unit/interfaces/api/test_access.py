"""Every route of the api with every kind of key, and what administration does."""

import re

import httpx
import pytest
from starlette.routing import Route

from tests.unit.interfaces.api.conftest import CODEC
from zero.application.key_ring import KeyRing, KeyRingOptions
from zero.application.keys import KeyRequest
from zero.application.ports import DeadLetter, Settlement
from zero.domain.entry import LogEntry
from zero.domain.frame import pack_frame
from zero.domain.key import KeyScope, Quota
from zero.infrastructure.codec.log_batch import write_log_batch
from zero.infrastructure.memory import MemoryTelemetry
from zero.interfaces.api.app import create_app
from zero.interfaces.api.options import ApiOptions

INGEST, QUERY, ADMIN = KeyScope.INGEST, KeyScope.QUERY, KeyScope.ADMIN
OPEN: frozenset[KeyScope] = frozenset()
RULES = {
    "GET /": OPEN,
    "GET /health": OPEN,
    "GET /ready": OPEN,
    "GET /metrics": {QUERY, ADMIN},
    "GET /assets/{name}": OPEN,
    "GET /assets/{version}/{name}": OPEN,
    "GET /api/docs": OPEN,
    "GET /api/openapi.json": OPEN,
    "GET /api/logs": {QUERY},
    "GET /api/logs/tail": {QUERY},
    "GET /api/logs/{app_id:path}": {QUERY},
    "POST /api/logs/search": {QUERY},
    "GET /api/logs/search": {QUERY},
    "GET /api/around": {QUERY},
    "GET /api/histogram": {QUERY},
    "GET /api/facets": {QUERY},
    "GET /api/patterns": {QUERY},
    "POST /api/patterns/search": {QUERY},
    "GET /api/patterns/{id}": {QUERY},
    "GET /api/anomalies": {QUERY},
    "GET /api/fields": {QUERY},
    "GET /api/fields/values": {QUERY},
    "GET /api/stats": {QUERY},
    "GET /api/ledger": {QUERY, ADMIN},
    "GET /api/dead-letters": {ADMIN},
    "GET /api/dead-letters/{id}": {ADMIN},
    "POST /api/dead-letters/{id}/replay": {ADMIN},
    "DELETE /api/dead-letters/{id}": {ADMIN},
    "GET /api/keys": {ADMIN},
    "POST /api/keys": {ADMIN},
    "POST /api/keys/{id}/rotate": {ADMIN},
    "DELETE /api/keys/{id}": {ADMIN},
    "GET /api/audit": {ADMIN},
}
"""Method and path → the scopes of which one is needed. A route that is not here has no rule, and fails the test below."""


def routes(app) -> set[str]:
    """Return every method and path that the app answers."""
    found = set()
    waiting = list(app.routes)
    while waiting:
        route = waiting.pop()
        included = getattr(route, "original_router", None)
        if included is not None:
            assert not route.include_context.prefix
            waiting += included.routes
            continue
        assert isinstance(route, Route), f"{route} is of a kind this test does not know"
        found |= {f"{method} {route.path}" for method in route.methods - {"HEAD"}}
    return found


@pytest.fixture
async def exposed(api):
    """A client of the same api on a listener that other machines can reach."""
    ring = KeyRing(api.key_store, api.clock, MemoryTelemetry(), KeyRingOptions(exposed=True))
    await api.key_admin.create(KeyRequest("acme", frozenset({INGEST})), "test")
    await ring.refresh()
    services = type(api.services)(**{name: getattr(api.services, name) for name in api.services.__slots__} | {"keys": ring})
    app = create_app(services, ApiOptions(host="0.0.0.0", tail_clients_max=0))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://logs.example") as client:
        client.ring, client.app = ring, app
        yield client


async def make(api, *scopes: KeyScope, tenant: str = "acme", **more) -> str:
    made = await api.key_admin.create(KeyRequest(tenant, frozenset(scopes), **more), "test")
    await api.keys.refresh()
    return made.text


async def ask(client, rule: str, key: str = "") -> httpx.Response:
    method, path = rule.split(" ")
    body = {"tenant": "t", "scopes": ["query"]} if path == "/api/keys" else {}
    headers = {"authorization": f"Bearer {key}"} if key else {}
    content = {"json": body} if method == "POST" else {}
    path = re.sub(r"{.*?}", lambda match: {"{name}": "docs.js"}.get(match[0], "x"), path)
    return await client.request(method, path, headers=headers, **content)


def test_every_route_has_a_rule(api):
    assert routes(api.app) == set(RULES)


@pytest.mark.parametrize("rule", RULES)
async def test_a_route_is_for_the_keys_that_its_rule_names_and_no_others(api, exposed, rule):
    for scope in KeyScope:
        key = await make(api, scope)
        await exposed.ring.refresh()
        status = (await ask(exposed, rule, key)).status_code
        if scope in RULES[rule] or not RULES[rule]:
            assert status not in (401, 403), f"{rule} refuses {scope}"
        else:
            assert status == 403, f"{rule} lets {scope} pass"
    for bad in ("", "nonsense", "zero_" + "0" * 16 + "_" + "0" * 64):
        answer = await ask(exposed, rule, bad)
        assert (answer.status_code == 401) == bool(RULES[rule]), rule
        if RULES[rule]:
            assert answer.json()["error"]["code"] == "unauthenticated"
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_the_figures_of_the_process_are_open_on_loopback(api):
    await make(api, QUERY)
    assert (await api.client.get("/metrics")).status_code == 200
    assert (await api.client.get("/api/logs")).status_code == 401


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
async def test_a_key_given_twice_is_no_key(api, header):
    key = await make(api, QUERY)
    answer = await api.client.get("/api/logs", headers=[(header, key), (header, key)])
    assert answer.status_code == 401


async def test_the_tenant_comes_from_the_key_and_from_nothing_else(api):
    api.store("secret of the default tenant")
    key = await make(api, QUERY, tenant="acme")
    for headers in ({}, {"x-scope-orgid": "default"}, {"x-tenant": "default"}, {"tenant": "default"}):
        answer = await api.client.get("/api/logs", headers={"x-api-key": key, **headers})
        assert answer.json()["logs"] == []
    for path in ("/api/logs?tenant=default", "/api/logs?X-Scope-OrgID=default"):
        assert (await api.client.get(path, headers={"x-api-key": key})).status_code == 400


async def test_a_ledger_shows_other_tenants_to_the_operator_alone(api):
    for tenant in ("one", "two"):
        await api.buffer.append([_append(tenant)])
    query, admin = await make(api, QUERY, tenant="one"), await make(api, ADMIN, tenant="ops")
    own = (await api.client.get("/api/ledger", headers={"x-api-key": query})).json()
    everyones = (await api.client.get("/api/ledger", headers={"x-api-key": admin})).json()
    assert (set(own["tenants"]), own["accepted"]) == ({"one"}, 3)
    assert (set(everyones["tenants"]), everyones["accepted"]) == ({"one", "two"}, 6)


def _append(tenant: str):
    from zero.application.ports import Append

    return Append(0, b"frame", tenant, 3)


async def test_the_life_of_a_key_over_http(api):
    first = await api.client.post("/api/keys", json={"tenant": "ops", "scopes": ["admin"], "label": "first"})
    assert first.status_code == 201
    await api.keys.refresh()
    admin = {"authorization": f"Bearer {first.json()['key']}"}
    body = {"tenant": "acme", "scopes": ["query", "ingest"], "expires_seconds": 60, "quota": {"in_flight_max": 3}}
    made = (await api.client.post("/api/keys", json=body, headers=admin)).json()
    rotated = (await api.client.post(f"/api/keys/{made['id']}/rotate", json={"overlap_seconds": 5}, headers=admin)).json()
    revoked = await api.client.delete(f"/api/keys/{rotated['id']}", headers=admin)
    assert revoked.json()["revoked"]
    answer = await api.client.get("/api/keys", headers=admin)
    listed = {key["id"]: key for key in answer.json()["keys"]}
    assert listed[rotated["id"]]["rotated_from"] == made["id"]
    assert listed[made["id"]]["quota"] == {"requests_per_second": None, "bytes_per_second": None, "in_flight_max": 3}
    for text in (first.json()["key"], made["key"], rotated["key"]):
        assert text.rpartition("_")[2] not in answer.text
    acts = (await api.client.get("/api/audit", headers=admin)).json()["acts"]
    assert [act["act"] for act in acts] == ["key.revoke", "key.rotate", "key.create", "key.create"]
    assert [act["actor"] for act in acts] == [f"key:{first.json()['id']}"] * 3 + ["anyone"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tenant": "../x", "scopes": ["query"]}, "tenant"),
        ({"tenant": "a", "scopes": []}, "scopes"),
        ({"tenant": "a", "scopes": ["root"]}, "scopes.0"),
        ({"tenant": "a", "scopes": ["query"], "expires_seconds": 0}, "expires"),
        ({"tenant": "a", "scopes": ["query"], "quota": {"requests_per_second": 0}}, "requests_per_second"),
        ({"tenant": "a", "scopes": ["query"], "id": "mine"}, "id"),
    ],
)
async def test_a_key_that_cannot_be_is_refused_and_names_the_field(api, body, field):
    answer = await api.client.post("/api/keys", json=body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
    assert (await api.key_store.load()).keys == []


async def test_a_web_page_cannot_make_the_first_key_with_a_simple_request(api):
    for media in ("text/plain", "application/x-www-form-urlencoded", None):
        headers = {"content-type": media} if media else {}
        answer = await api.client.post("/api/keys", content=b'{"tenant":"a","scopes":["admin"]}', headers=headers)
        assert answer.status_code == 415
    assert (await api.key_store.load()).keys == []


async def test_an_unknown_key_is_404(api):
    assert (await api.client.delete("/api/keys/nope")).status_code == 404
    assert (await api.client.post("/api/keys/nope/rotate", json={})).status_code == 404


async def test_a_quota_of_requests_holds_here_too(api):
    key = await make(api, QUERY, quota=Quota(requests_per_second=2))
    answers = [await api.client.get("/api/logs", headers={"x-api-key": key}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert answers[-1].json()["error"]["code"] == "quota_exceeded"
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_requests_in_flight_are_given_back_when_answered_or_refused(api):
    key = await make(api, QUERY, quota=Quota(in_flight_max=1))
    for path in ("/api/logs", "/api/logs?limit=0", "/api/logs", "/api/logs?q=(", "/api/logs"):
        assert (await api.client.get(path, headers={"x-api-key": key})).status_code in (200, 400)


async def test_what_a_dead_letter_says_is_for_those_who_may_read_that_tenants_logs(api):
    payload = write_log_batch([LogEntry("a secret", 1)])
    await api.buffer.append([_append("acme")])
    lease = await api.buffer.acquire(0, "me")
    (read,) = await api.buffer.read(lease, 1, 0)
    data = pack_frame(1, 1, 1, "acme", [payload], CODEC.crc32c)
    letter = DeadLetter(read.position, "because", "acme", 3, data, 2)
    await api.buffer.settle(lease, Settlement([read.position], dead_letters=[letter]))
    stranger = await make(api, ADMIN, QUERY, tenant="ops")
    operator, owner = await make(api, ADMIN, tenant="acme"), await make(api, ADMIN, QUERY, tenant="acme")
    shown = [(await api.client.get("/api/dead-letters/1", headers={"x-api-key": key})).json() for key in (stranger, operator)]
    assert [(one["reason"], one["logs"]) for one in shown] == [("because", None)] * 2
    answer = await api.client.get("/api/dead-letters/1", headers={"x-api-key": owner})
    assert answer.json()["logs"][0]["message"] == "a secret"


async def test_a_web_page_cannot_replay_with_a_simple_request(api):
    for media in ("text/plain", "application/x-www-form-urlencoded", None):
        headers = {"content-type": media} if media else {}
        answer = await api.client.post("/api/dead-letters/1/replay", content=b"{}", headers=headers)
        assert answer.status_code == 415
