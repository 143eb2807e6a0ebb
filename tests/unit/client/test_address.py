"""Where the door is and with what key: refused where the application starts, and never shown."""

import pytest

from zero.client import Sender


@pytest.mark.parametrize("key", ["zero_SECRET\n", " zero_SECRET\r\n"])
def test_a_key_from_a_file_is_sent_without_its_newline(door, key):
    sender = Sender(url=door.url, api_key=key)
    sender.send("x")
    assert sender.flush()[0].accepted == 1
    assert door.asked[0][1]["X-API-Key"] == "zero_SECRET"
    sender.close()


@pytest.mark.parametrize("key", ["zero_\nSECRET", "zero SECRET", "zero_SÉCRET"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key):
    with pytest.raises(ValueError, match="api_key") as refused:
        Sender(api_key=key)
    assert "CRET" not in str(refused.value)


def test_what_the_http_library_says_of_a_header_is_not_shown():
    from zero.client.door import Door, DoorOptions

    assert "SECRET" not in Door(DoorOptions("http://127.0.0.1:9", api_key="zero_SECRET\n")).post(b"", {}).problem


@pytest.mark.parametrize("url", ["http://h:99999", "http://h:port"])
def test_a_port_that_cannot_be_is_refused_where_it_is_given(url):
    with pytest.raises(ValueError, match="port"):
        Sender(url=url)
