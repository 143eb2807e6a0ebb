"""Where concrete classes meet: each role is put together here, in plain calls.

A role imports what it needs when it starts, so that no process pays for the parts of another.
"""

from zero.bootstrap.api import run_api
from zero.bootstrap.drain import run_drain
from zero.bootstrap.ingest import run_ingest
from zero.bootstrap.parts import clickhouse_options, key_admin, native_codec, redis_options, run_migrations

__all__ = [
    "clickhouse_options",
    "key_admin",
    "native_codec",
    "redis_options",
    "run_api",
    "run_drain",
    "run_ingest",
    "run_migrations",
]
