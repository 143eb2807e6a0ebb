"""A part that cannot be read is found by the search that fails of it, taken out, and told; the rest can be searched again."""

from pathlib import Path

from tests.integration.clickhouse.conftest import Raw
from zero.infrastructure.clickhouse.retention import ClickHouseRetention


def filled(raw: Raw) -> ClickHouseRetention:
    """Make three parts that are not merged; return the retention of their database."""
    raw.text("CREATE TABLE logs (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
    raw.text("SYSTEM STOP MERGES logs")
    for part in range(3):
        raw.text(f"INSERT INTO logs SELECT number, randomPrintableASCII(50) FROM numbers({part * 1000}, 1000)")
    return ClickHouseRetention(raw.server.options(raw.database))


def part(raw: Raw, name: str, table: str = "parts") -> Path:
    """Return where the files of a part are."""
    return Path(raw.text(f"SELECT path FROM system.{table} WHERE database = '{raw.database}' AND name = '{name}'"))


def spoil(path: Path) -> None:
    """Flip a byte of a column, as a disk does that ages; the second time, flip it back."""
    file = path / "data.bin"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)


async def test_a_part_with_a_wrong_byte_is_detached_once_a_search_has_met_it_and_the_rest_is_there(raw: Raw) -> None:
    retention = filled(raw)
    assert await retention.set_aside_broken() == {}
    spoil(part(raw, "all_2_2_0"))
    assert raw.refusal("SELECT sum(length(b)) FROM logs") == 40
    assert await retention.set_aside_broken() == {"all_2_2_0": "detached"}
    assert raw.text("SELECT count(), sum(length(b)), min(a), max(a) FROM logs") == "2000\t100000\t0\t2999"
    assert await retention.set_aside_broken() == {"all_2_2_0": "detached"}, "it stays told as long as its files are there"
    spoil(part(raw, "all_2_2_0", "detached_parts"))
    raw.text("ALTER TABLE logs ATTACH PART 'all_2_2_0'")
    assert await retention.set_aside_broken() == {}
    assert raw.text("SELECT count(), sum(length(b)) FROM logs") == "3000\t150000"


async def test_a_part_that_an_error_names_and_that_is_whole_stays(raw: Raw) -> None:
    retention = filled(raw)
    spoil(part(raw, "all_1_1_0"))
    assert raw.refusal("SELECT sum(length(b)) FROM logs") == 40
    spoil(part(raw, "all_1_1_0"))  # it was the way from the disk, not the disk
    assert await retention.set_aside_broken() == {}
    assert raw.text("SELECT count() FROM logs") == "3000"
