"""Every route of the ingest door with every kind of key; quotas; keys that come and go under open connections."""

import asyncio
import base64

import pytest

from zero.application.key_events import AccessRefused, QuotaReached
from zero.application.key_ring import KeyRingOptions
from zero.application.keys import KeyRequest, Keys
from zero.domain.key import KeyScope, Quota
from zero.infrastructure.memory import ManualClock, MemoryBuffer, MemoryKeyStore, MemoryTelemetry

INGEST, QUERY, ADMIN = KeyScope.INGEST, KeyScope.QUERY, KeyScope.ADMIN
OPEN = {"/health": (), "/ready": (), "/metrics": (QUERY, ADMIN)}
"""The paths that are not for senders alone, and the scopes that they need on an exposed listener."""
ENTRY = b'{"message":"hello"}'


class Guarded:
    """An exposed server with a key for each scope."""

    def __init__(self, serving) -> None:
        self.store = MemoryKeyStore()
        self.keys = Keys(self.store, ManualClock(), MemoryTelemetry())
        self._serving = serving

    async def start(self, **options):
        self.of = {scope: await self.make(scope) for scope in KeyScope}
        self.server = await self._serving(keys=(self.store, KeyRingOptions(exposed=True)), **options)
        return self

    async def make(self, *scopes, tenant="acme", quota=None):
        made = await self.keys.create(KeyRequest(tenant, frozenset(scopes), quota=quota or Quota()), "test")
        if hasattr(self, "server"):
            await self.server.keys.refresh()
        return made.text

    async def post(self, key, path="/api/logs", method="POST", header="Authorization", body=ENTRY):
        return await self.server.post(body, {header: key} if key else {}, path, method)


@pytest.fixture
async def guarded(serving):
    return await Guarded(serving).start()


async def test_every_route_is_for_senders_unless_it_is_on_the_short_list_of_others(guarded):
    table = guarded.server.routes
    rows = [(path, method, route) for path, route in table.items() for method in route.methods]
    assert set(table) >= {"/api/logs", *OPEN}
    for path, method, route in rows:
        needed = OPEN.get(path, (INGEST,))
        assert route.scopes == needed, path
        for scope, key in guarded.of.items():
            status = (await guarded.post(f"Bearer {key}", path, method)).status
            if scope in needed or not needed:
                assert status not in (401, 403), f"{method} {path} refuses {scope}"
            else:
                assert status == 403, f"{method} {path} lets {scope} pass"
        for bad in ("", "Bearer nonsense", "zero_" + "0" * 16 + "_" + "0" * 64):
            answer = await guarded.post(bad, path, method)
            assert (answer.status == 401) == bool(needed), f"{method} {path} with {bad!r}"
            if needed:
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert b"key" in answer.body


async def test_the_figures_of_the_process_are_open_on_loopback(serving):
    server = await serving()
    assert (await server.post(b"", {}, "/metrics", "GET")).status == 200


async def test_every_form_of_a_key_is_taken(guarded):
    key = guarded.of[INGEST]
    encoded = [base64.b64encode(text.encode()).decode() for text in (f"user:{key}", f"id:{key}", key)]
    for form in (f"Bearer {key}", key, f"Basic {encoded[0]}", f"ApiKey {encoded[1]}", f"ApiKey {encoded[2]}", f"ApiKey {key}"):
        assert (await guarded.post(form)).status == 202
    assert (await guarded.post(key, header="X-API-Key")).status == 202


async def test_entries_belong_to_the_tenant_of_the_key_whatever_the_request_says(guarded):
    key = await guarded.make(INGEST, tenant="umbrella")
    headers = {"X-API-Key": key, "X-Scope-OrgID": "acme", "Tenant": "acme", "X-Tenant": "acme"}
    body = b'{"message":"a","tenant":"acme","_tenant":"acme"}'
    assert (await guarded.server.post(body, headers)).status == 202
    assert set(await guarded.server.buffer.ledger()) == {"umbrella"}


async def test_equal_idempotency_keys_of_two_tenants_are_two_requests(guarded):
    one, two = guarded.of[INGEST], await guarded.make(INGEST, tenant="umbrella")
    answers = [await guarded.server.post(ENTRY, {"X-API-Key": key, "Idempotency-Key": "same"}) for key in (one, two, one, two)]
    assert answers[0].body == answers[2].body != answers[1].body == answers[3].body
    assert {tenant: one.accepted for tenant, one in (await guarded.server.buffer.ledger()).items()} == {
        "acme": 1,
        "umbrella": 1,
    }


async def test_a_head_that_is_known_stops_working_with_its_key_on_an_open_connection(guarded):
    key = await guarded.make(INGEST)
    id = key.split("_")[1]
    request = b"POST /api/logs HTTP/1.1\r\nHost: x\r\nX-API-Key: %b\r\nContent-Length: 19\r\n\r\n" % key.encode() + ENTRY
    peer = await guarded.server.connect()
    for _ in range(3):
        assert (await peer.exchange(request)).status == 202
    await guarded.keys.revoke(id, "test")
    await guarded.server.keys.refresh()
    for _ in range(2):
        answer = await peer.exchange(request)
        assert answer.status == 401
        assert "revoked" in answer.json["error"]["message"]


@pytest.mark.timed
async def test_a_key_revoked_while_its_body_arrives_takes_nothing_in(guarded):
    key = await guarded.make(INGEST)
    peer = await guarded.server.connect()
    await peer.send(b"POST /api/logs HTTP/1.1\r\nHost: x\r\nX-API-Key: %b\r\nContent-Length: 19\r\n\r\n" % key.encode())
    await peer.send(ENTRY[:5])
    await asyncio.sleep(0.02)
    await guarded.keys.revoke(key.split("_")[1], "test")
    await guarded.server.keys.refresh()
    assert (await peer.exchange(ENTRY[5:])).status == 401
    assert await guarded.server.buffer.ledger() == {}


async def test_a_refused_head_is_looked_at_again_when_its_key_has_come(serving):
    store = MemoryKeyStore()
    server = await serving(keys=(store, KeyRingOptions(exposed=True)))
    keys = Keys(store, ManualClock(), MemoryTelemetry())
    peer = await server.connect()
    request = b"POST /api/logs HTTP/1.1\r\nHost: x\r\nX-API-Key: %b\r\nContent-Length: 19\r\n\r\n" + ENTRY
    assert (await peer.exchange(request % b"nonsense")).status == 401
    made = await keys.create(KeyRequest("acme", frozenset({INGEST})), "test")
    assert (await peer.exchange(request % made.text.encode())).status == 401
    await server.keys.refresh()
    assert (await peer.exchange(request % made.text.encode())).status == 202


async def test_what_is_refused_for_want_of_a_key_is_counted_without_names(guarded):
    await guarded.post("")
    await guarded.post(guarded.of[QUERY])
    assert [event.reason for event in guarded.server.telemetry.of(AccessRefused)] == ["unauthenticated", "forbidden"]


async def test_requests_above_the_rate_get_429_and_say_when_to_come_back(guarded):
    key = await guarded.make(INGEST, quota=Quota(requests_per_second=3))
    answers = [await guarded.post(key) for _ in range(5)]
    assert [answer.status for answer in answers] == [202, 202, 202, 429, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[-1].json["error"]["code"] == "quota_exceeded"
    assert [event.limit for event in guarded.server.telemetry.of(QuotaReached)] == ["requests", "requests"]
    assert (await guarded.post(guarded.of[INGEST])).status == 202


async def test_bytes_above_the_rate_get_429(guarded):
    key = await guarded.make(INGEST, quota=Quota(bytes_per_second=100))
    large = b'{"message":"%b"}' % (b"x" * 500)
    assert [(await guarded.post(key, body=large)).status for _ in range(2)] == [202, 429]
    assert [event.limit for event in guarded.server.telemetry.of(QuotaReached)] == ["bytes"]


class SlowBuffer(MemoryBuffer):
    """Appends when the gate is open."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.gate = asyncio.Event()

    async def append(self, appends):
        await self.gate.wait()
        return await super().append(appends)


@pytest.mark.timed
async def test_requests_in_flight_are_bounded_for_each_key_and_replies_make_room(serving):
    buffer = SlowBuffer()
    guarded = await Guarded(serving).start(buffer=buffer)
    key = await guarded.make(INGEST, quota=Quota(in_flight_max=2))
    waiting = [asyncio.create_task(guarded.post(key)) for _ in range(2)]
    await asyncio.sleep(0.05)
    assert (await guarded.post(key)).status == 429
    buffer.gate.set()
    assert [(await one).status for one in waiting] == [202, 202]
    for body in (ENTRY, b"not json", b'{"bad":1}', ENTRY, ENTRY):
        assert (await guarded.post(key, body=body)).status in (202, 400)


ELSEWHERE = ("https://evil.example", "http://127.0.0.1.evil.example:4318", "http://evil.example:4318", "null", "http://[", "x")


async def test_without_keys_the_pages_of_other_sites_cannot_write(serving):
    server = await serving()
    for origin in ELSEWHERE:
        for path in ("/api/logs", "/v1/logs", "/loki/api/v1/push", "/_bulk"):
            answer = await server.post(ENTRY, {"Content-Type": "text/plain", "Origin": origin, "Host": "127.0.0.1"}, path)
            assert (answer.status, answer.headers.get("access-control-allow-origin")) == (403, None), (origin, path)
    for origin in ("http://localhost:3000", "http://127.0.0.1:8080", "http://[::1]:5173"):
        assert (await server.post(ENTRY, {"Content-Type": "text/plain", "Origin": origin})).status == 202
    assert await server.accepted() == 3


async def test_with_a_key_it_does_not_matter_from_which_page(guarded):
    headers = {"X-API-Key": guarded.of[INGEST], "Origin": ELSEWHERE[0]}
    assert (await guarded.server.post(ENTRY, headers)).status == 202
