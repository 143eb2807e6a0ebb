"""Where concrete classes meet: each role is put together here, in plain calls.

A role imports what it needs when it starts, so that no process pays for the parts of another.
"""

from zero.bootstrap.api import run_api
from zero.bootstrap.clickhouse import clickhouse_options, native_codec
from zero.bootstrap.drain import run_drain
from zero.bootstrap.ingest import run_ingest
from zero.bootstrap.parts import key_admin, redis_options
from zero.bootstrap.stores import store_kind

__all__ = [
    "clickhouse_options",
    "key_admin",
    "native_codec",
    "redis_options",
    "run_api",
    "run_drain",
    "run_ingest",
    "store_kind",
]
