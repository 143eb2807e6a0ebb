"""Where a shard's rows go, and where they are looked for: one server, or a cluster of them (docs/clusters.md).

On one server an insert names its door, and ``logs`` knows everything. In a cluster the door stands on every server, before the
replicated ``logs_local``, so that it is the server which stores that refuses; and a verification asks every replica, after each
that is alive has what the others have (docs/decisions/0320, 0321).
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from clickhouse_connect.driver.client import Client

from zero.application.ports import Lease
from zero.domain.errors import ConfigurationError
from zero.infrastructure.clickhouse.options import ClickHouseOptions

SETTING = "ZERO_CLICKHOUSE_CLUSTER"
WHOLE = {
    **dict.fromkeys(("timeout_overflow_mode", "read_overflow_mode", "result_overflow_mode", "set_overflow_mode"), "throw"),
    "use_query_cache": 0,
}
"""Whatever the profile of the user says: what a bound cuts short fails, and no answer is one of before."""
_UNKNOWN_TABLE = 60
_NO_SERVER = 519  # where no server of the cluster could say what the door looks like


def on_cluster(options: ClickHouseOptions) -> str:
    """Return the ``ON CLUSTER`` clause, with a blank before it; '' without a cluster."""
    return f" ON CLUSTER '{options.cluster}'" if options.cluster else ""


def writing(options: ClickHouseOptions) -> dict[str, Any]:
    """Return the settings under which a cluster is written to: none on one server.

    An insert returns when the quorum has it, not when it lies in a queue of the server that was asked. Inserts go on beside
    each other (``insert_quorum_parallel``): what that takes from ``select_sequential_consistency``, ``Cluster.catch_up`` makes
    up for. A statement for all servers waits for those that are alive; the others do it when they return.
    """
    if options.cluster is None:
        return {}
    return {
        "distributed_foreground_insert": 1,
        "insert_quorum": options.quorum,
        "insert_quorum_parallel": 1,
        "insert_quorum_timeout": options.insert_timeout_seconds * 500,
        "distributed_ddl_output_mode": "throw_only_active",
        "distributed_ddl_task_timeout": options.quiesce_timeout_seconds,
    }


def refuse_unknown_cluster(client: Client, options: ClickHouseOptions) -> None:
    """Raise ConfigurationError when the server does not know the cluster."""
    if options.cluster is None:
        return
    known = sorted(set(client.raw_query("SELECT cluster FROM system.clusters", fmt="TSV").decode().split()))
    if options.cluster not in known:
        raise ConfigurationError(
            f"{SETTING}={options.cluster}: the server {options.host}:{options.port} knows no such cluster, but "
            f"{', '.join(known) or 'none at all'}; name it under <remote_servers> of every server, or correct the setting"
        )


class OneServer:
    """All rows are in ``logs`` of the server that is asked."""

    rows = "logs"

    def __init__(self, options: ClickHouseOptions) -> None:
        self._options = options
        self.on_cluster = on_cluster(options)

    def look(self, client: Client) -> None:
        """Learn what an insert has to know of the servers: nothing, when there is one."""

    def target(self, door: str) -> str:
        """Return what an insert through the door names."""
        return door

    def settings(self, lease: Lease, data: bytes) -> dict[str, Any]:
        """Return the settings of one insert: never dropped as a repetition, for verifying decides what is one."""
        return {"insert_deduplicate": 0}

    def is_fenced(self, code: int, text: str, door: str) -> bool:
        """Say whether an insert was refused because its door is gone; then nothing was stored."""
        return code == _UNKNOWN_TABLE and door in text

    def system(self, table: str) -> str:
        """Return a table of ``system`` of every server."""
        return f"system.{table}"

    def running(self, marker: str, door: str, epoch: int) -> str:
        """Return the condition on ``system.processes`` of the inserts of a shard under lower epochs."""
        ours = f"query_kind = 'Insert' AND current_database = '{self._options.database}' AND position(query, '{marker}') > 0"
        return f"{ours} AND toUInt64OrZero(extract(query, '{marker.replace('*', '[*]')}([0-9]+) ')) < {epoch}"

    def silent(self, client: Client) -> int:
        """Return how many servers may still run inserts, and cannot be asked."""
        return 0

    def present(self, client: Client, batch_ids: Sequence[int]) -> bytes:
        """Return the stored identities among the batches as TSV of (batch id, index), a line for each row."""
        sql = "SELECT _bid, _idx FROM logs WHERE _bid IN {ids:Array(UInt64)}"
        return client.raw_query(sql, {"ids": list(batch_ids)}, settings=WHOLE, fmt="TSV")

    def catch_up(self, client: Client) -> None:
        """Wait until every server can see what is stored: there is but one."""


class Cluster(OneServer):
    """Rows are in ``logs_local`` of the replicas of one shard; which one, the buffer's shard says."""

    rows = "logs_local"

    def __init__(self, options: ClickHouseOptions) -> None:
        super().__init__(options)
        self._name = options.cluster
        self._shards = 1

    def look(self, client: Client) -> None:
        """Count the shards, which may have become more."""
        sql = f"SELECT max(shard_num) FROM system.clusters WHERE cluster = '{self._name}'"
        self._shards = int(client.raw_query(sql, fmt="TSV"))

    def target(self, door: str) -> str:
        """Return the door of the server that stores: the one that is asked only hands the block on."""
        return f"FUNCTION cluster('{self._name}', '{self._options.database}', '{door}')"

    def settings(self, lease: Lease, data: bytes) -> dict[str, Any]:
        """Send the block whole to the shard that the buffer's shard stands for.

        The token keeps what a balancer sends twice from being stored twice; without one the server would hash every row. Under
        another epoch it is another one: Keeper remembers those of blocks that were lost since (docs/decisions/0320).
        ``max_execution_time`` bounds what a server that cannot be asked may still be doing.
        """
        return {
            "insert_shard_id": lease.shard % self._shards + 1,
            "insert_deduplicate": 1,
            "insert_deduplication_token": f"{lease.shard}-{lease.epoch}-{blake2b(data, digest_size=16).hexdigest()}",
            "max_execution_time": self._options.insert_timeout_seconds,
        }

    def is_fenced(self, code: int, text: str, door: str) -> bool:
        """Say so also when the storing server, not the one that is asked, refused it."""
        return door in text and (code == _UNKNOWN_TABLE or (code == _NO_SERVER and "UNKNOWN_TABLE" in text))

    def system(self, table: str) -> str:
        """Return the table of all servers that answer, if ``skip_unavailable_shards`` is set."""
        return f"clusterAllReplicas('{self._name}', system.{table})"

    def running(self, marker: str, door: str, epoch: int) -> str:
        """Find them by the name of their door: the storing server sees that, but not the comments of the statement."""
        found = f"extract(query, '(?:^|[^A-Za-z0-9_-]){self._options.database}.{{1,4}}{door}([0-9]+)')"
        return f"query_kind = 'Insert' AND toUInt64OrZero({found}) BETWEEN 1 AND {epoch - 1}"

    def silent(self, client: Client) -> int:
        """Return how many servers of the cluster do not answer."""
        known = f"SELECT uniqExact(host_name, port) FROM system.clusters WHERE cluster = '{self._name}'"
        return int(client.raw_query(known, fmt="TSV")) - self.answering(client)

    def answering(self, client: Client) -> int:
        """Return how many servers answer."""
        sql = f"SELECT count() FROM {self.system('one')} SETTINGS skip_unavailable_shards = 1"
        return int(client.raw_query(sql, fmt="TSV"))

    def catch_up(self, client: Client) -> None:
        """Have each live replica fetch what was stored until now, or fail; and fail when a shard has no live replica."""
        client.command(f"SYSTEM SYNC REPLICA{self.on_cluster} `{self._options.database}`.{self.rows} LIGHTWEIGHT")
        client.raw_query(f"SELECT count() FROM cluster('{self._name}', system.one)", fmt="TSV")

    def present(self, client: Client, batch_ids: Sequence[int]) -> bytes:
        """Ask every replica that answers: a row that one of them has is stored. What stands twice on one stands twice."""
        table = f"clusterAllReplicas('{self._name}', '{self._options.database}', '{self.rows}')"
        each = (
            f"SELECT _shard_num AS replica, _bid, _idx, count() AS times FROM {table}"
            " WHERE _bid IN {ids:Array(UInt64)} GROUP BY replica, _bid, _idx"
        )
        sql = (
            f"SELECT _bid, _idx FROM (SELECT _bid, _idx, max(times) AS times FROM ({each}) GROUP BY _bid, _idx)"
            " ARRAY JOIN range(times) AS time SETTINGS skip_unavailable_shards = 1"
        )
        return client.raw_query(sql, {"ids": list(batch_ids)}, settings=WHOLE, fmt="TSV")


def servers(options: ClickHouseOptions) -> OneServer:
    """Return what the options name."""
    return OneServer(options) if options.cluster is None else Cluster(options)
