"""What the disk refuses to write, the engine takes for written: the server ends, and nothing of it counts at the next start.

A limit on the size of files stands for the full disk: what goes beyond it, the kernel refuses as it refuses what has no room.
"""

import http.client
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.clickhouse.conftest import Raw
from tests.integration.clickhouse_server import ClickHouseServer
from tests.torture.harness.volumes import MemoryVolume, why_no_mounts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sets a limit of another process, as only Linux can")
LIMIT_BYTES = 200_000
ROWS = 100
BODY = b"".join(b"%d\n" % number for number in range(ROWS))
INSERT = "INSERT INTO t (a) FORMAT TSV"


@pytest.fixture
def raw(tmp_path: Path) -> Iterator[Raw]:
    """A server of its own, with a table whose rows take a kilobyte each."""
    server = ClickHouseServer(tmp_path).start()
    raw = Raw(server, "default")
    settings = "min_age_to_force_merge_seconds = 1, merge_selecting_sleep_ms = 100, max_merge_selecting_sleep_ms = 100"
    columns = "a UInt64, b String DEFAULT randomPrintableASCII(1000)"
    raw.text(f"CREATE TABLE t ({columns}) ENGINE = MergeTree ORDER BY a SETTINGS {settings}")
    raw.text("SYSTEM STOP MERGES t")
    yield raw
    server.close()


def limit_files(raw: Raw) -> None:
    import resource

    resource.prlimit(raw.server.process.pid, resource.RLIMIT_FSIZE, (LIMIT_BYTES, LIMIT_BYTES))


def start_again(raw: Raw) -> str:
    """Return what the server said at its end, once it is there again."""
    assert raw.server.process.stdout is not None
    said = raw.server.process.stdout.read()
    assert raw.server.close() == os.EX_IOERR
    raw.server.start()
    return said


def stored(raw: Raw) -> tuple[int, int]:
    """Read every row; return how many there are, and how many kilobytes."""
    rows, size = raw.text("SELECT count(), sum(length(b)) FROM t").split("\t")
    return int(rows), int(size) // 1000


def test_an_insert_whose_part_the_disk_refused_has_no_answer_and_no_rows(raw: Raw) -> None:
    raw.text(INSERT + "\n" + BODY.decode())
    limit_files(raw)
    with pytest.raises((http.client.HTTPException, OSError)):
        raw.ask(INSERT + "\n" + BODY.decode() * 3)
    assert "the disk refused" in start_again(raw)
    assert stored(raw) == (ROWS, ROWS)
    raw.text(INSERT + "\n" + BODY.decode() * 3)
    assert stored(raw) == (4 * ROWS, 4 * ROWS)


def test_parts_are_there_again_when_the_disk_refused_what_they_were_merged_into(raw: Raw) -> None:
    for _ in range(3):
        raw.text(INSERT + "\n" + BODY.decode())
    limit_files(raw)
    raw.text("SYSTEM START MERGES t")
    assert "the disk refused" in start_again(raw), "it finds out by itself"
    assert stored(raw) == (3 * ROWS, 3 * ROWS)
    assert raw.text("SELECT reason FROM system.detached_parts WHERE table = 't'").startswith("broken")


def test_a_definition_that_the_disk_refused_is_set_aside(raw: Raw) -> None:
    definition = raw.server.path / "data" / raw.text("SELECT metadata_path FROM system.tables WHERE name = 't'")
    raw.server.close()
    (definition.parent / "u.sql").touch()
    with pytest.raises(AssertionError, match=r"the definition .*u.sql is empty"):
        raw.server.start()  # what it says first
    raw.server.start()
    assert raw.text("SHOW TABLES") == "t"


def test_a_full_disk_takes_no_definitions_and_a_start_waits_for_space(tmp_path: Path) -> None:
    if reason := why_no_mounts():
        pytest.skip(reason)
    volume, server = MemoryVolume(tmp_path, 256), ClickHouseServer(tmp_path)
    try:
        raw = Raw(server.start(), "default")
        volume.fill()
        assert raw.refusal("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a") == 243
        assert raw.text("SELECT 1") == "1", "questions are answered"
        assert server.close() == 0
        with pytest.raises(AssertionError, match=r"\d+ bytes are free in .*; waiting for 4194304 to start"):
            server.start()
        volume.free()
        server.start()
        assert raw.text("SHOW TABLES") == ""
    finally:
        server.close()
        volume.close()
