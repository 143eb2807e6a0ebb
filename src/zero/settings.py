"""Settings: environment ``ZERO_*``, the file ``zero.toml`` and command line flags, composed into one frozen value.

A flag wins over the environment, the environment over the file, the file over the default. A key that is not in the table of
docs/operations.md is an error that names the nearest known one. Raises ConfigurationError throughout.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zero.application.pipeline import PIPELINES, PLATFORM, Pipeline
from zero.domain.address import Address as Address
from zero.domain.errors import ConfigurationError
from zero.domain.retention import Retention, parse_tenants

PREFIX = "ZERO_"
FILE_KEY = "ZERO_CONFIG"
DEFAULT_FILE = Path("zero.toml")
POSTGRES_SCHEMES = ("postgresql", "postgres")
CLICKHOUSE_SCHEMES = ("http", "https")
STORE_SCHEMES = (*POSTGRES_SCHEMES, *CLICKHOUSE_SCHEMES)
"""What the URL of a store begins with, which says what kind it is."""
LISTENERS = ("ingest_http", "ingest_grpc", "syslog_tcp", "syslog_tls", "api", "drain_http", "embedded_clickhouse")
"""The settings that are addresses of TCP listeners."""
_NO_DOORS = ("api", "drain_http", "embedded_clickhouse")
_WHOLE = re.compile(r"\s*[+-]?\d[\d_]*\s*")


def _about(help: str, low: int | None = None, high: int | None = None, one_of: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"help": help, "low": low, "high": high, "one_of": one_of}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of every role. ``data_dir`` is ``ZERO_DATA_DIR`` in the environment and ``data_dir`` in the file."""

    data_dir: Path = field(
        default=Path("zero-data"),
        metadata=_about("Folder of the embedded servers' data, and of what `zero up` needs while it runs."),
    )
    buffer_url: str = field(
        default="",
        metadata=_about("Redis or Valkey of the durable buffer: redis[s]://, unix://; docs/clusters.md. Empty: embedded."),
    )
    buffer_timeout_ms: int = field(
        default=200,
        metadata=_about("How long the buffer may be silent, or take to connect to, until ingest answers 503.", 50, 2000),
    )
    buffer_replicas: int = field(
        default=0,
        metadata=_about("How many replicas of the buffer have a write before it is acknowledged (docs/clusters.md).", 0, 5),
    )
    clickhouse_url: str = field(
        default="", metadata=_about("ClickHouse of the store: http(s)://user:password@host:port/database. Empty: embedded.")
    )
    clickhouse_reader_url: str = field(
        default="", metadata=_about("The same store for the api, best as a user who can only read. Empty: ZERO_CLICKHOUSE_URL.")
    )
    clickhouse_cluster: str = field(
        default="", metadata=_about("The cluster that ClickHouse is a server of (docs/clusters.md). Empty: one server.")
    )
    clickhouse_quorum: str = field(
        default="auto",
        metadata=_about("How many replicas of a cluster's shard an insert waits for: a number, or their majority."),
    )
    store_url: str = field(
        default="",
        metadata=_about(
            "The store, whose kind its scheme tells: postgresql://user:password@host:port/database (docs/postgres.md), or a "
            "ClickHouse as in ZERO_CLICKHOUSE_URL, which is then left empty."
        ),
    )
    store_reader_url: str = field(
        default="", metadata=_about("The same store for the api, best as a user who can only read. Empty: ZERO_STORE_URL.")
    )
    ingest_http: Address = field(default=Address("127.0.0.1", 4318), metadata=_about("Where ingest listens for HTTP."))
    ingest_grpc: Address | None = field(
        default=Address("127.0.0.1", 4317), metadata=_about("Where ingest listens for gRPC. Empty: not at all.")
    )
    syslog_tcp: Address | None = field(
        default=None, metadata=_about("Where ingest listens for syslog over TCP, such as 127.0.0.1:5514. Empty: not at all.")
    )
    syslog_tls: Address | None = field(
        default=None, metadata=_about("The same over TLS, with ZERO_TLS_CERT; the usual port is 6514. Empty: not at all.")
    )
    syslog_udp: Address | None = field(
        default=None, metadata=_about("The same over UDP, where messages can be lost. Empty: not at all.")
    )
    syslog_key: str = field(
        default="",
        metadata=_about("The API key whose tenant syslog messages belong to; needed once there are keys. Empty: none."),
        repr=False,
    )
    api: Address = field(default=Address("127.0.0.1", 8080), metadata=_about("Where the api listens."))
    drain_http: Address | None = field(
        default=None,
        metadata=_about("Where a `zero drain` of its own answers /health, /ready and /metrics. Empty: not at all."),
    )
    embedded_clickhouse: Address = field(
        default=Address("127.0.0.1", 8123),
        metadata=_about("Where the embedded ClickHouse listens; port 0 takes a free one."),
    )
    ingest_workers: int = field(
        default=0,
        metadata=_about(
            "Ingest processes that share the port and the quotas of keys. 0: one for each core under `zero up`; a `zero "
            "ingest` is one.",
            0,
            256,
        ),
    )
    shards: int = field(
        default=1,
        metadata=_about("Streams of the buffer that ingest appends to, each with one writer.", 1, 256),
    )
    pipeline: str = field(
        default=PLATFORM,
        metadata=_about(
            "For measuring only: the platform as one of its earlier stages (docs/benchmarks.md), which keep fewer promises.",
            one_of=tuple(PIPELINES),
        ),
    )
    retention_days: int = field(default=30, metadata=_about("Days from its receipt that an entry is kept.", 1, 3650))
    retention_tenants: str = field(default="", metadata=_about("Days of single tenants: `acme=7,beta=90`. Empty: all alike."))
    retention_bytes: int = field(default=0, metadata=_about("Disk bytes above which the oldest days go. 0: none.", 0, 1 << 60))
    embedder: str = field(
        default="bundled",
        metadata=_about(
            "What makes the vectors of search by meaning: `bundled` (offline, small), `minilm` (offline, better; the "
            "extra `minilm`), or `openai` (any endpoint of that kind). docs/semantic.md",
            one_of=("bundled", "minilm", "openai"),
        ),
    )
    openai_url: str = field(
        default="https://api.openai.com/v1",
        metadata=_about("Endpoint of ZERO_EMBEDDER=openai: what stands before `/embeddings`."),
    )
    openai_key: str = field(default="", metadata=_about("Its key. Empty: none is sent."), repr=False)
    openai_model: str = field(default="text-embedding-3-small", metadata=_about("Its model."))
    openai_dimensions: int = field(default=0, metadata=_about("Length of the vectors; 0 leaves it to the model.", 0, 4096))
    openai_texts_per_hour_max: int = field(
        default=20_000,
        metadata=_about(
            "How many texts may be sent there in an hour, which bounds the cost; a text is a pattern, or a question.",
            1,
            10_000_000,
        ),
    )
    durability: str = field(
        default="report",
        metadata=_about(
            "When the buffer answers before its disk has the data: `report` says so and goes on, `strict` refuses to start.",
            one_of=("report", "strict"),
        ),
    )
    buffer_memory_max_bytes: int = field(
        default=512 << 20,
        metadata=_about("Memory of the embedded buffer; near it, ingest answers 429.", 64 << 20, 1 << 44),
    )
    api_key: str = field(
        default="", metadata=_about("The API key that `zero send`, `search` and other clients show. Empty: none."), repr=False
    )
    tls_cert: str = field(
        default="", metadata=_about("Certificate chain (PEM) of ingest and api, which then speak TLS alone. Empty: plaintext.")
    )
    tls_key: str = field(default="", metadata=_about("Its private key (PEM)."))
    tls_client_ca: str = field(
        default="", metadata=_about("CA (PEM) of client certificates; with it every client has to show one. Empty: none does.")
    )
    plaintext: str = field(
        default="loopback",
        metadata=_about(
            "Where ingest and api may speak plaintext: `loopback` is this machine alone; `syslog` lets syslog over TCP and UDP "
            "be heard elsewhere too; `proxy` is everywhere, because a proxy in front ends TLS.",
            one_of=("loopback", "syslog", "proxy"),
        ),
    )
    ca: str = field(
        default="", metadata=_about("CA (PEM) that `zero send`, `search` and other clients trust. Empty: those of the system.")
    )
    client_cert: str = field(default="", metadata=_about("Certificate (PEM) that these clients show. Empty: none."))
    client_key: str = field(default="", metadata=_about("Its private key (PEM). Empty: it is in the file of the certificate."))
    stop_seconds_max: int = field(
        default=10, metadata=_about("How long a stop may take: of `zero up` in all, else of the role.", 1, 600)
    )
    traces_url: str = field(default="", metadata=_about("OTLP/HTTP endpoint for traces of our own work. Empty: none."))
    traces_per_thousand: int = field(default=10, metadata=_about("Requests that are traced without being asked to.", 0, 1000))
    log_format: str = field(
        default="text", metadata=_about("Form of our own log lines: `text` (key=value) or `json`.", one_of=("text", "json"))
    )
    log_level: str = field(
        default="info",
        metadata=_about("Least level of our own log lines that is written.", one_of=("debug", "info", "warning", "error")),
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            _check_range(item, getattr(self, item.name))
        if bool(self.tls_cert) != bool(self.tls_key) or (self.tls_client_ca and not self.tls_cert):
            raise ConfigurationError("TLS needs ZERO_TLS_CERT and ZERO_TLS_KEY, and ZERO_TLS_CLIENT_CA needs both")
        self._check_store()
        _ = self.retention  # raises ConfigurationError where ZERO_RETENTION_TENANTS cannot be read
        if self.durability == "strict" and not (self.stage.buffered and self.stage.waits):
            raise ConfigurationError(f"ZERO_PIPELINE={self.pipeline} keeps no promise that ZERO_DURABILITY=strict could check")
        if self.syslog_tls and not self.tls_cert:
            raise ConfigurationError("ZERO_SYSLOG_TLS needs ZERO_TLS_CERT and ZERO_TLS_KEY (`zero certs` makes a pair)")
        taken: dict[str, str] = {}
        for name in LISTENERS:
            address: Address | None = getattr(self, name)
            if address is None or not address.port:
                continue
            other = taken.setdefault(str(address), name)
            if other != name:
                both = f"{environment_name(other)}, {environment_name(name)}"
                raise ConfigurationError(f"{both} need an address each, not {address} for both")

    def _check_store(self) -> None:
        if self.store_url and (self.clickhouse_url or self.clickhouse_reader_url):
            raise ConfigurationError("ZERO_STORE_URL and ZERO_CLICKHOUSE_URL both name the store: leave one of them empty")
        if self.store_reader_url and not self.store_url:
            raise ConfigurationError("ZERO_STORE_READER_URL needs ZERO_STORE_URL: it is the same store as another user")
        for name in ("store_url", "store_reader_url", "clickhouse_url", "clickhouse_reader_url"):
            schemes = STORE_SCHEMES if name.startswith("store") else CLICKHOUSE_SCHEMES
            if (url := getattr(self, name)) and _scheme(url) not in schemes:
                begins = ", ".join(f"{scheme}://" for scheme in schemes)
                raise ConfigurationError(f"{environment_name(name)} names no store: it begins with one of {begins}")
        if _scheme(self.store_url) in POSTGRES_SCHEMES and self.pipeline != PLATFORM:
            raise ConfigurationError(f"ZERO_PIPELINE={self.pipeline} inserts into ClickHouse: it needs ZERO_CLICKHOUSE_URL")
        if self.clickhouse_cluster and (_scheme(self.store) not in CLICKHOUSE_SCHEMES or self.pipeline != PLATFORM):
            raise ConfigurationError("ZERO_CLICKHOUSE_CLUSTER needs ZERO_CLICKHOUSE_URL, and the pipeline of the platform")

    @property
    def retention(self) -> Retention:
        """How long entries are kept. Raises ConfigurationError."""
        return Retention(self.retention_days, parse_tenants(self.retention_tenants), self.retention_bytes)

    @property
    def store(self) -> str:
        """The URL of the store; empty where it is embedded."""
        return self.store_url or self.clickhouse_url

    @property
    def store_of_readers(self) -> str:
        """The same with the rights of the api."""
        return self.store_reader_url or self.clickhouse_reader_url or self.store

    @property
    def stage(self) -> Pipeline:
        """What happens between a request and its answer."""
        return PIPELINES[self.pipeline]

    @property
    def ingest_processes(self) -> int:
        """How many ingest processes share the port, as far as one of them was told."""
        return (self.ingest_workers or 1) if self.stage.all_cores else 1

    @property
    def syslog_listeners(self) -> list[tuple[str, Address]]:
        """Transport (tcp, tls, udp) and address of each syslog listener that is asked for."""
        listeners = (("tcp", self.syslog_tcp), ("tls", self.syslog_tls), ("udp", self.syslog_udp))
        return [(transport, address) for transport, address in listeners if address is not None]

    @property
    def doors(self) -> list[Address]:
        """The addresses where logs are taken in: every listener but those that are known to be something else."""
        named = [getattr(self, name) for name in (*LISTENERS, "syslog_udp") if name not in _NO_DOORS]
        return [address for address in named if address is not None]

    @property
    def web_scheme(self) -> str:
        """What the URLs of ingest and api begin with."""
        return "https" if self.tls_cert else "http"

    def refuse_exposure(self) -> None:
        """Refuse what other machines can reach and must not: a store without keys, plaintext, a platform of former days."""
        for name in (*LISTENERS, "syslog_udp"):
            address: Address | None = getattr(self, name)
            if address is not None and not address.is_loopback and name != "embedded_clickhouse":
                self._refuse_plaintext(name, address)
                self._refuse_earlier_stage(name, address)
        if not (address := self.embedded_clickhouse).is_loopback:
            raise ConfigurationError(
                f"ZERO_EMBEDDED_CLICKHOUSE={address} can be reached from other machines, and API keys do not guard the store. "
                f"Listen on 127.0.0.1:{address.port}, or run a ClickHouse of your own and name it in ZERO_CLICKHOUSE_URL"
            )

    def _refuse_earlier_stage(self, name: str, address: Address) -> None:
        if self.pipeline != PLATFORM:
            raise ConfigurationError(
                f"ZERO_PIPELINE={self.pipeline} is for comparing, and {environment_name(name)}={address} can be reached "
                f"from other machines: leave ZERO_PIPELINE at {PLATFORM}, or listen on 127.0.0.1:{address.port}"
            )

    def _refuse_plaintext(self, name: str, address: Address) -> None:
        if name in ("syslog_tcp", "syslog_udp"):
            if self.plaintext == "loopback":
                raise ConfigurationError(
                    f"{environment_name(name)}={address} can be reached from other machines, in plaintext, and "
                    "written to: use ZERO_SYSLOG_TLS with ZERO_TLS_CLIENT_CA, or set ZERO_PLAINTEXT=syslog, "
                    f"or listen on 127.0.0.1:{address.port}"
                )
        elif not self.tls_cert and self.plaintext != "proxy":
            raise ConfigurationError(
                f"{environment_name(name)}={address} can be reached from other machines, and logs and keys would cross the "
                "network in plaintext: set ZERO_TLS_CERT and ZERO_TLS_KEY (`zero certs` makes a pair), or ZERO_PLAINTEXT=proxy "
                f"when a proxy in front ends TLS, or listen on 127.0.0.1:{address.port}"
            )


def _scheme(url: str) -> str:
    """Return the scheme of a URL, nothing for what is none."""
    try:
        return urlsplit(url).scheme
    except ValueError:
        return ""


def environment_name(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def load(environment: Mapping[str, str], flags: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings of this process. ``flags`` maps setting names to texts; None means not given."""
    values: dict[str, Any] = {}
    file = Path(environment.get(FILE_KEY, DEFAULT_FILE))
    if FILE_KEY in environment or file.exists():
        values |= _from_file(file)
    values |= _from_environment(environment)
    given = {name: text for name, text in (flags or {}).items() if text is not None}
    values |= {name: _convert(name, text, f"--{name.replace('_', '-')}") for name, text in given.items()}
    return Settings(**values)


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    keys = [key for key in environment if key.startswith(PREFIX) and key != FILE_KEY]
    _refuse_unknown(keys, [environment_name(item.name) for item in fields(Settings)], "environment variable")
    return {(name := key.removeprefix(PREFIX).lower()): _convert(name, environment[key], key) for key in keys}


def _from_file(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from error
    _refuse_unknown(list(document), [item.name for item in fields(Settings)], f"key in {path}")
    return {name: _convert(name, value, f"{name} in {path}") for name, value in document.items()}


def _refuse_unknown(keys: list[str], known: list[str], what: str) -> None:
    for key in sorted(set(keys) - set(known)):
        near = difflib.get_close_matches(key, known, 1, 0)
        raise ConfigurationError(f"unknown {what} {key}; the nearest known is {near[0]}")


def _convert(name: str, value: Any, origin: str) -> Any:
    kind: Any = Settings.__dataclass_fields__[name].type
    try:
        if kind == Address | None and not value:
            return None
        if kind in (Address, Address | None):
            return Address.parse(str(value))
        if kind is int and (isinstance(value, bool) or not _WHOLE.fullmatch(str(value))):
            raise ValueError("expected a whole number")
        return kind(value)
    except ValueError as error:
        raise ConfigurationError(f"{origin}: {value!r} does not fit: {error}") from error


def _check_range(item: "Field[Any]", value: Any) -> None:
    low, high, one_of = (item.metadata[key] for key in ("low", "high", "one_of"))
    if one_of and value not in one_of:
        raise ConfigurationError(f"{environment_name(item.name)} is {value!r}; it can be {' or '.join(one_of)}")
    if low is not None and not low <= value <= high:
        raise ConfigurationError(f"{environment_name(item.name)} is {value}; it can be {low} to {high}")


def as_environment(settings: Settings) -> dict[str, str]:
    """Return the settings as the ``ZERO_*`` variables that load them again."""
    return {environment_name(item.name): _text(getattr(settings, item.name)) for item in fields(settings)}


def _text(value: Any) -> str:
    return "" if value is None else str(value)
