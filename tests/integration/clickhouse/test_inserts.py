"""What becomes of an insert when its client, its connection or an operator does not let it end."""

import http.client
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.clickhouse.conftest import Raw

SQL = "INSERT INTO /* zero shard=3 epoch=1 */ t FORMAT TSV"
RUNNING = "SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND query LIKE '%/* zero shard=3 %'"
KILL = "KILL QUERY WHERE query_kind = 'Insert' AND query LIKE '%/* zero shard=3 %' SYNC"
ROWS = b"".join(b"%d\tvalue\n" % number for number in range(200_000))


def settle(raw: Raw) -> None:
    """Do as the drain does: kill until nothing runs."""
    while int(raw.text(RUNNING)):
        raw.text(KILL)


def rows(raw: Raw) -> int:
    return int(raw.text("SELECT count() FROM t"))


def test_a_body_that_ends_early_stores_nothing(raw: Raw) -> None:
    for sent in (0, 1, 20, 100_000, len(ROWS) - 1):
        with raw.connect() as client:
            client.sendall(raw.head(SQL, len(ROWS)) + ROWS[:sent])
        settle(raw)
        assert rows(raw) == 0


def test_an_insert_is_seen_as_soon_as_its_head_has_arrived(raw: Raw) -> None:
    with raw.connect() as client:
        client.sendall(raw.head(SQL, len(ROWS)))
        assert raw.text(RUNNING) == "1"


def test_an_insert_that_waits_for_its_client_can_be_killed(raw: Raw) -> None:
    with raw.connect() as client:
        client.sendall(raw.head(SQL, len(ROWS)) + ROWS[:300_000])
        assert raw.text(RUNNING) == "1"
        started = time.monotonic()
        raw.text(KILL)
        assert time.monotonic() - started < 30
        assert raw.text(RUNNING) == "0"
        client.settimeout(60)
        try:
            client.sendall(ROWS[300_000:])
            answer = client.recv(100)
        except OSError:
            answer = b""
        assert not answer.startswith(b"HTTP/1.1 200")
    assert rows(raw) == 0


def test_what_was_not_running_when_asked_is_never_stored_later(raw: Raw) -> None:
    """A stopped server has an insert in a socket that it has not accepted, and the question in one that it has."""
    asking = raw.connect()
    time.sleep(0.1)
    raw.server.send(signal.SIGSTOP)
    client = raw.connect()
    client.sendall(raw.head(SQL, len(ROWS)))
    sender = threading.Thread(target=send_quietly, args=(client, ROWS))
    sender.start()
    time.sleep(0.1)
    asking.sendall(raw.head(RUNNING, 0))
    raw.server.send(signal.SIGCONT)
    answer = http.client.HTTPResponse(asking)
    answer.begin()
    seen = answer.read().strip()
    answer.close()
    stored = rows(raw)
    if seen != b"0":
        settle(raw)
        stored = rows(raw)
    sender.join()
    time.sleep(0.5)
    assert rows(raw) == stored
    asking.close()
    client.close()


def send_quietly(client: socket.socket, data: bytes) -> None:
    try:
        client.sendall(data)
    except OSError:
        return


KILLED_CLIENT = """
import os, socket, sys
address, head, length = (sys.argv[1], int(sys.argv[2])), bytes.fromhex(sys.argv[3]), int(sys.argv[4])
client = socket.create_connection(address)
client.sendall(head)
row = b"7\\tvalue\\n"
data = row * (length // len(row))
print("sending", flush=True)
client.sendall(data)
print("sent", flush=True)
client.recv(1)
"""


@pytest.mark.parametrize("delay_seconds", [0.0, 0.001, 0.003, 0.01, 0.02, 0.04, 0.08, 0.16])
def test_after_a_killed_client_and_a_quiet_moment_nothing_changes(raw: Raw, delay_seconds: float) -> None:
    row = b"7\tvalue\n"
    length = 300_000 * len(row)
    argv = [sys.executable, "-c", KILLED_CLIENT, raw.address[0], str(raw.address[1]), raw.head(SQL, length).hex(), str(length)]
    client = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert client.stdout is not None
    assert client.stdout.readline() == b"sending\n"
    time.sleep(delay_seconds)
    os.kill(client.pid, signal.SIGKILL)
    client.wait(60)
    client.stdout.close()
    settle(raw)
    quiet = rows(raw)
    assert quiet in (0, 300_000)
    time.sleep(0.2)
    assert rows(raw) == quiet


def test_many_inserts_at_once_are_all_stored(raw: Raw) -> None:
    block = ROWS[:200_000]
    expected = block.count(b"\n")
    body = block[: block.rindex(b"\n") + 1]
    threads = [threading.Thread(target=raw.ask, args=(body,), kwargs={"query": SQL}) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(raw) == 12 * expected


def test_more_queries_than_allowed_are_refused_and_look_ups_still_pass(raw: Raw) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(raw.connect()) for _ in range(33)]
        for client in clients:
            client.sendall(raw.head(SQL, 10))
        assert int(raw.text(RUNNING)) == 32
        wait = select.poll()
        for client in clients:
            wait.register(client, select.POLLIN)
        ((answered, _),) = wait.poll(60_000)
        (refused,) = (client for client in clients if client.fileno() == answered)
        assert b"x-clickhouse-exception-code: 202" in refused.recv(65536)
    settle(raw)
    assert rows(raw) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads have a priority of their own on Linux alone")
def test_merges_give_way_to_inserts(raw: Raw) -> None:
    raw.text(f"{SQL}\n1\tvalue\n")
    nice: dict[str, set[int]] = {}
    for name in Path(f"/proc/{raw.server.process.pid}/task").glob("*/comm"):
        nice.setdefault(name.read_text().strip(), set()).add(os.getpriority(os.PRIO_PROCESS, int(name.parent.name)))
    assert nice["MergeMutate"] == {os.getpriority(os.PRIO_PROCESS, 0) + 10}
    assert os.getpriority(os.PRIO_PROCESS, raw.server.process.pid) == os.getpriority(os.PRIO_PROCESS, 0)


@pytest.mark.parametrize(
    ("head", "data"),
    [
        ("INSERT INTO refusing FORMAT TSV", b"1\n2\n13\n"),
        ("INSERT INTO refusing (a) SETTINGS async_insert = 0 FORMAT TSV", b"13\n"),
        ("INSERT INTO refusing VALUES", b"(1), (13)"),
        ("INSERT INTO refusing_door FORMAT TSV", b"13\n" + b"1\n" * 3_000_000),
    ],
)
def test_what_the_table_refuses_while_it_is_stored_is_told(raw: Raw, head: str, data: bytes) -> None:
    raw.text("CREATE TABLE refusing (a UInt32, CONSTRAINT healthy CHECK a != 13) ENGINE = MergeTree ORDER BY a")
    raw.text("CREATE TABLE refusing_door ENGINE = Alias('refusing') SETTINGS allow_experimental_alias_table_engine = 1")
    status, headers, body = raw.ask(data, query=head)
    assert (status, headers.get("x-clickhouse-exception-code")) == (500, "469"), body
    assert raw.text("SELECT count() FROM refusing") == "0"
