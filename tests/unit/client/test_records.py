import io
import json

import pytest

from zero.client import records
from zero.client.records import RecordOptions, Unreadable, read_records


def read(text, name="x", **options):
    data = text if isinstance(text, bytes) else text.encode()
    return list(read_records(io.BytesIO(data), name, RecordOptions(**options)))


def objects(found):
    return [json.loads(record.data) for record in found]


def test_each_line_of_text_is_a_message_and_empty_lines_are_none():
    found = read("one\r\n\n  two \n[Sun Dec 04] three\n", app_id="a", level="warn")
    assert [item["message"] for item in objects(found)] == ["one", "  two ", "[Sun Dec 04] three"]
    assert objects(found)[0] == {"app_id": "a", "level": "warn", "message": "one"}
    assert [record.line for record in found] == [1, 3, 4]


def test_bytes_that_are_not_utf_8_are_repaired():
    assert objects(read(b"caf\xe9\n")) == [{"message": "caf\ufffd"}]


def test_ndjson_goes_out_as_it_came_in():
    lines = ['{"message": "a", "n": 18446744073709551616, "x": 1e400}', '{"message": ', "plain"]
    assert [record.data.decode() for record in read("\n".join(lines))] == lines


def test_a_default_goes_in_front_of_an_entry_that_names_none():
    found = read('{"message":"a","n":1e400}\n{"message":"b","service":"own"}\n{}\n', app_id="mine", name="x.ndjson")
    assert [record.data.decode() for record in found] == [
        '{"app_id":"mine","message":"a","n":1e400}',
        '{"message":"b","service":"own"}',
        "{}",
    ]


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("one\ntwo\n", ["one", "two"]),
        ('{"message":"a"}\n{"message":"b"}\n', ["a", "b"]),
        ('[\n {"message":"a"},\n {"message":"b"}\n]\n', ["a", "b"]),
        ("message,x\na,1\n", ["a"]),
    ],
)
def test_the_byte_order_mark_of_a_file_is_no_part_of_its_first_entry(text, messages):
    options = {"app_id": "mine"} | ({"message_column": "message"} if text.startswith("message") else {})
    found = objects(read(b"\xef\xbb\xbf" + text.encode(), **options))
    assert [(item["message"], item["app_id"]) for item in found] == [(message, "mine") for message in messages]


@pytest.mark.parametrize(
    "text",
    [
        '[{"message": "a"},\n {"message":\n"b"}]',
        '{"message": "a"}\n{"message":\n "b"}',
        '{ "logs" : [ {"message":"a"}, {"message":"b"} ] }\n',
        '\ufeff[{"message": "a"}, {"message": "b"}]',
    ],
)
def test_the_objects_of_a_json_file_are_found_in_every_shape_the_door_takes(text):
    found = read(text, "x.json", form="json")
    assert [item["message"] for item in objects(found)] == ["a", "b"]
    assert all(b"\n" not in record.data for record in found)


def test_one_line_with_logs_is_a_file_of_entries_unless_it_is_an_entry_itself():
    assert objects(read('{"logs": [{"message": "a"}, {"message": "b"}]}')) == [{"message": "a"}, {"message": "b"}]
    assert objects(read('{"logs": ["kept"], "message": "a"}')) == [{"logs": ["kept"], "message": "a"}]


def test_a_json_array_much_larger_than_the_window_is_read_piece_by_piece(monkeypatch):
    monkeypatch.setattr(records, "_CHUNK_BYTES", 64)
    text = "[" + ",\n".join(json.dumps({"message": "é" * (n % 90), "n": n}) for n in range(2000)) + "]"
    found = read(text, form="json")
    assert [item["n"] for item in objects(found)] == list(range(2000))
    assert found[-1].line == 2000


@pytest.mark.parametrize("text", ['[{"message": "a"}, {"mess', '[{"message": NaN}]', "[" * 100_000])
def test_json_that_breaks_off_says_where(text):
    with pytest.raises(Unreadable, match=r"x\.json:1: not readable as JSON"):
        read(text, "x.json", form="json")


def test_a_csv_column_is_message_level_field_or_metadata():
    found = read(
        'LineId,Time,Level,source,Content\n7,18:01,WARN,web,"say ""no"", twice"\n8,18:02,combo,,b\n',
        "x.csv",
        app_id="hadoop",
        message_column="Content",
    )
    assert objects(found) == [
        {
            "app_id": "hadoop",
            "message": 'say "no", twice',
            "level": "WARN",
            "source": "web",
            "metadata": {"LineId": "7", "Time": "18:01"},
        },
        {"app_id": "hadoop", "message": "b", "metadata": {"LineId": "8", "Time": "18:02", "Level": "combo"}},
    ]


def test_a_csv_timestamp_column_is_used_when_asked_for():
    found = read("When,msg\n2026-01-01T00:00:00Z,a\n", "x.csv", timestamp_column="When")
    assert objects(found) == [{"message": "a", "timestamp": "2026-01-01T00:00:00Z"}]


def test_a_csv_column_called_content_is_the_message():
    assert objects(read("LineId,Content\n1,hello\n", "x.csv")) == [{"message": "hello", "metadata": {"LineId": "1"}}]


@pytest.mark.parametrize("options", [{}, {"message_column": "Text"}, {"message_column": "A", "timestamp_column": "T"}])
def test_a_csv_without_the_column_says_which_it_has(options):
    with pytest.raises(Unreadable, match="A, B"):
        read("A,B\n1,2\n", "x.csv", **options)


def test_a_line_beyond_the_bound_is_refused_and_the_next_one_read(monkeypatch):
    monkeypatch.setattr(records, "RECORD_BYTES_MAX", 100)
    found = read("x" * 100_000 + "\nnext\n", form="text")
    assert (found[0].line, found[0].refused) == (1, "line is longer than 100 bytes")
    assert objects(found[1:]) == [{"message": "next"}]


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (b'{"message":"a"}\n{', "ndjson"),
        (b'[\n {"message":', "json"),
        (b'{\n "message":', "json"),
        (b"[Sun Dec 04] x", "text"),
        (b"{curly} x", "text"),
        (b"", "text"),
    ],
)
def test_the_form_is_told_from_the_content(head, form):
    assert records._form_by_content(head) == form
