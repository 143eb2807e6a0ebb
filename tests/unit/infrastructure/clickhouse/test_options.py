"""The store's URL and its bounds."""

import pytest

from zero.domain.errors import ConfigurationError
from zero.infrastructure.clickhouse.options import ClickHouseOptions


def test_a_url_says_all() -> None:
    options = ClickHouseOptions("https://me:p%40ss@ch.example:9443/logs")
    assert (options.scheme, options.host, options.port) == ("https", "ch.example", 9443)
    assert (options.user, options.password, options.database) == ("me", "p@ss", "logs")
    assert not options.is_local


def test_what_the_url_leaves_out_has_defaults() -> None:
    options = ClickHouseOptions("http://127.0.0.1")
    assert (options.port, options.user, options.database, options.is_local) == (8123, "default", "default", True)
    assert ClickHouseOptions("https://h").port == 8443
    assert ClickHouseOptions("http://[::1]:1").is_local


@pytest.mark.parametrize(
    "url", ["", "ch.example", "tcp://ch.example", "http://", "http://h/a`b", "http://h/a/b", "http://[::1", "http://h:99999"]
)
def test_a_wrong_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        ClickHouseOptions(url)


@pytest.mark.parametrize(
    "wrong", [{"retention_days": 0}, {"retention_days": 36_501}, {"connections_max": 0}, {"cluster": "a'b"}, {"quorum": "most"}]
)
def test_a_bound_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        ClickHouseOptions("http://h", **wrong)


def test_no_password_is_shown() -> None:
    assert "secret" not in repr(ClickHouseOptions("http://me:secret@h"))
