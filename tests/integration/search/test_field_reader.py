"""Names and values to complete a query with, from a real store."""

import pytest

from tests.integration.search.conftest import LogStore, Reader
from zero.application.ports import FieldReader, Scope
from zero.domain.batch_id import batch_id
from zero.domain.entry import LogEntry, MetadataValue
from zero.domain.query import Everything, Field
from zero.domain.stored import StoredEntry

START_S = 1_795_341_600
MINE = Scope("default", Everything())


def batch(seconds: int, *metadata: dict[str, MetadataValue], app_id: str = "web") -> list[StoredEntry]:
    identity, at = batch_id((START_S + seconds) * 1000, 1, 0), (START_S + seconds) * 10**9
    made = [LogEntry(f"message of {app_id}", at, app_id=app_id, user_id=f"u{seconds}", metadata=one) for one in metadata]
    return [StoredEntry(identity, index, entry) for index, entry in enumerate(made)]


@pytest.fixture
def fields(log_server: LogStore, reader: Reader) -> FieldReader:
    return log_server.field_reader(reader)


async def test_keys_of_every_app_are_found_though_one_app_drowns_the_others(log_store: LogStore, fields) -> None:
    log_store.store(batch(0, *[{"Host": "a"}] * 3000, app_id="aaa"))
    log_store.store(batch(1, {"http.method": "GET", "host": 1}, app_id="zzz"))
    assert await fields.keys(MINE, "", 10) == [("Host", 5), ("host", 1), ("http.method", 1)]
    assert await fields.keys(MINE, "HTTP", 10) == [("http.method", 1)]
    assert len(await fields.keys(MINE, "", 2)) == 2


async def test_values_of_keys_of_every_type_and_of_fields_are_texts(log_store: LogStore, fields) -> None:
    log_store.store(batch(0, {"v": 500}, {"v": 500}, {"v": "5xx"}, {"v": 5.5}, {"v": True}, {"v": ""}, {"other": 1}))
    key = Field("v", is_key=True)
    assert await fields.values(MINE, key, "", 10) == [("500", 2), ("5.5", 1), ("5xx", 1), ("true", 1)]
    assert await fields.values(MINE, key, "5X", 10) == [("5xx", 1)]
    assert await fields.values(MINE, Field("app_id"), "W", 10) == [("web", 7)]
    assert await fields.values(MINE, Field("user_id"), "", 10) == [("u0", 7)]
    assert await fields.values(MINE, Field("trace_id"), "", 10) == []


async def test_what_is_only_in_old_entries_is_found_where_nothing_newer_has_it(log_store: LogStore, fields) -> None:
    log_store.store(batch(0, {"old": "x"}))
    log_store.store(batch(86_400, {"new": "y"}))
    assert await fields.values(MINE, Field("old", is_key=True), "", 10) == [("x", 1)]
    before = Scope("default", Everything(), None, (START_S + 10) * 10**9)
    assert await fields.keys(before, "", 10) == [("old", 1)]


async def test_names_and_values_are_those_of_the_tenant(log_store: LogStore, fields) -> None:
    log_store.store(batch(0, {"mine": "a"}))
    log_store.store(batch(0, {"theirs": "b"}), "other")
    assert await fields.keys(MINE, "", 10) == [("mine", 1)]
    assert await fields.values(MINE, Field("theirs", is_key=True), "", 10) == []
    assert await fields.keys(Scope("nobody", Everything()), "", 10) == []


async def test_the_rows_of_a_sample_are_bounded_and_long_values_are_left_out(log_store: LogStore, reader) -> None:
    log_store.store(batch(0, *[{"v": "x"}] * 50, {"v": "y" * 300}))
    fields = log_store.field_reader(reader, rows=20)
    assert await fields.values(MINE, Field("v", is_key=True), "", 10) == [("x", 20)]


@pytest.mark.parametrize("hostile", ["') OR 1=1 --", "\\", "`", "{limit:UInt32}", "%", "x\0y", "é"])
async def test_hostile_names_and_prefixes_find_nothing_and_break_nothing(log_store: LogStore, fields, hostile: str) -> None:
    log_store.store(batch(0, {"v": "x"}))
    assert await fields.keys(MINE, hostile, 10) == []
    assert await fields.values(MINE, Field("v", is_key=True), hostile, 10) == []
    assert await fields.values(MINE, Field(hostile, is_key=True), "", 10) == []
