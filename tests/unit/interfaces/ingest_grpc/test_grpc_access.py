"""Who may call what: every RPC with every kind of key as metadata, tenants, quotas."""

import asyncio
import base64

import grpc
import pytest

from tests.unit.interfaces.ingest_grpc.conftest import LOG_SERVICE, batch, details, failed
from tests.unit.interfaces.ingest_grpc.test_grpc_queries import fill
from zero.application.key_ring import KeyRingOptions
from zero.application.keys import KeyRequest, Keys
from zero.domain.key import KeyScope, Quota
from zero.infrastructure.memory import ManualClock, MemoryKeyStore, MemoryTelemetry

INGEST, QUERY, ADMIN = KeyScope.INGEST, KeyScope.QUERY, KeyScope.ADMIN
OTLP = "opentelemetry.proto.collector.logs.v1.LogsService"
NEEDED = {
    f"/{LOG_SERVICE}/IngestLogs": (INGEST,),
    f"/{LOG_SERVICE}/IngestStream": (INGEST,),
    f"/{LOG_SERVICE}/GetLogsByAppId": (QUERY,),
    f"/{LOG_SERVICE}/Search": (QUERY,),
    f"/{LOG_SERVICE}/HealthCheck": (),
    f"/{OTLP}/Export": (INGEST,),
    "/grpc.health.v1.Health/Check": (),
}
REFUSED = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


class Guarded:
    """An exposed server with a key for each scope."""

    def __init__(self, serving) -> None:
        self.keys = Keys(store := MemoryKeyStore(), ManualClock(), MemoryTelemetry())
        self._store, self._serving, self.server = store, serving, None

    async def start(self):
        self.of = {scope: await self.make(scope) for scope in KeyScope}
        self.server = await self._serving(keys=(self._store, KeyRingOptions(exposed=True)))
        return self

    async def make(self, *scopes, tenant="acme", quota=None):
        made = await self.keys.create(KeyRequest(tenant, frozenset(scopes), quota=quota or Quota()), "test")
        if self.server:
            await self.server.keys.refresh()
        return made.text

    async def code(self, path, body, *metadata):
        """Return how a call ends, whatever the kind of its RPC."""
        call = self.server.channel().stream_stream(path)(metadata=metadata, timeout=60)
        try:
            await call.write(body)
            await call.done_writing()
            while await call.read() is not grpc.aio.EOF:
                pass
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            pass
        return await call.code()


@pytest.fixture
async def guarded(serving):
    return await Guarded(serving).start()


@pytest.mark.timed
async def test_every_rpc_is_for_those_with_its_scope_alone(guarded):
    for path, needed in NEEDED.items():
        body = batch("hello") if needed == (INGEST,) else b""
        for scope, key in guarded.of.items():
            code = await guarded.code(path, body, ("authorization", f"Bearer {key}"))
            allowed = not needed or scope in needed
            assert (code not in REFUSED) if allowed else (code is grpc.StatusCode.PERMISSION_DENIED), (path, scope, code)
        without = await guarded.code(path, body)
        assert (without is grpc.StatusCode.UNAUTHENTICATED) == bool(needed), path


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("authorization", "Bearer {}"),
        ("authorization", "{}"),
        ("x-api-key", "{}"),
        ("authorization", "Basic {basic}"),
        ("authorization", "ApiKey {}"),
    ],
)
async def test_a_key_is_read_in_every_form_that_clients_send(guarded, name, form):
    key = guarded.of[INGEST]
    shown = form.format(key, basic=base64.b64encode(f"any:{key}".encode()).decode())
    assert (await guarded.server.ingest(batch("hello"), (name, shown))).accepted == 1


@pytest.mark.parametrize("shown", ["", "Bearer ", "Bearer zero_0123456789abcdef_" + "0" * 64, "x" * 5000])
async def test_what_is_no_good_key_is_told_how_to_show_one(guarded, shown):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await guarded.server.ingest(batch("hello"), ("authorization", shown))
    assert failed(error)[0] is grpc.StatusCode.UNAUTHENTICATED
    assert "google.rpc.RetryInfo" not in details(error)


async def test_tenants_write_and_read_their_own_whatever_they_say(guarded):
    other = await guarded.make(INGEST, QUERY, tenant="other")
    await guarded.server.ingest(batch("ours"), ("x-api-key", guarded.of[INGEST]), ("x-scope-orgid", "other"))
    await guarded.server.ingest(batch("theirs"), ("x-api-key", other))
    assert [entry.message for entry in guarded.server.entries("acme")] == ["ours"]
    assert [entry.message for entry in guarded.server.entries("other")] == ["theirs"]
    fill(guarded.server, 3, "acme")
    assert await guarded.server.search(("x-api-key", other)) == []
    assert len(await guarded.server.search(("x-api-key", guarded.of[QUERY]))) == 3


@pytest.mark.timed
async def test_a_quota_is_resource_exhausted_and_says_when_to_come_back(guarded):
    key = await guarded.make(INGEST, quota=Quota(requests_per_second=1))
    await guarded.server.ingest(batch("one"), ("x-api-key", key))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await guarded.server.ingest(batch("two"), ("x-api-key", key))
    assert failed(error)[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(error)["google.rpc.RetryInfo"].retry_delay.ToMilliseconds() > 0


@pytest.mark.timed
async def test_a_key_that_is_revoked_ends_the_stream_it_opened(guarded):
    made = await guarded.keys.create(KeyRequest("acme", frozenset({INGEST})), "test")
    await guarded.server.keys.refresh()

    async def bodies():
        yield batch("before")
        await asyncio.sleep(0.3)
        await guarded.keys.revoke(made.key.id, "test")
        await guarded.server.keys.refresh()
        yield batch("after")

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await guarded.server.stream(bodies(), ("x-api-key", made.text))
    assert failed(error)[0] is grpc.StatusCode.UNAUTHENTICATED
    assert [entry.message for entry in guarded.server.entries("acme")] == ["before"]
