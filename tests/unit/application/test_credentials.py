"""Every form in which a client shows a key."""

import base64

import pytest

from zero.application.credentials import credential_in, key_in

KEY = "zero_0123456789abcdef_" + "0f" * 32


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "credential",
    [
        KEY,
        f"Bearer {KEY}",
        f"bearer   {KEY} ",
        f"Basic {encoded('grafana:' + KEY)}",
        f"Basic {encoded('a:b:' + KEY)}",
        f"Basic {encoded(':' + KEY)}",
        f"ApiKey {encoded('id:' + KEY)}",
        f"ApiKey {encoded(KEY)}",
        f"ApiKey {KEY}",
        f"APIKEY {KEY}",
    ],
)
def test_every_form_of_every_client_leads_to_the_key(credential):
    assert key_in(credential) == KEY


@pytest.mark.parametrize(
    "credential",
    ["", " ", "Bearer", "Basic", "Basic !!!", f"Basic {encoded(KEY + ':')}", "Basic " + base64.b64encode(b"\xff\xfe").decode(),
     f"Digest {KEY}", f"Bearer {KEY}, Bearer {KEY}", "Bearer " + "a" * 2000, f"{KEY} {KEY}", "\x00"],
)  # fmt: skip
def test_nothing_else_does(credential):
    assert key_in(credential) != KEY


def test_the_header_of_our_own_wins_over_the_one_that_proxies_use():
    fields = {"authorization": "Basic cHJveHk6eA==", "x-api-key": KEY}
    assert credential_in(lambda name: fields.get(name, "")) == KEY
    del fields["x-api-key"]
    assert credential_in(lambda name: fields.get(name, "")) == "Basic cHJveHk6eA=="
    assert credential_in(lambda name: "") == ""
