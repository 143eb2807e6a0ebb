"""Parts that ClickHouse cannot read: one of them fails every search that meets it, so it is detached, and its files are kept.

Where the server looks when it starts it finds damage and detaches the part itself; a wrong byte of a column it does not see.
"""

from clickhouse_connect.driver.client import Client

from zero.infrastructure.clickhouse.worker import query_rows

_SUSPECT = (
    "SELECT parts.name, sum(errors.value) FROM system.parts AS parts CROSS JOIN system.errors AS errors"
    " WHERE parts.active AND parts.database = {database:String} AND parts.table = {table:String}"
    " AND errors.name IN ('CHECKSUM_DOESNT_MATCH', 'CORRUPTED_DATA', 'CANNOT_DECOMPRESS', 'UNKNOWN_COMPRESSION_METHOD',"
    " 'CANNOT_READ_ALL_DATA', 'ATTEMPT_TO_READ_AFTER_EOF', 'NO_FILE_IN_DATA_PART', 'FILE_DOESNT_EXIST')"
    " AND position(errors.last_error_message, parts.path) > 0 GROUP BY parts.name"
)
"""Parts that the latest error of a kind names, and how often such errors were there: to check all parts is to read all data."""


class BrokenParts:
    """Those of one table. Remembers which error a part was checked for: one that is whole is not read again and again."""

    def __init__(self, database: str, table: str) -> None:
        self._where = {"database": database, "table": table}
        self._checked: dict[str, int] = {}

    def detach(self, client: Client) -> None:
        """Check the parts that an error names, and detach those that cannot be read. Raises the client's errors."""
        table = self._where["table"]
        for name, errors in query_rows(client, _SUSPECT, self._where):
            if self._checked.get(name) == errors:
                continue
            checked = query_rows(client, f"CHECK TABLE {table} PART '{name}' SETTINGS check_query_single_value_result = 0", {})
            if any(not passed for _, passed, _ in checked):
                client.command(f"ALTER TABLE {table} DETACH PART '{name}'")
            self._checked[name] = errors

    def detached(self, client: Client, source: str) -> dict[str, str]:
        """Return name → reason of the parts that no search sees; ``source``: ``system.detached_parts`` or a cluster's."""
        sql = (
            f"SELECT name, if(reason = '', 'detached', reason) FROM {source}"
            " WHERE database = {database:String} AND table = {table:String} AND (reason = '' OR startsWith(reason, 'broken'))"
        )
        return {str(name): str(reason) for name, reason in query_rows(client, sql, self._where)}
