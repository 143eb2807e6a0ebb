"""Masking: what counts as variable, and that the native pass and its readable twin agree on every text."""

from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zero.infrastructure.codec import hash64_twin, pattern_twin
from zero.infrastructure.native.codec import NativeCodec

CODEC = NativeCodec()

SIGNS = "0 7 a f F x é \0 \n \t . .. ... / \\ @ - _ : :: , ; | ( ) () [ ] { } < > = \" ' #"
WORDS = " |  |ms|MB|bytes|Jun|Sun|May|www.example.org|a.b|a.b.c|deadbeef|fe80|::1|(5)|( |<*>|path/x.y|12:34|aa:bb|µs|?|?q=|&k=v"
PIECES = (SIGNS + " ").split(" ") + WORDS.split("|")


@given(
    st.one_of(st.text(st.characters(codec="utf-8"), max_size=60), st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
)
@settings(max_examples=2000, deadline=None)
def test_the_native_mask_is_that_of_the_twin(message: str) -> None:
    assert CODEC.mask(message) == pattern_twin.mask(message)
    assert CODEC.pattern_id(message) == pattern_twin.pattern_id(message)


def test_a_message_met_before_keeps_its_id_whatever_came_in_between() -> None:
    messages = [f"request {number} of user{number % 7} took {number} ms" * (number % 3 + 1) for number in range(40_000)]
    assert [CODEC.pattern_id(message) for message in messages[:100] * 2] == [
        pattern_twin.pattern_id(message) for message in messages[:100] * 2
    ]
    assert len({CODEC.pattern_id(message) for message in messages}) == 3


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ("took 5 ms", "took <*>"),
        ("took 5ms.", "took <*>."),
        ("took 1 min 3 sec, then stopped", "took <*>, then stopped"),
        ("took <1 sec", "took <*>"),
        ("sent 1190 bytes (1.16 KB) to peer", "sent <*> to peer"),
        ("connection from 10.0.0.1:8080 closed", "connection from <*> closed"),
        ("connection from fe80::1 port 22", "connection from <*> port <*>"),
        ("listening on [::1]:4318", "listening on [<*>]:<*>"),
        ("device aa:bb:cc:dd:ee:0f is up", "device <*> is up"),
        ("job 123e4567-e89b-12d3-a456-426614174000 done", "job <*> done"),
        ("commit deadbeef is bad, cafe is open", "commit <*> is bad, cafe is open"),
        ("mask=ffffffff flags=0x1F", "mask=<*> flags=<*>"),
        ("opened /var/log/messages", "opened <*>"),
        ("opened C:\\temp\\new.txt twice", "opened C:<*> twice"),
        ("GET http://example.org/index.html now", "GET http:<*> now"),
        ('"GET /search?q=red+shoes&page=2 HTTP/1.1" 200', '"GET <*>" <*>'),
        ("https://example.org/a/b?token=abc#top, then (/a/b?x=y).", "https:<*>, then (<*>)."),
        ("are there 5? or /a/b?", "are there <*>? or <*>?"),
        ("read/write is on, N/A and I/O too", "read/write is on, N/A and I/O too"),
        ("mail to ann@example.org from db.example.org", "mail to <*> from <*>"),
        ("proxy example.org:443 answers", "proxy <*> answers"),
        ("java.io.tmpdir=/tmp on db.example.org", "java.io.tmpdir=<*> on <*>"),
        ("java.lang.NullPointerException: null", "java.lang.NullPointerException: null"),
        ("user 'ann' and \"bob\" can't log in", "user <*> and <*> can't log in"),
        ('{"user":"ann","ok":true}', '{"user":<*>,"ok":true}'),
        ('he said "no such file"', 'he said "no such file"'),
        ("at Sun Jul 10 03:55:15 2005", "at <*>"),
        ("Sun shines in May", "Sun shines in May"),
        ("list 1, 2, 3 and 4", "list <*> and <*>"),
        ("user_42 and blk_-1608999687919862906", "<*> and <*>"),
        ("Ошибка 42 в файле", "Ошибка <*> в файле"),
        ("nothing to see", "nothing to see"),
        ("", ""),
        ("1", "<*>"),
        ("a\0b\n7", "a\0b\n<*>"),
        ("icache prefetch depth....................0", "icache prefetch depth....................<*>"),
        ("loading...ok, waiting... done", "loading...ok, waiting... done"),
        ("...5 of 0...100", "...<*> of <*>...<*>"),
    ],
)
def test_variable_parts_are_masked_and_the_rest_stays(message: str, masked: str) -> None:
    assert CODEC.mask(message) == masked


@given(
    st.lists(st.sampled_from(["took 5 ms", "lost", "", " ", "\r", "\n", "\r\n", "é 7", "user ann"]), max_size=30).map("".join)
)
@settings(max_examples=300, deadline=None)
def test_lines_are_numbered_by_pattern_as_the_twin_does(text: str) -> None:
    numbers, patterns = CODEC.pattern_lines(text.encode())
    expected = pattern_twin.pattern_lines(text.encode())
    assert (array("I", numbers).tolist(), patterns) == expected
    assert len({identity for identity, _ in patterns}) == len(patterns)


def test_messages_that_differ_in_variable_parts_share_a_pattern_and_others_do_not() -> None:
    assert CODEC.pattern_id("took 5 ms for /a/b") == CODEC.pattern_id("took 1.5 s for /c")
    assert CODEC.pattern_id("took 5 ms") != CODEC.pattern_id("lost 5 ms")


def test_pattern_ids_never_change() -> None:
    known = {
        "": 16091648342859820571,
        "nothing to see": 1368085196460098805,
        "took 5 ms": 2032711718774797714,
        "Accepted password for root from 10.0.0.1 port 22 ssh2": 13891241929046536932,
    }
    assert {message: CODEC.pattern_id(message) for message in known} == known


@given(st.binary(max_size=100), st.integers(0, 2**64 - 1))
@settings(max_examples=50, deadline=None)
def test_the_hash_spreads_a_change_of_one_bit(data: bytes, seed: int) -> None:
    changed = bytes([data[0] ^ 1]) + data[1:] if data else b"\1"
    distance = (hash64_twin.hash64(data, seed) ^ hash64_twin.hash64(changed, seed)).bit_count()
    assert 8 <= distance <= 56


WORST = ("1=", "'=", "a...", "1..", ".", "a:", "((", "1 (", "'(")


@pytest.mark.parametrize("piece", WORST)
def test_the_longest_message_of_the_worst_kind_takes_a_moment_only(piece: str) -> None:
    text = '"' + piece * (262_144 // len(piece))
    assert CODEC.mask(text) == pattern_twin.mask(text)
