"""A small server that speaks the ClickHouse HTTP interface over the in-process engine of ``chdb-core``."""
