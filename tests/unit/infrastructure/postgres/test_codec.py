"""The text of COPY: one line for each entry, whatever is in it, and nothing from frames that are not what they say."""

from dataclasses import replace

import pytest

from zero.application.ports import RowRange
from zero.domain.entry import Level, LogEntry
from zero.domain.errors import CorruptFrame, LeaseLost, StoreHalted, StoreRejected, StoreUnavailable
from zero.domain.frame import Frame, pack_frame, unpack_frame
from zero.infrastructure.codec.log_batch import write_log_batch
from zero.infrastructure.native.codec import NativeCodec
from zero.infrastructure.postgres.codec import PostgresCodec
from zero.infrastructure.postgres.errors import translate

NATIVE = NativeCodec()
CODEC = PostgresCodec(NATIVE.crc32c, NATIVE.pattern_id)


def frame(*entries: LogEntry, count: int | None = None) -> Frame:
    data = pack_frame(2**63 + 5, 86_400_000, count or len(entries), "t", [write_log_batch(entries)], CODEC.crc32c)
    return unpack_frame(data, CODEC.crc32c)


def test_a_row_is_a_line_with_the_columns_in_order() -> None:
    entry = LogEntry("m", 17, Level.ERROR, "a", "s", "e", "t", "p", "u", {"k": 1, "f": 2.0})
    block = CODEC.encode_block([frame(entry)])
    pattern = str(NATIVE.pattern_id("m") - 2**63)
    values = ["17", "86400000", "5", pattern, "0", "5", "t", "a", "s", "e", "t", "p", "u", "m", '{"k":1,"f":2.0}']
    assert (block.data.decode(), block.rows, block.days) == ("\t".join(values) + "\n", 1, frozenset({1}))


def test_what_copy_would_read_as_its_own_is_escaped() -> None:
    entry = LogEntry("tab\there\nline \\N \\. end\r\0", 17, metadata={"a\tb": "x\\y\n"})
    (line,) = CODEC.encode_block([frame(entry)]).data.decode().splitlines()
    *_, message, metadata = line.split("\t")
    assert message == "tab\\there\\nline \\\\N \\\\. end\\r\1\1\1\2"
    assert metadata == '{"a\\\\tb":"x\\\\\\\\y\\\\n"}'


def test_only_the_chosen_rows_are_encoded_with_their_index() -> None:
    frames = [frame(*(LogEntry(f"m{number}", 17) for number in range(4)))] * 2
    block = CODEC.encode_block(frames, [RowRange(0, 1, 2), RowRange(1, 3, 4)])
    assert [line.split("\t")[4] for line in block.data.decode().splitlines()] == ["1", "3"]
    assert block.rows == 2


@pytest.mark.parametrize("rows", [[RowRange(1, 0, 1)], [RowRange(0, 0, 3)], [RowRange(0, 1, 0)], [RowRange(-1, 0, 1)]])
def test_rows_that_there_are_not_are_a_corrupt_frame(rows: list[RowRange]) -> None:
    with pytest.raises(CorruptFrame):
        CODEC.encode_block([frame(LogEntry("a", 1), LogEntry("b", 1))], rows)


def test_a_frame_that_does_not_hold_what_it_says_is_corrupt() -> None:
    whole = frame(LogEntry("a", 1))
    cut, longer = replace(whole, data=whole.data[:-1]), replace(whole, data=whole.data + b"\7")
    for broken in (frame(LogEntry("a", 1), count=2), cut, longer):
        with pytest.raises(CorruptFrame):
            CODEC.encode_block([broken])


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("22P02", StoreRejected),
        ("23502", StoreRejected),
        ("54000", StoreRejected),
        ("23514", StoreUnavailable),  # the day was dropped
        ("42P01", StoreHalted),
        ("42501", StoreHalted),
        ("28P01", StoreHalted),
        ("40P01", StoreUnavailable),
        ("53100", StoreUnavailable),
        ("57P01", StoreUnavailable),
        ("25006", StoreUnavailable),
        ("", StoreUnavailable),
    ],
)
def test_an_error_code_says_what_to_do(state: str, kind: type[Exception]) -> None:
    from psycopg import Error
    from psycopg.errors import lookup

    error = lookup(state)("x") if state else Error("x")
    assert type(translate(error)) is kind
    assert not isinstance(translate(error), LeaseLost)
