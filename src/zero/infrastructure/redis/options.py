"""How to reach the buffer and where its bounds are."""

from dataclasses import dataclass

from zero.domain.errors import ConfigurationError

SCHEMES = ("unix://", "redis://", "rediss://", "redis+cluster://", "rediss+cluster://")


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """``url`` is that of a Redis >= 7 or Valkey; ``redis+cluster://host:port`` for cluster mode: any
    node, better several (``host:port,host:port``), for one may be down when a process starts.

    ``timeout_seconds`` bounds connecting, and is the silence after which new appends are refused at once, unsent.
    ``reply_timeout_seconds`` of silence give up what was sent: its outcome is then unknown and the sender may repeat it, so a
    slow disk should not come to that. Idle connections are asked for a sign of life twice in ``timeout_seconds``.
    ``high_water`` and ``low_water`` are shares of the server's memory limit: above the first appends are refused, below the
    second they pass again. ``unanswered_bytes_max`` bounds frames sent and not yet answered, for each shard.
    ``ledger_days`` is how long the ledger tells days of receipt apart; retention has reached older ones.
    ``replicas`` is how many of them have to have a write before it counts, within ``timeout_seconds``; 0: the primary alone.
    ``idempotency_keys_max`` bounds the keys remembered by each shard; the oldest are forgotten first.
    """

    url: str
    shards: int = 1
    namespace: str = "zero"
    high_water: float = 0.8
    low_water: float = 0.7
    timeout_seconds: float = 0.2
    reply_timeout_seconds: float = 2.0
    lease_seconds: float = 3.0
    ledger_days: int = 32
    idempotency_seconds: int = 86_400
    idempotency_keys_max: int = 65_536
    replicas: int = 0
    unanswered_bytes_max: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        if not self.url.startswith(SCHEMES):
            raise ConfigurationError(f"a buffer URL starts with one of {', '.join(SCHEMES)}")
        if not 1 <= self.shards <= 4096:
            raise ConfigurationError(f"shards must be 1 to 4096, not {self.shards}")
        if not 0 < self.low_water < self.high_water < 1:
            raise ConfigurationError("low_water must be below high_water, both between 0 and 1")
        if not 0 < self.timeout_seconds <= self.reply_timeout_seconds:
            raise ConfigurationError("timeout_seconds must be above 0 and at most reply_timeout_seconds")

    @property
    def replicas_ms(self) -> int:
        """How long replicas are waited for."""
        return int(self.timeout_seconds * 1000)

    @property
    def cluster(self) -> bool:
        """Whether the URL names a cluster."""
        return "+cluster://" in self.url
