from pathlib import Path

import pytest

from zero.cli.settings_help import table
from zero.domain.errors import ConfigurationError
from zero.settings import LISTENERS, Address, Settings, as_environment, load

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_default_is_loopback_and_embedded():
    settings = load({})
    assert (settings.buffer_url, settings.clickhouse_url) == ("", "")
    assert str(settings.ingest_http) == "127.0.0.1:4318"
    settings.refuse_exposure()


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path):
    (tmp_path / "zero.toml").write_text('shards = 2\nretention_days = 2\napi = "127.0.0.1:2"\n')
    settings = load({"ZERO_SHARDS": "3", "ZERO_API": "127.0.0.1:3"}, {"api": "127.0.0.1:4", "shards": None})
    assert (settings.retention_days, settings.shards, settings.api) == (2, 3, Address("127.0.0.1", 4))


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"ZERO_DATADIR": "x"}, ["ZERO_DATADIR", "nearest known is ZERO_DATA_DIR"]),
        ({"ZERO_SHARDS": "0"}, ["ZERO_SHARDS is 0", "1 to 256"]),
        ({"ZERO_SHARDS": "two"}, ["ZERO_SHARDS", "'two'", "a whole number"]),
        ({"ZERO_API": "8080"}, ["ZERO_API", "host:port"]),
        ({"ZERO_API": "127.0.0.1:70000"}, ["ZERO_API", "host:port"]),
        ({"ZERO_API": "127.0.0.1:4318"}, ["ZERO_INGEST_HTTP, ZERO_API", "an address each"]),
        ({"ZERO_DURABILITY": "maybe"}, ["ZERO_DURABILITY", "report or strict"]),
        ({"ZERO_STORE_URL": "postgresql://a/b", "ZERO_CLICKHOUSE_URL": "http://a"}, ["both name the store"]),
        ({"ZERO_STORE_URL": "mysql://a/b"}, ["ZERO_STORE_URL", "postgresql://", "https://"]),
        ({"ZERO_STORE_URL": "http://[::1"}, ["ZERO_STORE_URL", "postgresql://"]),
        ({"ZERO_CLICKHOUSE_URL": "clickhouse:9000"}, ["ZERO_CLICKHOUSE_URL", "http://, https://"]),
        ({"ZERO_STORE_READER_URL": "postgresql://a/b"}, ["ZERO_STORE_READER_URL needs ZERO_STORE_URL"]),
        ({"ZERO_STORE_URL": "postgresql://a/b", "ZERO_PIPELINE": "direct"}, ["ZERO_PIPELINE=direct", "ZERO_CLICKHOUSE_URL"]),
        ({"ZERO_CONFIG": "absent.toml"}, ["cannot read absent.toml"]),
    ],
)
def test_a_setting_that_cannot_work_is_named_with_what_can(environment, words):
    with pytest.raises(ConfigurationError) as caught:
        load(environment)
    assert all(word in caught.value.message for word in words), caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("shard = 1", ["unknown key in zero.toml shard", "shards"]),
        ("shards = true", ["shards in zero.toml", "whole number"]),
        ("shards = 2.5", ["shards in zero.toml", "whole number"]),
        ("shards = ", ["cannot read zero.toml"]),
    ],
)
def test_a_bad_key_in_the_file_is_named(tmp_path, text, words):
    (tmp_path / "zero.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load({})
    assert all(word in caught.value.message for word in words), caught.value.message


OTHERS = ["0.0.0.0:4318", "[::]:4318", "192.168.1.5:4318", "logs.example:4318"]
OURS = ["127.0.0.1:1", "[::1]:1", "localhost:1", "127.9.9.9:1"]


@pytest.mark.parametrize("text", OTHERS)
def test_an_embedded_store_beyond_this_machine_is_refused_and_told_how_to_go_on(text):
    with pytest.raises(ConfigurationError, match=r"do not guard the store.*Listen on 127\.0\.0\.1:4318"):
        load({"ZERO_EMBEDDED_CLICKHOUSE": text, "ZERO_INGEST_HTTP": "127.0.0.1:0"}).refuse_exposure()


def test_every_listener_takes_logs_in_but_those_that_are_known_not_to():
    addresses = {name: Address("127.0.0.1", port) for port, name in enumerate((*LISTENERS, "syslog_udp"), 1)}
    settings = Settings(**addresses, tls_cert="c", tls_key="k")
    others = {settings.api, settings.drain_http, settings.embedded_clickhouse}
    assert set(settings.doors) == set(addresses.values()) - others


@pytest.mark.parametrize("text", OURS)
def test_a_loopback_listener_is_allowed(text):
    load({"ZERO_EMBEDDED_CLICKHOUSE": text}).refuse_exposure()


@pytest.mark.parametrize("name", ["ZERO_INGEST_HTTP", "ZERO_INGEST_GRPC", "ZERO_API"])
def test_plaintext_beyond_this_machine_is_refused_unless_a_proxy_ends_tls(name):
    exposed = {name: "0.0.0.0:99"}
    with pytest.raises(ConfigurationError, match=rf"{name}=0\.0\.0\.0:99.*zero certs.*ZERO_PLAINTEXT=proxy.*127\.0\.0\.1:99"):
        load(exposed).refuse_exposure()
    load(exposed | {"ZERO_PLAINTEXT": "proxy"}).refuse_exposure()
    load(exposed | {"ZERO_TLS_CERT": "a.pem", "ZERO_TLS_KEY": "a.key"}).refuse_exposure()


@pytest.mark.parametrize("name", ["ZERO_SYSLOG_TCP", "ZERO_SYSLOG_UDP"])
def test_syslog_beyond_this_machine_is_refused_unless_it_is_meant(name):
    exposed = {name: "0.0.0.0:99", "ZERO_TLS_CERT": "a.pem", "ZERO_TLS_KEY": "a.key"}
    with pytest.raises(ConfigurationError, match=rf"{name}=0\.0\.0\.0:99.*_TLS.*ZERO_PLAINTEXT=syslog.*127\.0\.0\.1:99"):
        load(exposed).refuse_exposure()
    load(exposed | {"ZERO_PLAINTEXT": "syslog"}).refuse_exposure()
    with pytest.raises(ConfigurationError, match="ZERO_PLAINTEXT=proxy"):
        load({"ZERO_API": "0.0.0.0:99", "ZERO_PLAINTEXT": "syslog"}).refuse_exposure()


def test_an_earlier_stage_is_refused_where_others_reach_it_or_promises_are_checked():
    with pytest.raises(ConfigurationError, match=r"ZERO_PIPELINE=direct is for comparing.*0\.0\.0\.0:99.*127\.0\.0\.1:99"):
        load({"ZERO_PIPELINE": "direct", "ZERO_INGEST_HTTP": "0.0.0.0:99", "ZERO_PLAINTEXT": "proxy"}).refuse_exposure()
    load({"ZERO_PIPELINE": "direct"}).refuse_exposure()
    with pytest.raises(ConfigurationError, match=r"ZERO_PIPELINE=coalesced.*ZERO_DURABILITY=strict"):
        load({"ZERO_PIPELINE": "coalesced", "ZERO_DURABILITY": "strict"})


@pytest.mark.parametrize("given", [("CERT",), ("KEY",), ("CLIENT_CA",)])
def test_half_a_tls_is_refused(given):
    with pytest.raises(ConfigurationError, match="ZERO_TLS_CERT and ZERO_TLS_KEY"):
        load({f"ZERO_TLS_{name}": "x.pem" for name in given})


def test_what_other_machines_can_reach_is_told_from_what_they_cannot():
    assert [load({"ZERO_API": text}).api.is_loopback for text in (*OTHERS, *OURS)] == [False] * 4 + [True] * 4


@pytest.mark.parametrize("missing", [{}, {"ZERO_STORE_URL": "postgresql://h/d"}, {"ZERO_PIPELINE": "direct"}])
def test_a_cluster_of_no_clickhouse_is_refused(missing):
    given = missing if "ZERO_STORE_URL" in missing or not missing else {**missing, "ZERO_CLICKHOUSE_URL": "http://h"}
    with pytest.raises(ConfigurationError, match="ZERO_CLICKHOUSE_CLUSTER needs ZERO_CLICKHOUSE_URL"):
        load({"ZERO_CLICKHOUSE_CLUSTER": "main", **given})
    load({"ZERO_CLICKHOUSE_CLUSTER": "main", "ZERO_STORE_URL": "http://h"})


def test_settings_survive_the_way_to_a_child_process():
    settings = load({"ZERO_SHARDS": "4", "ZERO_INGEST_HTTP": "[::1]:9", "ZERO_INGEST_GRPC": ""})
    assert settings.ingest_grpc is None
    assert load(as_environment(settings)) == settings


def test_the_documented_table_is_the_real_one():
    assert table() in DOCUMENT.read_text(encoding="utf-8"), "write zero.cli.settings_help.table() into docs/operations.md"


def test_every_setting_says_what_it_does():
    assert all(item.metadata["help"] for item in Settings.__dataclass_fields__.values())
