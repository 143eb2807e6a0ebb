"""The ring: who is asking, what changes, and what happens when the buffer is gone."""

import asyncio

import pytest

from zero.application.key_events import AccessRefused, KeysStale
from zero.application.key_ring import KeyRing, KeyRingOptions
from zero.application.keys import KeyRequest, Keys
from zero.domain.errors import BufferUnavailable, ConfigurationError, Forbidden, Unauthenticated, Unavailable
from zero.domain.key import KeyScope, Quota
from zero.infrastructure.memory import ManualClock, MemoryKeyStore, MemoryTelemetry

INGEST, QUERY, ADMIN = KeyScope.INGEST, KeyScope.QUERY, KeyScope.ADMIN


class Rig:
    """A store, the keys in it, and a ring."""

    def __init__(self, **options) -> None:
        self.store, self.clock, self.telemetry = MemoryKeyStore(), ManualClock(), MemoryTelemetry()
        self.keys = Keys(self.store, self.clock, self.telemetry)
        self.ring = KeyRing(self.store, self.clock, self.telemetry, KeyRingOptions(**options))

    async def make(self, *scopes: KeyScope, tenant: str = "acme", **more) -> str:
        made = await self.keys.create(KeyRequest(tenant, frozenset(scopes or KeyScope), **more), "test")
        await self.ring.refresh()
        return made.text


@pytest.fixture
def rig():
    return Rig()


async def test_without_keys_everybody_is_the_default_tenant(rig):
    await rig.ring.refresh()
    for credential in ("", "Bearer anything"):
        identity = rig.ring.authorise(credential, ADMIN)
        assert (identity.tenant, identity.key_id) == ("default", "")
    assert not rig.ring.needs_key


async def test_from_the_first_key_on_nobody_passes_without_one(rig):
    await rig.ring.refresh()
    early = rig.ring.authorise("", INGEST)
    text = await rig.make(tenant="acme")
    assert rig.ring.authorise(f"Bearer {text}", INGEST).tenant == "acme"
    for credential in ("", "Bearer nonsense", f"Bearer {text[:-1]}", f"Bearer {text[:-1]}{'0' if text[-1] != '0' else '1'}"):
        with pytest.raises(Unauthenticated):
            rig.ring.authorise(credential, INGEST)
    with pytest.raises(Unauthenticated, match="one is needed"):
        early.admit(1)


async def test_a_buffer_that_lost_its_keys_does_not_open_the_door_again(rig):
    text = await rig.make()
    rig.store._keys.clear()
    rig.store._version = 0
    await rig.ring.refresh()
    for credential in ("", text):
        with pytest.raises(Unauthenticated):
            rig.ring.authorise(credential, INGEST)


async def test_a_key_is_good_for_its_scopes_alone(rig):
    text = await rig.make(INGEST, QUERY)
    assert rig.ring.authorise(text, INGEST).scopes == {INGEST, QUERY}
    assert rig.ring.authorise(text, ADMIN, QUERY)
    with pytest.raises(Forbidden, match="this needs admin"):
        rig.ring.authorise(text, ADMIN)
    assert [event.reason for event in rig.telemetry.of(AccessRefused)] == ["forbidden"]


async def test_a_key_has_one_identity_however_often_it_is_read(rig):
    text = await rig.make(quota=Quota(requests_per_second=5))
    before = rig.ring.authorise(text, INGEST)
    await rig.make()
    assert rig.ring.authorise(f"Bearer {text}", QUERY) is before
    assert before.meter is not None


async def test_a_revoked_key_ends_for_those_who_hold_its_identity_too(rig):
    text, told = await rig.make(), []
    rig.ring.on_change(lambda: told.append(True))
    identity = rig.ring.authorise(text, INGEST)
    await rig.keys.revoke(identity.key_id, "test")
    await rig.ring.refresh()
    assert told == [True]
    with pytest.raises(Unauthenticated, match="revoked"):
        identity.admit(1)
    with pytest.raises(Unauthenticated, match="revoked"):
        rig.ring.authorise(text, INGEST)


async def test_a_key_that_was_removed_ends_too(rig):
    text = await rig.make()
    identity = rig.ring.authorise(text, INGEST)
    rig.store._keys.clear()
    rig.store._version += 1
    await rig.ring.refresh()
    with pytest.raises(Unauthenticated):
        identity.admit(1)


async def test_an_expired_key_ends_without_a_new_read_even_in_an_outage(rig):
    text = await rig.make(life_seconds=10)
    identity = rig.ring.authorise(text, INGEST)
    reads = rig.store.reads
    rig.clock.advance(9)
    await rig.ring.refresh()
    identity.admit(1)
    rig.store.failure = BufferUnavailable("gone")
    rig.clock.advance(1)
    await rig.ring._look()
    with pytest.raises(Unauthenticated, match="expired"):
        identity.admit(1)
    assert rig.store.reads == reads


async def test_a_rotated_key_works_until_the_overlap_is_over(rig):
    old = await rig.make()
    made = await rig.keys.rotate(rig.ring.authorise(old, INGEST).key_id, 3600, "test")
    await rig.ring.refresh()
    assert rig.ring.authorise(old, INGEST).tenant == rig.ring.authorise(made.text, INGEST).tenant
    rig.clock.advance(3600)
    await rig.ring.refresh()
    assert rig.ring.authorise(made.text, INGEST)
    with pytest.raises(Unauthenticated, match="expired"):
        rig.ring.authorise(old, INGEST)


async def test_the_keys_are_read_only_when_they_have_changed(rig):
    await rig.make()
    for _ in range(5):
        await rig.ring.refresh()
    assert rig.store.reads == 2  # the administration's, and ours


async def test_before_the_first_read_nothing_is_known_and_nobody_passes(rig):
    with pytest.raises(Unavailable):
        rig.ring.authorise("", INGEST)


async def test_in_an_outage_the_last_known_keys_work_for_a_bounded_time():
    rig = Rig(stale_seconds_max=600.0)
    text = await rig.make()
    rig.store.failure = BufferUnavailable("gone")
    for _ in range(599):
        rig.clock.advance(1)
        await rig.ring._look()
    assert rig.ring.authorise(text, INGEST)
    assert len(rig.telemetry.of(KeysStale)) == 1
    rig.clock.advance(2)
    with pytest.raises(Unavailable):
        rig.ring.authorise(text, INGEST)
    rig.store.failure = None
    await rig.ring._look()
    assert rig.ring.authorise(text, INGEST)


async def test_an_exposed_listener_does_not_start_without_a_good_key():
    rig = Rig(exposed=True)
    with pytest.raises(ConfigurationError, match="zero keys create"):
        await rig.ring.start()
    made = await rig.keys.create(KeyRequest("acme", frozenset({INGEST})), "test")
    await rig.keys.revoke(made.key.id, "test")
    with pytest.raises(ConfigurationError):
        await rig.ring.start()


async def test_an_exposed_listener_never_serves_strangers_whatever_became_of_the_keys():
    rig = Rig(exposed=True)
    await rig.ring.refresh()
    with pytest.raises(Unauthenticated):
        rig.ring.authorise("", INGEST)


async def test_what_was_used_is_handed_in_at_most_every_ten_seconds(rig):
    rig.clock.sleep = asyncio.sleep
    text, idle = await rig.make(), await rig.make()
    id = rig.ring.authorise(text, INGEST).key_id
    await rig.ring._look()
    assert await rig.store.used() == {}
    rig.clock.advance(10)
    await rig.ring._look()
    assert await rig.store.used() == {id: rig.clock.now_ns()}
    assert idle
    rig.ring.authorise(text, INGEST).admit(1)
    await rig.ring.start()
    await rig.ring.close()
    assert (await rig.store.used())[id] == rig.clock.now_ns()
    assert [used for key, used in await rig.keys.list() if key.id == id] == [rig.clock.now_ns()]
