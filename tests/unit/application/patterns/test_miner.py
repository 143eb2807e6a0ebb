"""Grouping: what belongs together in messages as many systems write them, and that it follows from the set of texts alone."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zero.application.patterns.miner import MinerOptions, group_texts, shape_of
from zero.infrastructure.codec.pattern_twin import mask


def groups(messages: list[str]) -> list[str]:
    """Return the texts of the groups, in the order in which they are met."""
    return list(group_texts([mask(message) for message in messages]).texts)


TOGETHER = [
    [f"Invalid user {name} from 10.0.0.7" for name in ("admin", "oracle", "test9", "guest")],
    [f"session opened for user {name} by (uid=0)" for name in ("root", "cyrus", "news")],
    [f"pam_unix(sshd:auth): authentication failure; rhost=1.2.3.4 user={name}" for name in ("ftp", "git", "mysql", "backup")],
    [f"authentication failure; uid=0 rhost={host}" for host in ("218.188.2.4", "zummit.com")],
    [
        f"Notification: 1 (n.leader), 0x0 (n.zxid), {state} (n.state), 1 (n.sid), 0x1 (n.peerEPoch), {mine} (my state)"
        for state, mine in (
            ("LOOKING", "LOOKING"), ("LOOKING", "LEADING"), ("LOOKING", "FOLLOWING"), ("LEADING", "LOOKING"),
        )
    ],
    [f"1 torus receiver {way} input pipe error(s) (dcr 0x02ec) corrected" for way in ("x+", "x-", "y+", "y-", "z+", "z-")],
    ["Fan speeds ( 3552 3534 3375 4245 )", "Fan speeds ( 3552 3534 **** 4245 )", "Fan speeds ( 3552 **** **** 4245 )"],
    [f"Registering class {one} for class {other}" for one, other in (("a.b.c", "d.e.f"), ("a.b.EventType", "d.e.Handler"))],
    ["floating pt ex mode 0 enable......0", "floating pt ex mode 1 enable......1"],
    [f'10.11.10.1 "GET /v2/{token}/servers HTTP/1.1" status: 200 len: 1893' for token in ("54fadb41", "latest")],
]  # fmt: skip
APART = [
    [f"[instance: b9000564-fe1a] VM {done} (Lifecycle Event)" for done in ("Started", "Paused", "Resumed", "Stopped")],
    [f"{name} startup succeeded" for name in ("cupsd", "klogd", "syslogd", "portmap", "rpc.statd", "hcid", "sdpd", "crond")],
    [f"{name} set to 2000" for name in ("tickTime", "minSessionTimeout", "maxSessionTimeout", "autopurge.purgeInterval")],
    [
        f"Server environment:{name}=x"
        for name in ("os.name", "os.arch", "java.io.tmpdir", "user.name", "java.home", "host.name")
    ],
    [f"updateClipping isOverlap:{choice}, top=1" for choice in ("true", "false")],
    [f"icache prefetch {what}................0" for what in ("depth", "threshold")],
    [f"{name} (command 1911)" for name in ("boot", "halt", "wait", "risBoot")],
    [f"operation mode from {one} to {other}" for one, other in (("AUTO", "SUSPENDED"), ("SUSPENDED", "AUTO"))],
    ["Connection closed by 10.0.0.1", "Connection opened by 10.0.0.1", "Connection closed by 10.0.0.1 [preauth]"],
    [f'10.11.10.1 "{verb} /v2/5 HTTP/1.1" status: 200' for verb in ("GET", "POST", "DELETE")],
    [f"program interrupt: {kind}......0" for kind in ("illegal instruction", "privileged instruction", "fp compare")],
]


@pytest.mark.parametrize("messages", TOGETHER, ids=lambda messages: messages[0][:30])
def test_messages_that_differ_in_values_are_one_group(messages: list[str]) -> None:
    assert len(groups(messages)) == 1


@pytest.mark.parametrize("messages", APART, ids=lambda messages: messages[0][:30])
def test_messages_that_say_different_things_stay_apart(messages: list[str]) -> None:
    assert len(groups(messages)) == len(messages)


def test_systems_that_share_a_store_do_not_disturb_each_other() -> None:
    everything = [message for messages in TOGETHER + APART for message in messages]
    assert len(groups(everything)) == len(TOGETHER) + sum(map(len, APART))


def test_the_text_of_a_group_has_wildcards_where_its_members_differ() -> None:
    assert groups(TOGETHER[0]) == ["Invalid user <*> from <*>"]
    assert groups(["nothing  to   see"]) == ["nothing  to   see"]


WORDS = [
    "user",
    "for",
    "root",
    "ann",
    "bob",
    "cat",
    "dan",
    "<*>",
    "=",
    "true",
    ":",
    "(",
    "started",
    "Starting",
    "****",
    " ",
    "\n",
]


@given(st.sets(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join), max_size=40), st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_groups_follow_from_the_set_of_texts_not_from_their_order(texts: set[str], seed: int) -> None:
    ordered = sorted(texts)
    shuffled = random.Random(seed).sample(ordered, len(ordered))
    one, other = group_texts(ordered), group_texts(shuffled)
    of_one = dict(zip(ordered, (one.texts[number] for number in one.of), strict=True))
    assert of_one == dict(zip(shuffled, (other.texts[number] for number in other.of), strict=True))
    for text in ordered:
        assert shape_of(of_one[text]) is not None


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_has_a_shape_with_a_place_for_each_word(text: str) -> None:
    shape, words = shape_of(text)
    assert shape.count("w") == len(words)
    assert group_texts([text]).texts == [text]


def test_longer_texts_than_the_bound_stand_alone() -> None:
    texts = [f"for user {name} " + "x " * 70 for name in ("a", "b", "c", "d", "e")]
    assert len(group_texts(texts).texts) == 5
    assert len(group_texts(texts, MinerOptions(words_max=100)).texts) == 1
