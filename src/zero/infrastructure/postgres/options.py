"""How to reach PostgreSQL."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from zero.domain.errors import ConfigurationError

SCHEMES = ("postgresql", "postgres")


@dataclass(frozen=True, slots=True)
class PostgresOptions:
    """Where the store is and how long to wait for it.

    ``url`` is a connection URL of libpq: ``postgresql://[user[:password]@][host][:port][/database][?parameter=value]``.
    """

    url: str = field(repr=False)
    retention_days: int = 30
    connect_timeout_seconds: int = 5
    insert_timeout_seconds: int = 60
    quiesce_timeout_seconds: int = 30

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in SCHEMES:
            raise ConfigurationError("a PostgreSQL URL has the form postgresql://[user:password@]host[:port]/database")
        if not 1 <= self.retention_days <= 36_500:
            raise ConfigurationError("retention_days is 1 to 36500")
        if min(self.connect_timeout_seconds, self.insert_timeout_seconds, self.quiesce_timeout_seconds) < 1:
            raise ConfigurationError("timeouts are at least 1")
