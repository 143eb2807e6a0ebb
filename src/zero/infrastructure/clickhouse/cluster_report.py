"""How a cluster is, as ``zero doctor`` asks."""

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from zero.infrastructure.clickhouse.cluster import SETTING, Cluster
from zero.infrastructure.clickhouse.connection import connect_writer
from zero.infrastructure.clickhouse.errors import translated
from zero.infrastructure.clickhouse.options import ClickHouseOptions

_MACROS = ("shard", "replica")


def cluster_report(options: ClickHouseOptions, buffer_shards: int) -> tuple[str, list[str]]:
    """Return what the cluster is, and what is wrong with it, for a buffer of so many shards.

    Raises ConfigurationError when there is no such cluster, StoreUnavailable or StoreHalted.
    """
    with translated():
        client = connect_writer(options, "default")
        try:
            asked = {"cluster": options.cluster}
            sql = "SELECT count() FROM system.clusters WHERE cluster = {cluster:String} GROUP BY shard_num"
            replicas = [int(count) for count in client.raw_query(sql, asked, fmt="TSV").split()]
            what = f"cluster {options.cluster}: {len(replicas)} shards, {sum(replicas)} servers"
            return what, [*_of_shape(options, replicas, buffer_shards), *_of_servers(client, options)]
        finally:
            client.close()


def _of_shape(options: ClickHouseOptions, replicas: list[int], buffer_shards: int) -> list[str]:
    found = []
    if buffer_shards % len(replicas):
        found.append(f"ZERO_SHARDS={buffer_shards} is no multiple of {len(replicas)} shards: they are filled unevenly")
    if min(replicas) < 2:
        found.append("a shard has one replica: its logs are on one disk")
    elif options.quorum in ("0", "1"):
        found.append(f"ZERO_CLICKHOUSE_QUORUM={options.quorum}: what was just stored is on one disk")
    elif min(replicas) == 2:
        found.append("a shard has two replicas, and an insert waits for both: while one is away, the buffer holds its logs")
    return found


def _of_servers(client: Client, options: ClickHouseOptions) -> list[str]:
    found, cluster = [], Cluster(options)
    if silent := cluster.silent(client):
        found.append(f"{silent} servers do not answer")
    macros = client.raw_query("SELECT macro FROM system.macros", fmt="TSV").decode().split()
    if missing := [macro for macro in _MACROS if macro not in macros]:
        found.append(f"<macros> of {options.host} lack {' and '.join(missing)}, which {SETTING} needs on every server")
    try:
        client.raw_query("SELECT count() FROM system.zookeeper WHERE path = '/'", fmt="TSV")
    except ClickHouseError:
        return [*found, f"{options.host} reaches no Keeper, which replicated tables need"]
    sql = f"SELECT count() FROM {cluster.system('replicas')} WHERE is_readonly AND database = {{database:String}}"
    settings = {"skip_unavailable_shards": 1}
    if readonly := int(client.raw_query(sql, {"database": options.database}, settings=settings, fmt="TSV")):
        found.append(f"{readonly} replicas of tables are read-only: their servers have lost Keeper")
    return found
