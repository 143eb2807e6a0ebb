"""Keys: their text, their secrets, their rules."""

import pytest

from zero.domain.errors import InvalidInput
from zero.domain.key import ApiKey, KeyScope, Quota, digest_of, is_secret, key_text, new_secret, parse_key

GOOD = {"id": "0" * 16, "tenant": "acme", "scopes": frozenset({KeyScope.QUERY}), "digest": b"d", "created_ns": 1}


def test_a_key_has_256_random_bits_and_no_two_are_equal():
    made = {new_secret() for _ in range(100)}
    assert len(made) == len({id for id, _ in made}) == 100
    assert all(len(bytes.fromhex(secret)) == 32 for _, secret in made)


def test_the_text_of_a_key_says_its_id_and_secret():
    id, secret = new_secret()
    assert parse_key(key_text(id, secret)) == (id, secret)


ALMOST = [
    "",
    "zero_",
    "zero_" + "a" * 81,
    f"ZERO_{'a' * 16}_{'b' * 64}",
    f"zero_{'a' * 16}_{'B' * 64}",
    f"zero_{'a' * 16}_{'b' * 63}",
    f"zero_{'a' * 16}_{'b' * 65}",
    f"zero_{'a' * 16}_{'b' * 64}\n",
    f"zero_{'a' * 16}_{'٣' * 64}",
]


@pytest.mark.parametrize("text", ALMOST)
def test_what_is_not_quite_a_key_is_none(text):
    assert parse_key(text) is None


def test_only_the_secret_itself_fits_its_digest():
    _, secret = new_secret()
    assert is_secret(secret, digest_of(secret))
    assert not is_secret(secret[:-1] + ("0" if secret[-1] != "0" else "1"), digest_of(secret))
    assert secret not in repr(digest_of(secret))


def test_a_digest_is_not_shown_by_accident():
    assert "digest" not in repr(ApiKey(**GOOD))


@pytest.mark.parametrize("tenant", ["", "a b", "../etc", "a:b", "a\nb", "-a", "ä", "a" * 65, "a{0}"])
def test_a_tenant_name_that_could_mean_something_else_is_refused(tenant):
    with pytest.raises(InvalidInput) as caught:
        ApiKey(**{**GOOD, "tenant": tenant})
    assert caught.value.field == "tenant"


IMPOSSIBLE = [({"scopes": frozenset()}, "scopes"), ({"label": "a" * 129}, "label"), ({"label": "\x1b[2J"}, "label")]


@pytest.mark.parametrize(("fields", "name"), IMPOSSIBLE)
def test_a_key_that_cannot_be_is_refused(fields, name):
    with pytest.raises(InvalidInput) as caught:
        ApiKey(**{**GOOD, **fields})
    assert caught.value.field == name


@pytest.mark.parametrize("limit", [0, -1, 1 << 41])
def test_a_quota_of_nothing_is_refused(limit):
    with pytest.raises(InvalidInput):
        Quota(in_flight_max=limit)


def test_a_key_ends_when_it_expires_or_is_revoked():
    assert ApiKey(**GOOD).ended(2**62) == ""
    assert [ApiKey(**GOOD, expires_ns=10).ended(now) for now in (9, 10)] == ["", "the API key has expired"]
    assert ApiKey(**GOOD, revoked_ns=10).ended(0) == "the API key was revoked"
