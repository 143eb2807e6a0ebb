"""``zero doctor`` beside real servers."""

from pathlib import Path

from tests.integration.servers import Server, plain_valkey
from zero.cli.doctor import findings
from zero.settings import Settings


def test_a_buffer_that_is_not_durable_is_told_and_fails_where_that_is_asked_for(tmp_path: Path) -> None:
    server: Server = plain_valkey(tmp_path)
    server.argv = tuple("everysec" if word == "always" else word for word in server.argv)
    server.start()
    try:
        for durability, state in (("report", "warn"), ("strict", "fail")):
            settings = Settings(data_dir=tmp_path, buffer_url=server.url, durability=durability)
            (found, apart) = (each for each in findings(settings) if each.subject == "buffer" or "the buffer's" in each.detail)
            assert found.state == state
            assert found.detail.startswith("Valkey ")
            assert "appendfsync everysec" in found.detail
            assert "CONFIG SET appendfsync always" in found.advice
            assert apart.state == "ok"
    finally:
        server.close()


def test_the_embedded_buffer_is_durable_although_its_rules_hide_some_of_it(tmp_path: Path, redis_url: str) -> None:
    seen = findings(Settings(data_dir=tmp_path, buffer_url=redis_url, durability="strict"))
    (found, *_) = (each for each in seen if each.subject == "buffer")
    assert found.state == "ok"
    assert "durability durable" in found.detail
