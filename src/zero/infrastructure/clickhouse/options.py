"""How to reach ClickHouse."""

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote, urlsplit

from zero.domain.address import is_this_machine
from zero.domain.errors import ConfigurationError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}\Z")
_QUORUM = re.compile(r"auto|[0-9]{1,2}\Z")
_PORTS = {"http": 8123, "https": 8443}


@dataclass(frozen=True, slots=True)
class ClickHouseOptions:
    """Where the store is and how long to wait for it.

    ``url`` is ``http[s]://[user[:password]@]host[:port][/database]``; what it leaves out comes from the other fields.
    ``cluster`` names a ClickHouse cluster: tables are then made on all of its servers, replicated and distributed. ``quorum``
    is how many replicas have a block before its insert succeeds: ``auto`` is the majority of those that there are.
    """

    url: str = field(repr=False)
    database: str = "default"
    user: str = "default"
    password: str = field(default="", repr=False)
    cluster: str | None = None
    quorum: str = "auto"
    retention_days: int = 30
    connections_max: int = 8
    connect_timeout_seconds: int = 5
    query_timeout_seconds: int = 25  # silence of the server: above the longest query of ReaderOptions
    insert_timeout_seconds: int = 60
    quiesce_timeout_seconds: int = 30

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            good = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
        except ValueError:  # an address or a port that cannot be
            good = False
        if not good:
            raise ConfigurationError("a ClickHouse URL has the form http[s]://[user:password@]host[:port][/database]")
        object.__setattr__(self, "database", parts.path.strip("/") or self.database)
        object.__setattr__(self, "user", unquote(parts.username) if parts.username else self.user)
        object.__setattr__(self, "password", unquote(parts.password) if parts.password else self.password)
        for name in filter(None, (self.database, self.cluster)):
            if _NAME.match(name) is None:
                raise ConfigurationError(f"{name!r} is not a name of a ClickHouse database or cluster")
        if _QUORUM.match(self.quorum) is None:
            raise ConfigurationError(f"ZERO_CLICKHOUSE_QUORUM is {self.quorum!r}; it can be auto, or a number of replicas")
        if not 1 <= self.retention_days <= 36_500:
            raise ConfigurationError("retention_days is 1 to 36500")
        timeouts = (
            self.connect_timeout_seconds,
            self.query_timeout_seconds,
            self.insert_timeout_seconds,
            self.quiesce_timeout_seconds,
        )
        if min(*timeouts, self.connections_max) < 1:
            raise ConfigurationError("timeouts and connections_max are at least 1")

    @property
    def scheme(self) -> Literal["http", "https"]:
        """``http`` or ``https``."""
        return "https" if urlsplit(self.url).scheme == "https" else "http"

    @property
    def host(self) -> str:
        """The host alone."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port, by default that of the scheme."""
        return urlsplit(self.url).port or _PORTS[self.scheme]

    @property
    def is_local(self) -> bool:
        """Whether the host is this machine, so that compressing what is sent would only cost."""
        return is_this_machine(self.host)
