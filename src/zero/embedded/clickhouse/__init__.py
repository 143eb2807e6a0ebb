"""A small server that speaks the ClickHouse HTTP interface over the in-process engine of ``chdb-core``."""

from zero.embedded.clickhouse.options import ServerOptions
from zero.embedded.clickhouse.server import serve

__all__ = ["ServerOptions", "serve"]
