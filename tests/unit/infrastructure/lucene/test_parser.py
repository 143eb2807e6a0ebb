import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zero.domain.entry import Level
from zero.domain.errors import QuerySyntaxError
from zero.domain.query import (
    And,
    Between,
    Bound,
    Contains,
    Everything,
    Exists,
    Field,
    HasId,
    HasWord,
    Is,
    LevelIn,
    Like,
    MessageLike,
    Node,
    Not,
    Or,
    TimeBetween,
    Wild,
)
from zero.infrastructure.lucene.parser import LuceneParser

NOW_NS = 10**18
PARSER = LuceneParser()
A, B, C = HasWord("a"), HasWord("b"), HasWord("c")
APP = Field("app_id")


def key(name: str) -> Field:
    return Field(name, is_key=True)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", Everything()),
        (" \t\n", Everything()),
        ("*", Everything()),
        ("error", HasWord("error")),
        ("日本", HasWord("日本")),
        ('"No Route to Host"', Contains("No Route to Host")),
        ('"error"', Contains("error")),
        (r'"say \"hi\" \\ C:\temp"', Contains('say "hi" \\ C:\\temp')),
        ("/var/log", Contains("/var/log")),
        ("blk_-123", Contains("blk_-123")),
        ("10.0.0.1:50010", Contains("10.0.0.1:50010")),
        ("12:34:56", Contains("12:34:56")),
        ("http://host/path", Contains("http://host/path")),
        ("[main]", Contains("[main]")),
        (r"a\*b", Contains("a*b")),
        (r"a\ b", Contains("a b")),
        ("conn*", MessageLike(("conn", Wild.ANY), whole_word=True)),
        ("/var/*/l?g", MessageLike(("/var/", Wild.ANY, "/l", Wild.ONE, "g"), whole_word=False)),
        ('"a*b"', Contains("a*b")),
        ("a b", And((A, B))),
        ("a AND b", And((A, B))),
        ("a && b", And((A, B))),
        ("a OR b", Or((A, B))),
        ("a || b", Or((A, B))),
        ("a b OR c", Or((And((A, B)), C))),
        ("a (b OR c)", And((A, Or((B, C))))),
        ("NOT a", Not(A)),
        ("!a", Not(A)),
        ("-a b", And((Not(A), B))),
        ("+a -(b c)", And((A, Not(And((B, C)))))),
        ("NOT NOT a", Not(Not(A))),
        ("and or not", And((HasWord("and"), HasWord("or"), HasWord("not")))),
        ("ORDER", HasWord("ORDER")),
        ("message:error", HasWord("error")),
        ('msg:"x y"', Contains("x y")),
        ("app_id:Hadoop", Is(APP, "Hadoop")),
        ("app:x", Is(APP, "x")),
        ("service:x", Is(APP, "x")),
        ("env:prod", Is(Field("environment"), "prod")),
        ("source:web*", Like(Field("source"), ("web", Wild.ANY))),
        ("trace_id:*", Exists(Field("trace_id"))),
        ("status:500", Is(key("status"), "500")),
        ("x:-5", Is(key("x"), "-5")),
        ("metadata.host:n1", Is(key("host"), "n1")),
        ("metadata.app_id:x", Is(key("app_id"), "x")),
        ("http.request.method:GET", Is(key("http.request.method"), "GET")),
        (r"my\ key:x", Is(key("my key"), "x")),
        ("@m:x", Is(key("@m"), "x")),
        ('k:"two words"', Is(key("k"), "two words")),
        ('k:""', Is(key("k"), "")),
        ("k:*", Exists(key("k"))),
        (r"k:\*", Is(key("k"), "*")),
        ("k:a:b", Is(key("k"), "a:b")),
        ("k: v", Is(key("k"), "v")),
        ("status:>=500", Between(key("status"), Bound(500), None)),
        ("status:<500", Between(key("status"), None, Bound(500, inclusive=False))),
        ("x:>-1.5", Between(key("x"), Bound(-1.5, inclusive=False), None)),
        ("status:[400 TO 499]", Between(key("status"), Bound(400), Bound(499))),
        ("status:{400 TO 499]", Between(key("status"), Bound(400, inclusive=False), Bound(499))),
        ("status:[* TO 5}", Between(key("status"), None, Bound(5, inclusive=False))),
        ("k:[* TO *]", Exists(key("k"))),
        ("v:[a TO 5]", Between(key("v"), Bound("a"), Bound("5"))),
        ('v:>="10"', Between(key("v"), Bound("10"), None)),
        ("user_id:[1 TO 2]", Between(Field("user_id"), Bound("1"), Bound("2"))),
        ("big:9223372036854775808", Is(key("big"), "9223372036854775808")),
        ("level:error", LevelIn(frozenset({Level.ERROR}))),
        ("level:Warning", LevelIn(frozenset({Level.WARN}))),
        ("severity:>=error", LevelIn(frozenset({Level.ERROR, Level.FATAL}))),
        ("level:<info", LevelIn(frozenset({Level.TRACE, Level.DEBUG}))),
        ("level:[debug TO warn}", LevelIn(frozenset({Level.DEBUG, Level.INFO}))),
        ("level:e*", LevelIn(frozenset({Level.ERROR}))),
        ("level:(error OR fatal)", Or((LevelIn(frozenset({Level.ERROR})), LevelIn(frozenset({Level.FATAL}))))),
        ("k:(a -b)", And((Is(key("k"), "a"), Not(Is(key("k"), "b"))))),
        ("k:(>=4 <5)", And((Between(key("k"), Bound(4), None), Between(key("k"), None, Bound(5, inclusive=False))))),
        ("k:(a:b OR c)", Or((Is(key("k"), "a:b"), Is(key("k"), "c")))),
        ("timestamp:>=-1h", TimeBetween(NOW_NS - 3_600 * 10**9, None)),
        ("timestamp:[1970-01-01 TO now]", TimeBetween(0, NOW_NS + 1)),
        ("time:{0 TO now}", TimeBetween(1, NOW_NS)),
        ("timestamp:now", TimeBetween(NOW_NS, NOW_NS + 1)),
        ("id:00000000000000ff0000000A", HasId(255, 10)),
        ("_exists_:http.method", Exists(key("http.method"))),
        ("-_exists_:env", Not(Exists(Field("environment")))),
        ("_exists_:ts", Everything()),
        ("/tmp/", Contains("/tmp/")),
        ("/var/log/a.b/", Contains("/var/log/a.b/")),
        ('"/a.*b/" OR "a~2"', Or((Contains("/a.*b/"), Contains("a~2")))),
        ("~/notes x^y", And((Contains("~/notes"), Contains("x^y")))),
        (r"a\~2", Contains("a~2")),
    ],
)
def test_a_query_means(query: str, expected: Node) -> None:
    assert PARSER.parse(query, NOW_NS) == expected


def test_host_is_the_metadata_key_and_for_entries_without_it_the_source() -> None:
    on_key, on_source = Is(key("host"), "n1"), Is(Field("source"), "n1")
    assert PARSER.parse("host:n1", NOW_NS) == Or((on_key, And((Not(Exists(key("host"))), on_source))))


@pytest.mark.parametrize(
    ("query", "position", "message"),
    [
        ('error "never closed', 6, "quote opened here is not closed"),
        ("(a OR b", 7, "closing parenthesis is missing"),
        ("a)", 1, "closing parenthesis"),
        ("()", 1, "closing parenthesis"),
        ("a OR", 4, "missing at the end"),
        ("a AND AND b", 6, "'AND' cannot stand here"),
        ("OR a", 0, "'OR' cannot stand here"),
        ("NOT", 3, "missing at the end"),
        ("level:", 6, "value is missing"),
        ("status:>=", 9, "value is missing"),
        ("k:(", 3, "value is missing"),
        ("status:[400 499]", 12, "range is written"),
        ("status:[400 TO", 14, "range is written"),
        ("level:loud", 6, "TRACE DEBUG INFO WARN ERROR FATAL"),
        ("a level:(error OR loud)", 18, "not a level"),
        ("timestamp:>=noonish", 12, "not a time"),
        ("id:123", 3, "24 hex digits"),
        ("id:+0000000000000000000000f", 3, "24 hex digits"),
        ("message:>5", 8, "no order"),
        ("metadata.:5", 10, "key is missing"),
        (r"a.\:`Int64`:5", 12, "cannot be searched"),
        ("metadata.^`a`:1", 14, "cannot be searched"),
        ("a.^`b`:*", 7, "cannot be searched"),
        ("x \ud800", 2, "surrogate"),
        ("a /No route.*/", 2, "no regular expressions.*text /No route.*/, put it in quotes"),
        ("/(err|warn)ing/", 0, "no regular expressions"),
        ("message:/err.r/", 8, "no regular expressions"),
        ('"/a.b/" eror~', 8, "no fuzzy search.*text eror~, put it in quotes"),
        ("user_id:bib~2", 8, "no fuzzy search"),
        ('"No Route"~3', 0, "no fuzzy search"),
        ("a^2 b", 0, "no boosts"),
        ("_exists_:http.*", 9, "name of one field"),
        ("_exists_:_exists_", 9, "name of one field"),
    ],
)
def test_a_mistake_is_shown_where_it_is(query: str, position: int, message: str) -> None:
    with pytest.raises(QuerySyntaxError, match=message) as caught:
        PARSER.parse(query, NOW_NS)
    assert caught.value.position == position


@pytest.mark.parametrize(
    "query",
    ["(" * 40 + "a" + ")" * 40, "NOT " * 40 + "a", "-" * 40 + "a", "a " * 129, "a OR " * 128 + "b", "k:(" + "a " * 129 + ")",
     "x" * 4097, "é" * 2049, "(" * 4096, '"' * 4095, "x:[" * 1365, "(a " * 1000],
)  # fmt: skip
@pytest.mark.timed
def test_a_hostile_query_is_refused_quickly(query: str) -> None:
    began = time.process_time()
    with pytest.raises(QuerySyntaxError):
        PARSER.parse(query, NOW_NS)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("query", ["\\" * 4095, "a:" * 2048, "*" * 4096, "?*" * 2048, "a*" * 2048, "!" * 30 + "a"])
@pytest.mark.timed
def test_an_odd_query_is_read_quickly(query: str) -> None:
    began = time.process_time()
    assert PARSER.parse(query, NOW_NS)
    assert time.process_time() - began < 1


def test_a_query_at_the_limits_is_read() -> None:
    assert PARSER.parse("a " * 128, NOW_NS)
    assert PARSER.parse("(" * 31 + "a" + ")" * 31, NOW_NS) == A
    assert PARSER.parse("x" * 4096, NOW_NS) == HasWord("x" * 4096)


@given(st.text(max_size=60) | st.text('ab:*?"()[]{}\\-+!&|<> TO*ANDORNOT', max_size=60))
def test_any_text_is_a_query_or_a_mistake_within_it(text: str) -> None:
    try:
        PARSER.parse(text, NOW_NS)
    except QuerySyntaxError as error:
        assert error.position is not None and 0 <= error.position <= len(text)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_can_be_searched_for_in_quotes(text: str) -> None:
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert PARSER.parse(quoted, NOW_NS) == (Contains(text) if text else Everything())


def test_one_parser_serves_many_threads() -> None:
    queries = [f"level:error k{n}:{n} OR (word{n} -other{n})" for n in range(50)]
    expected = [PARSER.parse(query, NOW_NS) for query in queries]
    found: list[list[Node]] = []

    def parse_all() -> None:
        found.append([PARSER.parse(query, NOW_NS) for query in queries])

    threads = [threading.Thread(target=parse_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4
