"""What ``zero up`` tells its children."""

import pytest

from zero.cli import up_plan
from zero.settings import load

ELSEWHERE = {
    "ZERO_BUFFER_URL": "redis://buffer.example",
    "ZERO_CLICKHOUSE_URL": "http://store.example:8123/zero",
    "ZERO_INGEST_HTTP": "127.0.0.1:0",
    "ZERO_INGEST_GRPC": "",
    "ZERO_API": "127.0.0.1:0",
}


@pytest.mark.parametrize(("given", "processes"), [({}, 5), ({"ZERO_INGEST_WORKERS": "3"}, 3), ({"ZERO_PIPELINE": "stream"}, 1)])
def test_each_ingest_process_hears_by_how_many_quotas_are_divided(given, processes, tmp_path, monkeypatch):
    monkeypatch.setattr(up_plan, "cores", lambda: 5)
    planned = up_plan.plan(load(ELSEWHERE | given), tmp_path)
    told = [load(command.environment).ingest_processes for command in planned.roles if command.name.startswith("ingest-")]
    assert told == [processes] * processes


def test_an_ingest_process_that_nobody_told_grants_whole_quotas(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(64), raising=False)
    assert load({}).ingest_processes == 1
    assert load({"ZERO_INGEST_WORKERS": "2"}).ingest_processes == 2, "as instances of the systemd unit are told"


@pytest.mark.parametrize(
    ("limit_gib", "more", "store_mib"),
    [
        (64, {}, 4096),
        (4, {}, 3456),
        (4, {"ZERO_BUFFER_URL": ""}, 2944),
        (4, {"ZERO_SHARDS": "3"}, 3200),
        (4, {"ZERO_PIPELINE": "stream"}, 3584),
        (1, {}, 512),
    ],
)
def test_the_embedded_store_may_have_what_the_others_leave(limit_gib, more, store_mib, tmp_path, monkeypatch):
    monkeypatch.setattr(up_plan, "memory_limit", lambda: limit_gib << 30)
    given = {"ZERO_CLICKHOUSE_URL": "", "ZERO_EMBEDDED_CLICKHOUSE": "127.0.0.1:0", "ZERO_INGEST_WORKERS": "2"}
    store = up_plan.plan(load(ELSEWHERE | given | more), tmp_path).servers[-1]
    assert store.argv[store.argv.index("--memory-bytes") + 1] == str(store_mib << 20)
