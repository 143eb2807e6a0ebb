"""Administration: what is made, what is refused, what is recorded."""

import asyncio

import pytest

from zero.application import keys as module
from zero.application.key_events import AdminActed
from zero.application.keys import KeyRequest, Keys
from zero.domain.errors import InvalidInput, NotFound, Overloaded
from zero.domain.key import KeyScope, Quota, is_secret, parse_key
from zero.infrastructure.memory import ManualClock, MemoryKeyStore, MemoryTelemetry

REQUEST = KeyRequest("acme", frozenset({KeyScope.INGEST}), "edge", 60, Quota(requests_per_second=5))


class Rig:
    def __init__(self) -> None:
        self.store, self.clock, self.telemetry = MemoryKeyStore(), ManualClock(), MemoryTelemetry()
        self.keys = Keys(self.store, self.clock, self.telemetry)


@pytest.fixture
def rig():
    return Rig()


async def test_a_key_is_shown_once_and_only_its_digest_is_kept(rig):
    made = await rig.keys.create(REQUEST, "cli:me")
    id, secret = parse_key(made.text)
    ((kept, used),) = await rig.keys.list()
    assert (kept, kept.id, used, made.first) == (made.key, id, None, True)
    assert is_secret(secret, kept.digest)
    assert secret not in repr(kept) + repr(rig.store.__dict__) + repr(rig.telemetry.events)
    assert not (await rig.keys.create(REQUEST, "cli:me")).first


async def test_every_act_is_recorded_and_reported(rig):
    made = await rig.keys.create(REQUEST, "cli:me")
    fresh = await rig.keys.rotate(made.key.id, 30, "key:aa")
    await rig.keys.revoke(fresh.key.id, "key:aa")
    acts = [act for _, act in await rig.keys.audit("", 10)]
    assert [(act.act, act.actor, act.subject) for act in acts] == [
        ("key.revoke", "key:aa", fresh.key.id),
        ("key.rotate", "key:aa", made.key.id),
        ("key.create", "cli:me", made.key.id),
    ]
    assert acts[-1].detail == "tenant acme, scope ingest"
    assert all(act.at_ns == rig.clock.now_ns() for act in acts)
    assert [event.act for event in rig.telemetry.of(AdminActed)] == ["key.create", "key.rotate", "key.revoke"]


async def test_a_rotated_key_hands_on_everything_but_its_secret(rig):
    old = await rig.keys.create(REQUEST, "me")
    rig.clock.advance(20)
    new = await rig.keys.rotate(old.key.id, 3600, "me")
    assert (new.key.tenant, new.key.scopes, new.key.label, new.key.quota) == ("acme", old.key.scopes, "edge", REQUEST.quota)
    assert new.key.rotated_from == old.key.id
    assert new.key.digest != old.key.digest
    assert new.key.expires_ns - rig.clock.now_ns() == 60 * 10**9
    kept = {key.id: key for key, _ in await rig.keys.list()}[old.key.id]
    assert kept.expires_ns == old.key.expires_ns, "an overlap never lengthens a life"


async def test_ended_and_unknown_keys_cannot_be_rotated(rig):
    made = await rig.keys.create(REQUEST, "me")
    await rig.keys.revoke(made.key.id, "me")
    with pytest.raises(InvalidInput, match="revoked"):
        await rig.keys.rotate(made.key.id, 0, "me")
    for act in (rig.keys.rotate("nope", 0, "me"), rig.keys.revoke("nope", "me")):
        with pytest.raises(NotFound):
            await act


async def test_a_second_revocation_keeps_the_time_of_the_first(rig):
    made = await rig.keys.create(REQUEST, "me")
    first = await rig.keys.revoke(made.key.id, "me")
    rig.clock.advance(10)
    assert (await rig.keys.revoke(made.key.id, "me")).revoked_ns == first.revoked_ns


async def test_a_revocation_is_not_undone_by_a_rotation_at_the_same_time(rig):
    made = await rig.keys.create(KeyRequest("acme", frozenset(KeyScope)), "me")
    await asyncio.gather(rig.keys.revoke(made.key.id, "me"), rig.keys.rotate(made.key.id, 60, "me"), return_exceptions=True)
    kept = {key.id: key for key, _ in await rig.keys.list()}[made.key.id]
    assert kept.revoked_ns is not None


@pytest.mark.parametrize("life", [0, -1, 3651 * 86_400])
async def test_a_life_that_cannot_be_is_refused(life):
    with pytest.raises(InvalidInput):
        KeyRequest("acme", frozenset(KeyScope), life_seconds=life)


async def test_an_overlap_is_bounded(rig):
    made = await rig.keys.create(REQUEST, "me")
    for overlap in (-1, 31 * 86_400):
        with pytest.raises(InvalidInput):
            await rig.keys.rotate(made.key.id, overlap, "me")


async def test_keys_are_bounded_and_ended_ones_make_room(rig, monkeypatch):
    monkeypatch.setattr(module, "KEYS_MAX", 3)
    made = [await rig.keys.create(REQUEST, "me") for _ in range(3)]
    with pytest.raises(Overloaded):
        await rig.keys.create(REQUEST, "me")
    await rig.keys.revoke(made[1].key.id, "me")
    fresh = await rig.keys.create(REQUEST, "me")
    assert {key.id for key, _ in await rig.keys.list()} == {made[0].key.id, made[2].key.id, fresh.key.id}
