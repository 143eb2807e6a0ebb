import gzip
import time

import pytest

from tests.patience import soon
from zero.client import Sender


@pytest.fixture
def make(door):
    made = []

    def sender(**options):
        made.append(Sender(**{"url": door.url, "exit_seconds_max": 30, "pause_seconds": 0.01, "report_seconds": 0, **options}))
        return made[-1]

    yield sender
    door.hold.set()
    for each in made:
        each.close()


def keys(door):
    return [headers["Idempotency-Key"] for _, headers, _ in door.asked]


def test_entries_wait_until_there_are_enough_of_them_or_for_long_enough(door, make):
    by_count = make(batch_entries_max=3, flush_seconds=60)
    for number in range(3):
        by_count.send(f"n {number}", sku=number)
    soon(lambda: len(door.entries()) == 3)
    assert len(door.asked) == 1
    by_bytes = make(batch_bytes_max=10_000, flush_seconds=60)
    for _ in range(4):
        by_bytes.send("x" * 4000)
    soon(lambda: len(door.entries()) >= 5)
    by_time = make(flush_seconds=0.05)
    by_time.send("soon")
    soon(lambda: door.entries()[-1]["message"] == "soon")


def test_flush_returns_a_receipt_for_each_batch_and_says_how_safe_it_is(door, make):
    sender = make(batch_entries_max=2, flush_seconds=60)
    for number in range(5):
        sender.send(f"n {number}")
    receipts = sender.flush(wait_for="stored")
    assert sum(receipt.accepted for receipt in receipts) == 5
    assert {headers["Zero-Ack"] for _, headers, _ in door.asked} <= {"stored", "durable"}
    assert receipts[-1].ack == "stored"
    assert receipts[-1].batch_id
    assert sender.flush() == []
    with pytest.raises(ValueError, match="durable, stored"):
        sender.flush(wait_for="eternity")


@pytest.mark.parametrize("status", [408, 429, 500, 503, 0])
def test_what_may_succeed_later_is_sent_again_under_the_same_key(door, make, status):
    door.answers = [(202, {}, {"accepted": 1, "rejected": 0}), (status, {}, {}), (status, {}, {})]
    sender = make()
    sender.send("first")
    sender.flush()
    sender.send("second")
    assert sum(receipt.accepted for receipt in sender.flush()) == 1
    assert len(set(keys(door))) == 2
    assert len(door.asked) == 4
    assert door.asked[1][2] == door.asked[3][2]


def test_retry_after_is_honoured(door, make):
    door.answers = [(429, {"Retry-After": "1"}, {})]
    sender = make()
    sender.send("x")
    began = time.monotonic()
    assert sender.flush()[0].accepted == 1
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 415, 422, 301])
def test_what_cannot_succeed_is_not_sent_again_but_counted_and_told(door, make, status, capfd):
    door.answers = [(status, {}, {"error": {"message": "never"}})]
    sender = make()
    sender.send("x")
    (receipt,) = sender.flush()
    assert (receipt.accepted, receipt.rejected) == (0, 1)
    assert len(door.asked) == sender.counters()["refused"] == 1
    assert f"HTTP {status}: never" in capfd.readouterr().err


def test_one_kind_of_trouble_is_told_once_in_a_while(door, make, capfd):
    door.answers = [(401, {}, {"error": {"message": "never"}})] * 5
    sender = make(report_seconds=60)
    for _ in range(5):
        sender.send("x")
        sender.flush()
    assert sender.counters()["refused"] == 5
    assert len(capfd.readouterr().err.splitlines()) == 1


def test_entries_that_the_door_rejects_are_counted_with_their_reason(door, make, capfd):
    answer = {"accepted": 1, "rejected": 1, "batch_id": "1", "errors": [{"index": 1, "error": "message is too odd"}]}
    door.answers = [(202, {}, answer)]
    sender = make()
    sender.send("a")
    sender.send("b")
    (receipt,) = sender.flush()
    assert receipt.errors == [(1, "message is too odd")]
    assert sender.counters()["rejected"] == 1
    assert "too odd" in capfd.readouterr().err


def test_a_batch_that_is_too_large_is_halved_until_the_one_entry_is_found(door, make):
    def choosy(status=413):
        return (status, {}, {"error": {"message": "too large"}})

    sender = make(flush_seconds=60)
    for number in range(4):
        sender.send(f"n {number}")
    door.answers = [choosy(), choosy(), choosy()]  # the four, the first two, the first
    receipts = sender.flush()
    assert sum(receipt.accepted for receipt in receipts) == 3
    assert sender.counters()["too_large"] == 1
    assert len(set(keys(door))) == len(door.asked) == 5


def test_an_entry_that_no_door_takes_is_dropped_here_with_its_reason(make, capfd, door):
    import logging

    from zero.client import ZeroHandler

    sender = make()
    assert not sender.send("x" * 300_000)
    ZeroHandler(sender=sender).emit(logging.makeLogRecord({"msg": "y" * 300_000}))
    sender.flush()
    assert sender.counters()["too_large"] == 2
    assert "larger than 262,144 bytes" in capfd.readouterr().err
    assert door.asked == []


@pytest.mark.parametrize(("overflow", "kept"), [("drop_oldest", range(15, 20)), ("drop_newest", range(5)), ("block", range(5))])
def test_a_full_queue_does_what_it_was_told(door, make, overflow, kept):
    sender = make(queue_entries_max=5, batch_entries_max=1, overflow=overflow, block_seconds_max=0.02, flush_seconds=60)
    door.hold.clear()
    sender.send("first")
    soon(lambda: door.asked)
    began = time.monotonic()
    for number in range(20):
        sender.send(str(number))
    waited = time.monotonic() - began
    door.hold.set()
    assert sum(receipt.accepted for receipt in sender.flush()) == 6
    assert [entry["message"] for entry in door.entries()] == ["first", *map(str, kept)]
    counters = sender.counters()
    assert counters["dropped_oldest" if overflow == "drop_oldest" else "dropped_newest"] == 15
    assert waited >= 0.3 if overflow == "block" else waited < 5


def test_blocking_ends_as_soon_as_there_is_room(door, make):
    sender = make(queue_entries_max=10, batch_entries_max=5, overflow="block", block_seconds_max=60)
    for number in range(200):
        assert sender.send(str(number))
    sender.flush()
    assert [entry["message"] for entry in door.entries()] == [str(number) for number in range(200)]


def test_the_queue_is_bounded_in_bytes_too(door, make):
    sender = make(queue_bytes_max=100_000, flush_seconds=60)
    door.hold.clear()
    for _ in range(50):
        sender.send("x" * 10_000)
    assert sender.counters()["waiting"] <= 10 + 50  # those of a batch that is under way are no longer in the queue
    assert sender.inbox._heavy <= 100_000
    assert sender.inbox.dropped_oldest >= 30
    door.hold.set()
    sender.flush()
    assert sender.inbox._heavy == 0


def test_bodies_for_other_machines_are_compressed(door, make):
    assert make(url="https://logs.example.org").options.compresses
    sender = make(compress=True)
    sender.send("x" * 1000)
    sender.flush()
    _, headers, body = door.asked[0]
    assert headers["Content-Encoding"] == "gzip"
    assert b"xxxx" in gzip.decompress(body)


def test_a_connection_is_kept_and_replaced_at_once_when_the_door_has_closed_it(door, make):
    sender = make(pause_seconds=10)
    door.answers = [(202, {"Connection": "close"}, {"accepted": 1, "rejected": 0})]
    for _ in range(3):
        sender.send("x")
        assert sender.flush(timeout_seconds=9)[0].accepted == 1
    assert sender.counters()["retries"] == 0


def test_what_has_no_answer_in_time_is_pending_and_arrives_later(door, make):
    sender = make()
    door.hold.clear()
    sender.send("x")
    assert sender.flush(timeout_seconds=0.1)[-1].pending == 1
    door.hold.set()
    assert sender.flush()[-1].accepted == 1


def test_closing_has_a_deadline_and_what_is_lost_is_counted(door, make, capfd):
    sender = make(url="http://127.0.0.1:9")
    sender.send("x")
    began = time.monotonic()
    sender.close(0.2)
    assert time.monotonic() - began < 5
    assert sender.counters()["gave_up"] == 1
    assert "1 entries are lost" in capfd.readouterr().err
    assert not sender.send("too late")
    assert sender.flush()[-1].rejected == 1
    sender.close()


def test_an_outage_goes_to_the_spool_and_from_there_to_the_door_in_order(door, make, tmp_path):
    folder = tmp_path / "spool"
    door.answers = [(503, {}, {})] * 1000
    sender = make(spool=str(folder), pause_seconds_max=0.05)
    for number in range(3):
        sender.send(str(number))
        sender.flush(timeout_seconds=0.1)
    soon(lambda: len(list(folder.glob("*.batch"))) >= 1)
    assert (folder.stat().st_mode & 0o777, next(folder.iterdir()).stat().st_mode & 0o777) == (0o700, 0o600)
    door.answers.clear()
    soon(lambda: not list(folder.glob("*.batch")))
    sender.flush()
    assert [entry["message"] for entry in door.entries()] == ["0", "1", "2"]
    assert sender.counters()["spooled"] >= 1


def test_a_new_process_sends_what_an_old_one_spooled_under_the_same_key(door, make, tmp_path):
    options = {"spool": str(tmp_path), "batch_entries_max": 1}
    old = make(**options)
    door.answers = [(503, {}, {})] * 1000
    for number in range(3):
        old.send(str(number))
    old.close(0.5)
    spooled = sorted(tmp_path.glob("*.batch"))
    assert len(spooled) == 3
    tried = keys(door)[0]
    spooled[-1].write_bytes(spooled[-1].read_bytes()[:-7])
    (tmp_path / "not-ours.txt").write_text("x")
    door.answers.clear()
    door.asked.clear()
    new = make(**options)
    soon(lambda: len(door.asked) == 2)
    new.flush()
    assert keys(door)[0] == tried
    assert [entry["message"] for entry in door.entries()] == ["0", "1"]
    assert new.counters()["spool_broken"] == 1
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".broken", ".txt"]


def test_the_spool_is_bounded(door, make, tmp_path, capfd):
    door.answers = [(503, {}, {})] * 1000
    sender = make(spool=str(tmp_path), spool_bytes_max=600, batch_entries_max=1)
    for number in range(20):
        sender.send(str(number))
    sender.close(0.5)
    counters = sender.counters()
    assert counters["spooled"] + counters["spool_full"] == 20
    assert counters["spooled"] >= 1
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 600
    assert "the spool is full" in capfd.readouterr().err


def test_a_hanging_door_does_not_keep_the_end_waiting_and_the_spool_keeps_the_batch(door, make, tmp_path):
    sender = make(spool=str(tmp_path))
    door.hold.clear()
    sender.send("under way")
    soon(lambda: door.asked)
    sender.send("behind it")
    began = time.monotonic()
    sender.close(0.2)
    assert time.monotonic() - began < 5
    assert len(list(tmp_path.glob("*.batch"))) == 2
    door.hold.set()


def test_the_proxy_of_the_environment_is_used_unless_excepted(door, make, monkeypatch):
    monkeypatch.setenv("http_proxy", door.url.replace("://", "://user:word@"))
    sender = make(url="http://logs.example.org:4318")
    sender.send("x")
    assert sender.flush()[0].accepted == 1
    path, headers, _ = door.asked[0]
    assert path == "http://logs.example.org:4318/api/logs"
    assert headers["Proxy-Authorization"] == "Basic dXNlcjp3b3Jk"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    direct = make()
    direct.send("y")
    direct.flush()
    assert door.asked[1][0] == "/api/logs"


def test_over_tls_the_door_must_show_a_certificate_of_the_ca_that_was_named(door, make, tmp_path, capfd):
    from zero.infrastructure.tls.authority import Authority

    authority = Authority(tmp_path)
    issued = authority.server(["127.0.0.1"])
    door.encrypt(issued.certificate, issued.key)
    trusting = make(url=door.url, ca_file=str(authority.certificate))
    trusting.send("x")
    assert trusting.flush()[0].accepted == 1
    doubting = make(url=door.url)
    doubting.send("y")
    assert doubting.flush(timeout_seconds=0.5)[-1].pending == 1
    assert "cannot be trusted" in capfd.readouterr().err
    assert len(door.asked) == 1
    doubting.close(0)
    with pytest.raises(OSError):
        make(url=door.url, ca_file=str(tmp_path / "none.pem"))
