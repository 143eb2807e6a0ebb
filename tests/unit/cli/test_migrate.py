"""``zero migrate`` without a store says what to do."""

from click.testing import CliRunner

from zero.cli.migrate import migrate
from zero.domain.errors import ConfigurationError


def test_without_a_store_it_says_that_a_start_migrates_and_which_setting_names_another(tmp_path, monkeypatch):
    monkeypatch.setenv("ZERO_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ZERO_EMBEDDED_CLICKHOUSE", "127.0.0.1:1")
    found = CliRunner().invoke(migrate, [])
    assert isinstance(found.exception, ConfigurationError)
    assert "by itself when it starts" in str(found.exception)
    assert "set ZERO_CLICKHOUSE_URL" in str(found.exception)
    assert list(tmp_path.iterdir()) == []
