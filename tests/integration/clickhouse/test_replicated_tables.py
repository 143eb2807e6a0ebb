"""The tables of a cluster in the real engine, with a real ZooKeeper: as far as replicas go that no other server can reach.

The engine makes the tables of several replicas, and compares each with what ZooKeeper has been told. Writing needs a live
replica, which the embedded engine cannot be.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.zookeeper_server import ZooKeeperServer, is_installed
from zero.infrastructure.clickhouse.migrations import everywhere, migrations
from zero.infrastructure.clickhouse.options import ClickHouseOptions

OPTIONS = ClickHouseOptions("http://h/zero", cluster="main")
ENGINE = """
import importlib, json, sys
chdb = importlib.import_module("chdb._chdb")
connection = chdb.connect(sys.argv[1])
for line in sys.stdin:
    try:
        found = {"rows": connection.query(json.loads(line), "JSONCompactEachRow").bytes().decode().splitlines()}
    except Exception as error:
        found = {"error": str(error)}
    print(json.dumps(found), flush=True)
"""
CONFIG = """<clickhouse>
  <macros><shard>1</shard><replica>a</replica></macros>
  <remote_servers><main><shard><replica><host>127.0.0.1</host><port>9</port></replica></shard></main></remote_servers>
  <zookeeper><node><host>127.0.0.1</host><port>{port}</port></node></zookeeper>
</clickhouse>
"""


class Engine:
    """The engine in a process of its own, without a server before it."""

    def __init__(self, path: Path, zookeeper: ZooKeeperServer) -> None:
        config = path / "config.xml"
        config.write_text(CONFIG.format(port=zookeeper.port))
        argv = [sys.executable, "-c", ENGINE, f"{path / 'data'}?config-file={config}"]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, sql: str) -> dict[str, object]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(sql) + "\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    def rows(self, sql: str) -> list[list[object]]:
        found = self.ask(sql)
        assert "rows" in found, f"{sql}\n{found}"
        return [json.loads(row) for row in found["rows"]]  # type: ignore[attr-defined]

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait(30)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    if not is_installed():
        pytest.skip("ZooKeeper is not installed (Debian: apt-get install libzookeeper-java, and a Java)")
    zookeeper = ZooKeeperServer()
    engine = Engine(tmp_path, zookeeper)
    yield engine
    engine.close()
    zookeeper.close()


def as_replica(sql: str, name: str) -> str:
    """Return the statement as a replica of the same tables runs it: in a database of its own, since all are one server here."""
    here = sql.replace(" ON CLUSTER 'main'", "").replace("{database}", "zero").replace("EXISTS `zero`.", "EXISTS ")
    return here.replace("EXISTS ", f"EXISTS {name}.", 1).replace("{replica}", name)


def test_replicas_are_made_alike_and_one_that_is_added_later_like_those_that_are_there(engine: Engine) -> None:
    made = [one for file in migrations(OPTIONS) for one in file.statements if one.startswith("CREATE TABLE")]
    local = [one for one in made if "ENGINE = Replicated" in one]
    assert len(local) == 4
    for name in ("zero", "b", "c"):
        engine.rows(f"CREATE DATABASE {name} ENGINE = Atomic")
    engine.rows("USE zero")
    for statement in local:
        engine.rows(statement.replace(" ON CLUSTER 'main'", ""))  # the server's own macros
        engine.rows(as_replica(statement, "b"))
    assert engine.rows("SELECT total_replicas FROM system.replicas") == [[2]] * 8
    differs = engine.ask(as_replica(local[0], "c").replace("GRANULARITY 1", "GRANULARITY 2", 1))
    assert "METADATA_MISMATCH" in str(differs["error"])
    shown = engine.rows("SELECT name, create_table_query FROM system.tables WHERE database = 'zero' ORDER BY name")
    for name, query in shown:
        engine.rows(as_replica(everywhere(str(query), str(name), OPTIONS), "c"))
    assert engine.rows("SELECT DISTINCT total_replicas, replica_name FROM system.replicas ORDER BY replica_name") == [
        [3, "a"],
        [3, "b"],
        [3, "c"],
    ]
