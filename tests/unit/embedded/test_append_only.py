"""What a power cut leaves at the end of the append-only file; the real server starts from it in tests/integration/embedded."""

from pathlib import Path

import pytest

from zero.embedded.append_only import PAGE_BYTES, cut_unsynced

MANIFEST = "file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\nfile a.2.incr.aof seq 2 type i\n"
SELECT = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"


def command(value: bytes) -> bytes:
    return b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%b\r\n" % (len(value), value)


SYNCED = SELECT + command(b"synced") + command(b"with \0 and " + bytes(100) + b" in it")
PAGE = PAGE_BYTES - len(SYNCED) % PAGE_BYTES
"""So many bytes are left of the page in which the synced ones end."""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    folder = tmp_path / "appendonlydir"
    folder.mkdir()
    (folder / "appendonly.aof.manifest").write_text(MANIFEST)
    return folder / "a.2.incr.aof"


@pytest.mark.parametrize(
    "unsynced",
    [
        bytes(1),
        bytes(700),
        bytes(3 * PAGE_BYTES),
        b"*3\r\n$3\r\nSET" + bytes(50),
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nab" + bytes(5) + b"\0" * 20,
        bytes(PAGE) + command(b"whole, in the page behind the hole"),
        command(b"x" * (PAGE - 40))[: PAGE - 20] + bytes(PAGE_BYTES + 20) + b"the rest\r\n",
    ],
)
def test_what_was_never_synced_is_cut_off_and_kept_beside(log: Path, tmp_path: Path, unsynced: bytes) -> None:
    log.write_bytes(SYNCED + unsynced)
    assert f"the last {len(unsynced)} bytes of a.2.incr.aof" in cut_unsynced(tmp_path)
    assert log.read_bytes() == SYNCED
    (kept,) = tmp_path.glob("unsynced-*.aof")
    assert kept.read_bytes() == unsynced
    assert kept.stat().st_mode & 0o777 == 0o600
    assert cut_unsynced(tmp_path) == ""


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        command(bytes(5 * PAGE_BYTES)),
        b"#TS:1700000000\r\n" + command(b"noted"),
        command(b"cut short")[:-3],
        b"*3\r\n$3\r\nSET\r\n$1",
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$900\r\nab" + bytes(50),
        b"garbage, and no hole\r\n" + command(b"behind it"),
        b"*3\r\n$x\r\nSET\r\n" + command(bytes(30) + b"short of its page"),
    ],
)
def test_anything_else_is_left_to_the_server(log: Path, tmp_path: Path, tail: bytes) -> None:
    log.write_bytes(SYNCED + tail)
    assert cut_unsynced(tmp_path) == ""
    assert log.read_bytes() == SYNCED + tail


def test_damage_far_from_the_end_is_no_unsynced_tail(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zero.embedded.append_only.TAIL_BYTES", 10_000)
    damaged = SYNCED + bytes(PAGE) + command(b"x" * 20_000) + bytes(9)
    log.write_bytes(damaged)
    assert cut_unsynced(tmp_path) == ""
    assert log.read_bytes() == damaged


def test_without_a_file_there_is_nothing_to_do(log: Path, tmp_path: Path) -> None:
    assert cut_unsynced(tmp_path) == cut_unsynced(tmp_path / "other") == ""
    log.write_bytes(b"")
    assert cut_unsynced(tmp_path) == ""
