"""A ClickHouse cluster of two shards in one process: as much of one as the embedded engine can be.

``python -m tests.integration.clickhouse_cluster`` is the embedded server with a cluster ``pair`` of two shards, both of which
are itself, by two names. ``Distributed`` tables, ``cluster()`` and ``insert_shard_id`` are the engine's own and see two shards:
row policies leave each of them half of every table. What takes a second server is left out: the engine cannot run statements
``ON CLUSTER`` or be a live replica, so statements lose the one, and tables are not replicated (that the engine takes those that
are, ``tests/integration/clickhouse/test_replicated_tables.py`` tries).
"""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.integration.clickhouse_server import ClickHouseServer
from zero.embedded.clickhouse import __main__ as command
from zero.embedded.clickhouse import engine
from zero.embedded.clickhouse.engine import Result, Session
from zero.infrastructure.clickhouse.migrations import migrate
from zero.infrastructure.clickhouse.options import ClickHouseOptions

CLUSTER, LIMPING, TORN = "pair", "limping", "torn"
DATABASE = "zero"
HALVED_BY = {"logs": "_bid", "patterns": "pattern_id", "pattern_words": "pattern_id", "pattern_vectors": "pattern_id"}
_REPLICATED = re.compile(r"ENGINE = Replicated(\w*MergeTree)\('[^']*', '[^']*'(?:, )?")
_SYNC = re.compile(r"\s*SYSTEM SYNC REPLICA `zero`\.logs_local LIGHTWEIGHT\s*")
_PORT = 9  # of nothing: a server knows itself by its name and this, and never connects
_SERVERS = (("127.0.0.1", _PORT), ("localhost", _PORT), ("127.0.0.1", 1))
_ON_CLUSTER = re.compile(r" ON CLUSTER '\w+'")


def start_cluster(path: Path, *flags: str) -> tuple[ClickHouseServer, ClickHouseOptions]:
    """Start one as a process of its own, its tables made; returns it, and how to write to it."""
    server = ClickHouseServer(path, *flags, module="tests.integration.clickhouse_cluster").start()
    options = replace(server.options(DATABASE), cluster=CLUSTER)
    migrate(options)
    return server, options


def servers() -> str:
    """Return the part of the configuration that names the servers. Of ``limping`` one replica is dead, of ``torn`` a shard."""
    alive, same, dead = (f"<replica><host>{host}</host><port>{port}</port></replica>" for host, port in _SERVERS)
    clusters = {CLUSTER: (alive, same), LIMPING: (alive, same + dead), TORN: (alive, same, dead)}
    held = "<internal_replication>true</internal_replication>"
    named = "".join(
        f"<{name}>{''.join(f'<shard>{held}{one}</shard>' for one in shards)}</{name}>" for name, shards in clusters.items()
    )
    return f"<tcp_port>{_PORT}</tcp_port><remote_servers>{named}</remote_servers>"


def alone(sql: str) -> str:
    """Return what one server makes of a statement for all of them."""
    sql = _ON_CLUSTER.sub("", sql)
    sql = _REPLICATED.sub(r"ENGINE = \1(", sql)
    return "SELECT 1" if _SYNC.fullmatch(sql) else sql


class LonelySession(Session):
    """Gives the engine the statements that it can run."""

    def query(self, sql: str, output: str = "TabSeparated", params: Mapping[str, str] | None = None) -> Result:
        return super().query(alone(sql), output, params)

    def stream(self, sql: str, output: str, params: Mapping[str, str]) -> Iterator[bytes]:
        return super().stream(alone(sql), output, params)


def configured(path: Path, memory_bytes: int) -> Path:
    """Write the configuration of the embedded server, and the cluster into it."""
    config = _write_config(path, memory_bytes)
    config.write_text(config.read_text().replace("</clickhouse>", f"{servers()}</clickhouse>"))
    halves = "".join(
        f"<{table}_local><filter>shardNum() = 0 OR {column} % 2 + 1 = shardNum()</filter></{table}_local>"
        for table, column in HALVED_BY.items()
    )
    users = path / "users.xml"
    rights = "<query>GRANT REMOTE, CLUSTER ON *.*</query><query>GRANT TABLE ENGINE ON Distributed</query></grants>"
    halved = f"<databases><{DATABASE}>{halves}</{DATABASE}></databases></default></users>"
    users.write_text(users.read_text().replace("</grants>", rights).replace("</default></users>", halved))
    return config


_write_config = engine._write_config


def main() -> None:
    """Run the embedded server so."""
    changed: Any = engine
    changed.Session, changed._write_config = LonelySession, configured
    command.main()


if __name__ == "__main__":
    sys.exit(main())
