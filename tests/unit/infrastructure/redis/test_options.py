"""Options that cannot work are refused, and errors of the library keep their code."""

import pytest
from redis import exceptions

from zero.domain.errors import BufferUnavailable, ConfigurationError, InvalidInput, Overloaded
from zero.infrastructure.redis.dead import parse_cursor
from zero.infrastructure.redis.failures import translate
from zero.infrastructure.redis.gauge import memory
from zero.infrastructure.redis.nodes import Nodes
from zero.infrastructure.redis.options import RedisOptions


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://localhost"},
        {"shards": 0},
        {"low_water": 0.9},
        {"high_water": 1.0},
        {"timeout_seconds": 0},
        {"timeout_seconds": 3.0},
    ],
)
def test_options_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        RedisOptions(**{"url": "redis://localhost", **wrong})  # type: ignore[arg-type]


async def test_a_url_that_cannot_be_read_is_a_setting_that_cannot_work() -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Nodes(RedisOptions("redis://localhost?socket_timeout=soon"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (exceptions.BusyLoadingError("Redis is loading"), "LOADING"),
        (exceptions.ReadOnlyError("You can't write"), "READONLY"),
        (exceptions.NoPermissionError("this user"), "NOPERM"),
        (exceptions.ResponseError("MISCONF Errors writing"), "MISCONF"),
        (exceptions.ConnectionError("refused"), "refused"),
        (exceptions.TimeoutError("Timeout reading"), "Timeout"),
        (ConnectionResetError("reset"), "reset"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_errors_become_unavailable_and_keep_their_code(error: Exception, code: str) -> None:
    translated = translate(error)
    assert isinstance(translated, BufferUnavailable)
    assert code in translated.message


def test_out_of_memory_is_a_bound_reached_not_an_outage() -> None:
    assert isinstance(translate(exceptions.OutOfMemoryError("command not allowed")), Overloaded)


def test_without_a_limit_the_memory_of_the_machine_is_the_limit() -> None:
    assert memory({"used_memory": "5", "maxmemory": "0", "total_system_memory": "100"}) == (5, 100)
    assert memory({"used_memory": 5, "maxmemory": 50, "total_system_memory": 100}) == (5, 50)


def test_a_cursor_names_shard_and_entry() -> None:
    assert parse_cursor("") == (0, "0-0")
    assert parse_cursor("3:17-4") == (3, "17-4")
    for wrong in ("x", "1", "1:2", "1:a-b", "1:1-2)"):
        with pytest.raises(InvalidInput):
            parse_cursor(wrong)
