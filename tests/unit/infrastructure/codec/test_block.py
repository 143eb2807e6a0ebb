"""The native encoder gives the bytes of its readable twin, and refuses what is not a frame."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zero.application.ports import RowRange
from zero.domain.entry import Level, LogEntry, MetadataValue
from zero.domain.errors import CorruptFrame
from zero.domain.frame import Frame, pack_frame, pack_part, unpack_frame
from zero.infrastructure.codec import block_twin
from zero.infrastructure.codec.json_twin import DYNAMIC_PATHS_MAX
from zero.infrastructure.codec.log_batch import write_log_batch
from zero.infrastructure.codec.protobuf_wire import bytes_field, read_fields
from zero.infrastructure.native.codec import NativeCodec

CODEC = NativeCodec()

text = st.text(st.characters(codec="utf-8"), max_size=40)
hex_text = st.text("0123456789abcdef", min_size=30, max_size=34)
nul_text = st.builds(str.__add__, st.text("abc\0", min_size=14, max_size=17), st.text("\0", max_size=3))
value = st.one_of(
    st.text(max_size=20), st.booleans(), st.floats(allow_nan=False), st.integers(-(2**63), 2**64 - 1), st.sampled_from([0, ""])
)
key = st.one_of(st.text(st.characters(codec="utf-8"), max_size=8), st.sampled_from(["", ".", "a", "a.b", "host", "status"]))
entry = st.builds(
    LogEntry,
    message=text,
    timestamp_ns=st.integers(0, 2**63 - 1),
    level=st.sampled_from(Level),
    app_id=text,
    source=text,
    environment=text,
    trace_id=st.one_of(text, hex_text, nul_text),
    span_id=text,
    user_id=text,
    metadata=st.dictionaries(key, value, max_size=6),
)


def frame_of(entries: list[LogEntry], batch_id: int = 1, received_ms: int = 2, tenant: str = "default") -> Frame:
    data = pack_frame(batch_id, received_ms, len(entries), tenant, [write_log_batch(entries)], CODEC.crc32c)
    return unpack_frame(data, CODEC.crc32c)


def with_payload(payload: bytes, count: int) -> Frame:
    return unpack_frame(pack_frame(1, 2, count, "default", [payload], CODEC.crc32c), CODEC.crc32c)


whole = st.builds(
    frame_of,
    st.lists(entry, max_size=8),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.text(st.characters(codec="utf-8"), max_size=5),
)


def part_of(frame: Frame, first_index: int) -> Frame:
    return unpack_frame(pack_part(frame, first_index, CODEC.crc32c), CODEC.crc32c)


frame = st.one_of(whole, st.builds(part_of, whole, st.integers(0, 2**32 - 9)))


@st.composite
def frames_and_ranges(draw: st.DrawFn) -> tuple[list[Frame], list[RowRange]]:
    frames = draw(st.lists(frame, min_size=1, max_size=3))
    ranges = []
    for position in draw(st.lists(st.integers(0, len(frames) - 1), max_size=4)):
        start = draw(st.integers(0, frames[position].count))
        ranges.append(RowRange(position, start, draw(st.integers(start, frames[position].count))))
    return frames, ranges


@given(st.lists(frame, max_size=3))
@settings(max_examples=300, deadline=None)
def test_whole_frames_give_the_bytes_of_the_twin(frames: list[Frame]) -> None:
    assert CODEC.encode_block(frames) == block_twin.encode_block(frames)


@given(frames_and_ranges())
@settings(max_examples=200, deadline=None)
def test_chosen_rows_give_the_bytes_of_the_twin(case: tuple[list[Frame], list[RowRange]]) -> None:
    assert CODEC.encode_block(*case) == block_twin.encode_block(*case)


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 97))
@settings(max_examples=30, deadline=None)
def test_any_number_of_distinct_keys_gives_the_bytes_of_the_twin(rows: int, keys: int, step: int) -> None:
    values = ["text", 7, 2.5, True, 2**64 - 1, "x" * 200]
    entries = [
        LogEntry("m", 1, metadata={f"k{(row * step + key) % 5000}": values[(row ^ key) % 6] for key in range(keys)})
        for row in range(rows)
    ]
    frames = [frame_of(entries)]
    assert CODEC.encode_block(frames) == block_twin.encode_block(frames)


@pytest.mark.parametrize("distinct", [1, 256, 257, 65_536, 65_537])
def test_dictionaries_of_every_index_width_give_the_bytes_of_the_twin(distinct: int) -> None:
    frames = [frame_of([LogEntry("m", 1, source=f"s{number}") for number in range(distinct)])]
    assert CODEC.encode_block(frames) == block_twin.encode_block(frames)


def test_every_byte_at_every_place_of_a_trace_id_gives_the_bytes_of_the_twin() -> None:
    digits = "0123456789abcdef" * 2
    traces = [digits[:at] + chr(byte) + digits[at + 1 :] for byte in range(0x100) for at in range(32)]
    frames = [frame_of([LogEntry("m", 1, trace_id=trace) for trace in traces])]
    assert CODEC.encode_block(frames) == block_twin.encode_block(frames)


def test_keys_beyond_the_bound_leave_the_flattened_form() -> None:
    at_bound = [LogEntry("m", 1, metadata={f"k{number}": 1}) for number in range(DYNAMIC_PATHS_MAX)]
    flattened = b"\x08metadata\x04JSON\x03"
    assert flattened in CODEC.encode_block([frame_of(at_bound)]).data
    assert flattened not in CODEC.encode_block([frame_of([*at_bound, LogEntry("m", 1, metadata={"one more": 1})])]).data


def test_a_block_of_many_rows_with_keys_of_their_own_stays_small() -> None:
    entries = [LogEntry("m", 1, metadata={f"{row}.{key}": 1 for key in range(128)}) for row in range(2000)]
    frames = [frame_of(entries)]
    assert len(CODEC.encode_block(frames).data) < 3 * len(frames[0].data)


@pytest.mark.parametrize("filler", [0, DYNAMIC_PATHS_MAX], ids=["as a column", "in the shared data"])
def test_a_key_given_twice_keeps_its_last_value(filler: int) -> None:
    def entry_bytes(metadata: dict[str, MetadataValue]) -> bytes:
        payload = write_log_batch([LogEntry("m", 1, metadata=metadata)])
        (field,) = read_fields(payload, 0, len(payload))
        return payload[field.start :]

    full = write_log_batch([LogEntry("m", 1, metadata={f"{number}": 1 for number in range(filler)})])
    twice = bytes_field(1, entry_bytes({"a": "lost", "b": "x"}) + entry_bytes({"a": 7}) + entry_bytes({"a": "kept"}))
    once = bytes_field(1, entry_bytes({"a": "kept", "b": "x"}))
    assert CODEC.encode_block([with_payload(full + twice, 2)]) == CODEC.encode_block([with_payload(full + once, 2)])


@pytest.mark.parametrize(
    ("payload", "count"),
    [
        (b"", 1),
        (write_log_batch([LogEntry("m", 1)]), 0),
        (write_log_batch([LogEntry("m", 1)]), 2),
        (write_log_batch([LogEntry("m", 1)])[:-1], 1),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 1),
        (b"\x0a\xff\xff\xff\xff\x0f", 1),
        (b"\x0a\x02\x18\x07", 1),
        (b"\x0a\x00", 1),
    ],
    ids=["empty", "one too many", "one too few", "cut", "endless varint", "wild length", "level 7", "no level"],
)
def test_a_bad_payload_is_a_corrupt_frame_for_both(payload: bytes, count: int) -> None:
    for encoder in (CODEC.encode_block, block_twin.encode_block):
        with pytest.raises(CorruptFrame):
            encoder([with_payload(payload, count)])


@pytest.mark.parametrize("rows", [RowRange(1, 0, 1), RowRange(0, 0, 3), RowRange(0, 2, 1), RowRange(0, 3, 3)])
def test_rows_that_are_not_there_are_refused_by_both(rows: RowRange) -> None:
    for encoder in (CODEC.encode_block, block_twin.encode_block):
        with pytest.raises(CorruptFrame):
            encoder([frame_of([LogEntry("m", 1), LogEntry("n", 1)])], [rows])


def test_a_refused_frame_leaves_nothing_behind_in_the_next_block() -> None:
    good = frame_of([LogEntry("m", 1, metadata={"k": "v"})])
    expected = CODEC.encode_block([good])
    with pytest.raises(CorruptFrame):
        CODEC.encode_block([good, with_payload(b"\x0a\x05", 1)])
    assert CODEC.encode_block([good]) == expected


def test_threads_do_not_disturb_each_other() -> None:
    frames = [frame_of([LogEntry(f"m{number}", 1, metadata={f"k{number}": number})] * 200) for number in range(4)]
    expected = [CODEC.encode_block([one]) for one in frames]
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(50):
            if CODEC.encode_block([frames[number]]) != expected[number]:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
