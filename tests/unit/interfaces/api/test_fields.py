"""Completing a query over HTTP."""

import pytest

from zero.domain.entry import Level
from zero.domain.query_fields import ALIASES, QUERY_FIELDS


async def names(api, **parameters) -> list[tuple[str, str]]:
    answer = await api.client.get("/api/fields", params=parameters)
    assert answer.status_code == 200, answer.text
    return [(one["kind"], one["name"]) for one in answer.json()["fields"]]


async def values(api, **parameters) -> list[tuple[str, int]]:
    answer = await api.client.get("/api/fields/values", params=parameters)
    assert answer.status_code == 200, answer.text
    return [(one["value"], one["count"]) for one in answer.json()["values"]]


async def test_names_are_those_of_fields_and_of_metadata_keys_the_most_frequent_first(api) -> None:
    api.store("a", 0, 0, metadata={"seldom": 1, "status": 200})
    api.store("b", 1, 1, metadata={"status": 500})
    found = await names(api)
    assert found[0] == ("field", "app_id")
    assert [name for kind, name in found if kind == "metadata"] == ["status", "seldom"]
    assert await names(api, prefix="S") == [
        ("field", "source"), ("field", "span_id"), ("metadata", "status"), ("metadata", "seldom")
    ]  # fmt: skip


async def test_a_metadata_key_that_is_named_like_a_field_says_that_it_is_metadata(api) -> None:
    api.store("a", metadata={"level": "x"})
    assert ("metadata", "metadata.level") in await names(api, prefix="level")


async def test_keys_that_are_named_like_what_else_a_query_means_say_that_they_are_metadata(api) -> None:
    taken = [*QUERY_FIELDS, *ALIASES, "_exists_", "metadata.x"]
    api.store("a", metadata=dict.fromkeys(taken, "of the key") | {"plain": "x"})
    found = {name for kind, name in await names(api, limit=100) if kind == "metadata"}
    assert found == {f"metadata.{name}" for name in taken} | {"plain"}
    for name in found - {"plain"}:
        assert await api.messages(f'/api/logs?q={name}:"of the key"') == ["a"], name
        assert await values(api, field=name) == [("of the key", 1)]


async def test_names_are_completed_behind_the_prefix_of_metadata_and_from_short_forms(api) -> None:
    api.store("a", source="node-1", metadata={"Colour": "red"})
    assert await names(api, prefix="metadata.") == await names(api, prefix="metadata.Co") == [("metadata", "metadata.Colour")]
    assert await names(api, prefix="sev") == [("field", "level")]
    assert await names(api, prefix="host") == [("field", "host")]
    assert await values(api, field="host", prefix="no") == [("node-1", 1)]
    api.store("b", metadata={"host": "node-2"})
    assert await names(api, prefix="host") == [("metadata", "host")]
    assert await values(api, field="host") == [("node-2", 1)]


async def test_values_are_counted_in_the_logs_that_match(api) -> None:
    for number, (status, app) in enumerate([(200, "web"), (200, "web"), (500, "web"), (200, "db")]):
        api.store("x", number, number, app_id=app, metadata={"status": status})
    assert await values(api, field="status") == [("200", 3), ("500", 1)]
    assert await values(api, field="status", prefix="5") == [("500", 1)]
    assert await values(api, field="status", app_id="db") == [("200", 1)]
    assert await values(api, field="app", prefix="W") == [("web", 3)]


async def test_levels_are_known_and_texts_without_end_have_no_values(api) -> None:
    api.store("x")
    api.store("y", level=Level.ERROR)
    api.store("z", level=Level.ERROR)
    for name in ("level", "severity", "lvl"):
        assert await values(api, field=name, limit=2) == [("ERROR", 2), ("INFO", 1)]
        assert await values(api, field=name, prefix="w") == [("WARN", 0)]
    assert await values(api, field="message") == await values(api, field="timestamp") == []


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/fields?limit=0", "limit"),
        ("/api/fields?limit=101", "limit"),
        ("/api/fields?prefix=" + "x" * 300, "prefix"),
        ("/api/fields/values", "field"),
        ("/api/fields/values?field=", "field"),
        ("/api/fields?tenant=other", "tenant"),
    ],
)
async def test_what_is_out_of_bounds_is_refused_and_names_the_parameter(api, path, field) -> None:
    answer = await api.client.get(path)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
