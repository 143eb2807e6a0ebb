"""The doors of patterns and anomalies: their shapes, and what they refuse."""

import pytest

from tests.unit.interfaces.api.conftest import NOW_S, Api
from zero.domain.entry import Level


async def test_a_pattern_has_its_counts_by_level_app_and_time(api: Api) -> None:
    for index in range(3):
        api.store("served", -60 + index, index, app_id="shop")
    api.store("failed", -30, level=Level.ERROR, app_id="bank")
    answer = (await api.client.get("/api/patterns?from=-2m")).json()
    served, failed = answer["patterns"]
    assert answer["step_seconds"] == 4
    assert (served["pattern"], served["count"], served["apps"]) == ("served", 3, ["shop"])
    assert failed["levels"] == {"ERROR": 1}
    assert [sum(one["sparkline"]) for one in (served, failed)] == [3, 1]
    assert served["sparkline"][15] == 3
    assert served["first_seen"] < served["last_seen"]
    for parameters, names in (
        ("sort=rare", ["failed", "served"]),
        ("sort=new", ["failed", "served"]),
        ("limit=1", ["served"]),
        ("level=error", ["failed"]),
        ("app_id=shop", ["served"]),
        (f"new_since={NOW_S - 40}", ["failed"]),
        (f"q=pattern_id:{failed['id']}", ["failed"]),
        ("to=-1h", []),
    ):
        found = (await api.client.get(f"/api/patterns?{parameters}")).json()
        assert [one["pattern"] for one in found["patterns"]] == names, parameters


async def test_a_pattern_shows_what_it_is_made_of_and_its_lines_are_found(api: Api) -> None:
    api.store("served")
    (listed,) = (await api.client.get("/api/patterns")).json()["patterns"]
    shown = (await api.client.get(f"/api/patterns/{listed['id']}")).json()
    assert (shown["id"], shown["pattern"], shown["members"][0]["example"]) == (listed["id"], "served", "served")
    assert await api.messages(f"/api/logs?q=pattern_id:{listed['id']}") == ["served"]
    assert await api.messages(f"/api/logs?q=NOT pattern_id:{listed['id']}") == []
    assert await api.messages("/api/logs?q=pattern_id:*") == ["served"]


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/api/patterns?limit=0", 400, "limit"),
        ("/api/patterns?limit=1001", 400, "limit"),
        ("/api/patterns?sort=odd", 400, "sort"),
        ("/api/patterns?new_since=soon", 400, "new_since"),
        ("/api/patterns?from=now&to=-1h", 400, "from"),
        ("/api/patterns/zz", 400, "id"),
        ("/api/patterns/1", 404, None),
        ("/api/logs?q=pattern_id:zz", 400, "pattern_id"),
        ("/api/logs?q=pattern_id:12*", 400, "pattern_id"),
        ("/api/logs?q=pattern_id:>5", 400, None),
        ("/api/anomalies?limit=0", 400, "limit"),
        ("/api/anomalies?from=-1h&to=-2h", 400, "from"),
        ("/api/anomalies?about=x", 400, "about"),
    ],
)
async def test_what_cannot_be_is_refused_and_the_field_named(api: Api, path: str, status: int, field: str | None) -> None:
    answer = await api.client.get(path)
    assert (answer.status_code, answer.json()["error"].get("field")) == (status, field)


async def test_a_store_that_does_not_answer_is_said(api: Api) -> None:
    from zero.domain.errors import StoreUnavailable

    api.reader.failure = StoreUnavailable("gone")
    for path in ("/api/patterns", "/api/anomalies"):
        api.store("x", -7200)
        assert (await api.client.get(path)).status_code == 503
