"""The store: ClickHouse over HTTP, embedded or remote."""
