import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zero.domain.query import And, Between, Bound, Contains, Exists, Field, HasWord, Is, Like, MessageLike, Node, Wild
from zero.infrastructure.clickhouse.query_compiler import Identifier, compile_query, pack_trace_id

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
EVIL = ["'", "' OR 1=1 --", "\\'; DROP TABLE x", "`", "{p0:String}", "%", "_", "\\", "\x00", "}}", "/*", "metadata.`x`", "\n"]


def searches(text: str) -> list[Node]:
    key, column = Field(text, is_key=True), Field("app_id")
    pattern = (text, Wild.ANY) if text else (Wild.ANY, Wild.ONE)
    return [
        Contains(text),
        HasWord(text),
        MessageLike(pattern, whole_word=False),
        MessageLike(pattern, whole_word=True),
        Is(key, text),
        Like(key, pattern),
        Exists(key),
        Between(key, Bound(text), Bound(text)),
        Is(column, text),
        Like(column, pattern),
        Between(column, Bound(text), None),
        Is(Field("trace_id"), text),
    ]


def shape(sql: str) -> str:
    return re.sub(r"\{p\d+:\w+\}", "{}", sql)


@given(TEXT | st.sampled_from(EVIL))
def test_nothing_a_user_writes_gets_into_the_sql(text: str) -> None:
    for node in searches(text):
        compiled = compile_query(node)
        assert re.fullmatch(r"[A-Za-z0-9_().,:=<>!%'{} ]*", compiled.sql), compiled.sql
        assert set(re.findall(r"\{(p\d+):", compiled.sql)) == set(compiled.parameters)


def test_the_sql_depends_on_the_shape_of_the_query_alone() -> None:
    for one, other in zip(searches("alpha"), searches("omega"), strict=True):
        assert shape(compile_query(one).sql) == shape(compile_query(other).sql)


def test_a_word_is_looked_up_in_the_index_and_then_settled() -> None:
    compiled = compile_query(HasWord("Error"))
    assert compiled.sql == (
        "(hasToken(lower(message), {p0:String}) AND hasToken(replaceAll(lower(message), '_', '0'), {p0:String}))"
    )
    assert compiled.parameters == {"p0": "error"}


def test_a_phrase_with_a_whole_token_inside_leaves_the_index_to_find_it() -> None:
    compiled = compile_query(Contains("100% of_it\\"))
    assert compiled.sql == "(lower(message) LIKE {p0:String})"
    assert compiled.parameters == {"p0": "%100\\% of\\_it\\\\%"}


def test_a_phrase_without_a_whole_token_inside_is_narrowed_by_its_longest_piece() -> None:
    compiled = compile_query(Contains("to Host"))
    assert compiled.parameters == {"p0": "%host%", "p1": "%to host%"}


def test_a_metadata_key_is_bound_and_read_as_its_own_column() -> None:
    compiled = compile_query(Is(Field("a.b`c", is_key=True), "x"))
    assert compiled.sql == "(ifNull(metadata.{p0:Identifier}.:String = {p1:String}, 0))"
    assert compiled.parameters == {"p0": Identifier("a.b`c"), "p1": "x"}
    assert str(compiled.parameters["p0"]) == "a.b`c"


def test_values_are_numbered_through_the_whole_query() -> None:
    compiled = compile_query(And((HasWord("a"), HasWord("b"), Is(Field("user_id"), "c"))))
    assert compiled.parameters == {"p0": "a", "p1": "b", "p2": "c"}


@pytest.mark.parametrize(
    ("trace_id", "packed"),
    [
        ("", b""),
        ("00112233445566778899aabbccddeeff", bytes.fromhex("00112233445566778899aabbccddeeff")),
        ("00112233445566778899AABBCCDDEEFF", b"00112233445566778899AABBCCDDEEFF"),
        ("short", b"short"),
        ("sixteen-bytes-ab", b"sixteen-bytes-ab\0"),
        ("sixteen-bytes-ab\0", b"sixteen-bytes-ab\0\0"),
        ("sixteen-bytes-abc", b"sixteen-bytes-abc"),
    ],
)
def test_a_trace_id_is_packed_so_that_no_two_are_confused(trace_id: str, packed: bytes) -> None:
    assert pack_trace_id(trace_id) == packed
