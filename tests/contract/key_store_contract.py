"""What every key store does. A subclass gives the fixture ``store``: empty, implements KeyStore."""

from dataclasses import replace
from typing import Any

import pytest

from zero.domain.audit import AuditRecord
from zero.domain.errors import InvalidInput
from zero.domain.key import ApiKey, KeyScope, Quota, digest_of

ACT = AuditRecord(5, "cli:someone", "key.create", "0123", "tenant ünï, scope ingest")


def key(number: int, **fields: Any) -> ApiKey:
    """Return a key that differs from the others."""
    given = {"tenant": "acme", "scopes": frozenset({KeyScope.INGEST}), "digest": digest_of(str(number)), "created_ns": number}
    return ApiKey(id=f"{number:016x}", **{**given, **fields})


class KeyStoreContract:
    """The tests; each starts from an empty store."""

    async def test_an_empty_store_has_no_keys_and_version_0(self, store: Any) -> None:
        assert await store.version() == 0
        found = await store.load()
        assert (found.version, list(found.keys), await store.used(), await store.audit("", 10)) == (0, [], {}, [])

    async def test_a_key_comes_back_as_it_was_put(self, store: Any) -> None:
        full = key(
            1,
            scopes=frozenset(KeyScope),
            label='büro "7"',
            expires_ns=2**62,
            revoked_ns=9,
            rotated_from="aa",
            quota=Quota(1, 2, 3),
        )
        plain = key(2)
        assert await store.change(0, [full, plain], [], ACT)
        found = await store.load()
        assert {one.id: one for one in found.keys} == {full.id: full, plain.id: plain}

    async def test_every_change_has_a_version_of_its_own(self, store: Any) -> None:
        versions = [0]
        for number in range(3):
            assert await store.change(versions[-1], [key(number)], [], ACT)
            versions.append(await store.version())
            assert (await store.load()).version == versions[-1]
        assert len(set(versions)) == 4

    async def test_a_change_based_on_an_older_version_does_nothing(self, store: Any) -> None:
        assert await store.change(0, [key(1)], [], ACT)
        before = await store.version()
        assert not await store.change(0, [replace(key(1), revoked_ns=1), key(2)], [], ACT)
        assert await store.version() == before
        assert list((await store.load()).keys) == [key(1)]
        assert len(await store.audit("", 10)) == 1

    async def test_a_key_is_replaced_or_removed_with_its_use(self, store: Any) -> None:
        assert await store.change(0, [key(1), key(2)], [], ACT)
        await store.mark_used(77, [key(1).id, key(2).id])
        assert await store.change(await store.version(), [key(2, label="new")], [key(1).id], ACT)
        assert list((await store.load()).keys) == [key(2, label="new")]
        assert await store.used() == {key(2).id: 77}

    async def test_the_last_use_is_the_last_one_told(self, store: Any) -> None:
        await store.mark_used(1, ["a", "b"])
        await store.mark_used(2**62, ["b"])
        assert await store.used() == {"a": 1, "b": 2**62}
        assert await store.version() == 0

    async def test_acts_come_back_newest_first_page_by_page(self, store: Any) -> None:
        acts = [replace(ACT, at_ns=number) for number in range(5)]
        for act in acts:
            await store.record(act)
        first = await store.audit("", 2)
        rest = await store.audit(first[-1][0], 10)
        assert [act for _, act in [*first, *rest]] == acts[::-1]

    @pytest.mark.parametrize("cursor", ["x", "-1", "1 2", "+", "(1"])
    async def test_a_cursor_of_another_kind_is_refused(self, store: Any, cursor: str) -> None:
        with pytest.raises(InvalidInput):
            await store.audit(cursor, 1)
