"""The language against the real store: parser and compiler find what an evaluator in plain Python finds."""

import asyncio
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.search.conftest import LogStore
from zero.application.ports import Scope
from zero.domain.batch_id import batch_id
from zero.domain.entry import Level, LogEntry, MetadataValue
from zero.domain.query import And, Field, Is, Node, Not
from zero.domain.stored import StoredEntry
from zero.infrastructure.lucene.parser import LuceneParser
from zero.infrastructure.memory.query_evaluator import matches

PARSER = LuceneParser()
START_S = 1_795_341_600
NOW_NS = (START_S + 86_400) * 10**9
WORDS = [
    "error", "Error", "ERRORS", "error_code", "my_error", "_error_", "conn", "Connection", "blk_123", "blk_-9", "10.0.0.1:80",
    "/var/log", "100%", "a\\b", "it's", '"quoted"', "`tick`", "É", "éa", "Жук", "жук", "日本", "日本語", "x=1", "-", "\n", "\t",
    "[main]", "to", "host", "Route", "{p0:String}", "“error”", "ab", "abc", "0", "00",
]  # fmt: skip
KEYS = ["status", "host", "user", "a", "a.b", "odd key", "q`'\"", "日本", "x\\y"]
VALUES: list[MetadataValue] = [
    0, 1, 200, 500, -5, 2**53 + 1, 2**63 - 1, 2**64 - 1, 0.5, 2.0, 500.25, -1.5e300, True, False, "", "200", "500.25", "node-1",
    "node-2", "Node-1", "a_b", "a%b", "true", "x y", "日本", "-5", "z",
]  # fmt: skip
TRACES = ["", "0" * 32, "00112233445566778899aabbccddeeff", "00112233445566778899AABBCCDDEEFF", "short", "sixteen-bytes-ab"]


def make_entries(count: int) -> list[StoredEntry]:
    rng = random.Random(11)
    entries = []
    for number in range(count):
        entry = LogEntry(
            rng.choice([" ", "", "_"]).join(rng.choices(WORDS, k=rng.randint(1, 5))) or "x",
            (START_S + rng.randrange(0, 86_400, 600)) * 10**9 + rng.choice([0, 1, 999_999_999]),
            rng.choice(list(Level)),
            rng.choice(["web", "Web", "db", "ÉTÉ"]),
            rng.choice(["node-1", "Node-2", "", "10.0.0.1"]),
            rng.choice(["prod", "staging"]),
            rng.choice(TRACES),
            rng.choice(["", "s1"]),
            rng.choice(["", "u1", "U1", "u2"]),
            {key: rng.choice(VALUES) for key in rng.sample(KEYS, rng.randint(0, 4))},
        )
        entries.append(StoredEntry(batch_id(START_S * 1000 + number // 7, 1, 0), number % 7, entry))
    return entries


ENTRIES = make_entries(600)


class Finder:
    """A reader with an event loop of its own, so that Hypothesis can call it."""

    def __init__(self, store: LogStore) -> None:
        self.store = store
        self._runner = asyncio.Runner()
        self._reader = store.reader()

    def find(self, node: Node, tenant: str = "default") -> list[StoredEntry]:
        return list(self._runner.run(self._reader.latest(Scope(tenant, node), 1000)))

    def close(self) -> None:
        self._runner.run(self._reader.close())
        self._runner.close()


@pytest.fixture(scope="module")
def filled(log_server: LogStore) -> Iterator[Finder]:
    """The store with ENTRIES in three parts, and the same under another tenant."""
    log_server.empty("logs")
    for start in range(0, len(ENTRIES), 210):
        log_server.store(ENTRIES[start : start + 210])
    log_server.store(ENTRIES, "other")
    finder = Finder(log_server)
    yield finder
    finder.close()


def expected(node: Node) -> list[StoredEntry]:
    return sorted((stored for stored in ENTRIES if matches(node, stored)), key=lambda stored: stored.key, reverse=True)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def escaped(text: str) -> str:
    return "".join(f"\\{char}" if not char.isalnum() else char for char in text)


def piece(text: str) -> st.SearchStrategy[str]:
    ends = st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))
    return ends.map(lambda pair: text[min(pair) : max(pair)] or text)


TEXTS = st.one_of(st.sampled_from(WORDS), st.sampled_from(WORDS).flatmap(piece), st.text("aeEÉж_ %", min_size=1, max_size=3))
PLAIN = TEXTS.filter(lambda text: text.strip() == text and "\n" not in text and "\t" not in text)
TERMS = st.one_of(
    PLAIN.map(escaped),
    TEXTS.map(quoted),
    st.tuples(TEXTS, TEXTS).map(lambda pair: quoted(" ".join(pair))),
    st.sampled_from(["err*", "*or", "e?ror", "*", "blk_*", "*1*", "con*ion", "É*", "жу?", "/v*/l*", "?", "日*", "*.0.?.1*"]),
)
LITERALS = st.sampled_from([str(value).lower() if isinstance(value, bool) else str(value) for value in VALUES])
FIELD_VALUES = st.one_of(
    LITERALS.map(quoted),
    LITERALS.filter(lambda text: text and " " not in text),
    st.sampled_from(["*", "node-*", "no?e*", "5*", "*0", "a\\_*", "?%?", "20?", "tru*"]),
)
NUMBERS = st.sampled_from(["0", "1", "200", "500.25", "-5", "1e300", str(2**53), str(2**63), "0.5", "a", "node-1", '"2"', "*"])
RANGES = st.one_of(
    st.tuples(st.sampled_from([">", ">=", "<", "<="]), NUMBERS).map("".join).filter(lambda text: not text.endswith("*")),
    st.tuples(st.sampled_from("[{"), NUMBERS, NUMBERS, st.sampled_from("]}")).map(lambda p: f"{p[0]}{p[1]} TO {p[2]}{p[3]}"),
)
FIELDS = st.sampled_from([*map(escaped, KEYS), "metadata.host", "nokey", "source", "user_id", "environment", "app"])
CLAUSES = st.one_of(
    TERMS,
    st.tuples(FIELDS, FIELD_VALUES | RANGES).map(":".join),
    st.sampled_from([
        "level:error", "level:>=warn", "level:[debug TO warn}", "level:f*", "app_id:WEB", "service:été", "env:PROD",
        "span_id:*", "trace_id:*", "trace_id:sh*", "host:node-1", "host:no*", "host:>=node-2",
        "timestamp:>=2026-11-22T12:00:00Z",
        "timestamp:[2026-11-22T12:00:00Z TO 2026-11-22T18:00:00Z}", f"id:{ENTRIES[5].id}", "timestamp:<-12h", "k:(a OR b)",
    ]),
    st.sampled_from(TRACES).map(lambda trace: f'trace_id:"{trace}"'),
)  # fmt: skip
QUERIES = st.recursive(
    CLAUSES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" ", " AND ", " OR "]), inner).map("".join),
        inner.map(lambda text: f"NOT ({text})"),
        inner.map(lambda text: f"-({text})"),
    ),
    max_leaves=4,
)


@settings(max_examples=150, deadline=None)
@given(query=QUERIES)
def test_the_store_finds_what_reading_every_entry_finds(filled: Finder, query: str) -> None:
    node = PARSER.parse(query, NOW_NS)
    assert [stored.id for stored in filled.find(node)] == [stored.id for stored in expected(node)]


def test_entries_come_back_exactly_as_they_were_stored(filled: Finder) -> None:
    everything = filled.find(PARSER.parse("*", NOW_NS))
    assert everything == expected(PARSER.parse("*", NOW_NS))
    types = {stored.id: {key: type(value) for key, value in stored.entry.metadata.items()} for stored in ENTRIES}
    assert {s.id: {key: type(value) for key, value in s.entry.metadata.items()} for s in everything} == types


def test_every_hostile_key_finds_its_entry_and_no_other(filled: Finder) -> None:
    keys = [
        "a", "a.b", "a..b", ".a", "a.", "x y", "x`y", "x\\y", "x'y", 'x"y', "^a", "a.^b", "a.:Int64", "a[]", "a[].b", "a[0]",
        "é", "a\nb", "a\tb", "a:b", "@t", "$x", "1", "select", "null", "a`.`b", "\x01", "a\x00b", "{p0:Identifier}", "?",
        "a%20b", ".", "..", "a--b", "/*", "a;b", "') OR 1=1 --", "tenant", "_bid", "metadata.x", "size0", "a.size0",
        "%", "k" * 128,
    ]  # fmt: skip
    entries = [
        StoredEntry(batch_id(START_S * 1000, 1, 0), number, LogEntry("m", START_S * 10**9, metadata={key: "v", "n": number}))
        for number, key in enumerate(keys)
    ]
    filled.store.store(entries, "hostile")
    for stored, key in zip(entries, keys, strict=True):
        assert filled.find(Is(Field(key, is_key=True), "v"), "hostile") == [stored], key
        assert len(filled.find(Not(Is(Field(key, is_key=True), "v")), "hostile")) == len(keys) - 1, key


@pytest.mark.parametrize(
    "text",
    ["' OR 1=1 --", "\\' OR 1=1 --", "x') OR tenant != ('", "\\", "%", "_", "{tenant:String}",
     "') UNION ALL SELECT * FROM logs --", "`", "\x00", "\\N", "NULL", "/*", "; DROP TABLE logs"],
)  # fmt: skip
def test_sql_in_a_query_is_text_to_look_for(filled: Finder, text: str) -> None:
    for query in (
        quoted(text),
        f"user_id:{quoted(text)}",
        f"host:{quoted(text)}",
        f"app:{quoted(text)}",
        f"trace_id:{quoted(text)}",
    ):
        node = PARSER.parse(query, NOW_NS)
        assert filled.find(node) == expected(node)
    node = PARSER.parse(f"{escaped(text)}:x", NOW_NS) if text[0] not in "\x00" else Is(Field(text, is_key=True), "x")
    assert filled.find(node) == []


def test_no_query_reaches_another_tenant(filled: Finder) -> None:
    for tenant in ("nobody", "", "default' OR '1'='1", "default\\"):
        assert filled.find(PARSER.parse("*", NOW_NS), tenant) == []
    both = And((PARSER.parse("*", NOW_NS), Not(Is(Field("tenant", is_key=True), "default"))))
    assert len(filled.find(both)) == len(ENTRIES)
