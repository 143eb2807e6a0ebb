import gzip
import json
import os
import random
import socket
import threading

import pytest
from click.testing import CliRunner

from zero.cli import cli
from zero.cli import send as send_module
from zero.client.receipt import Receipt
from zero.client.uploader import Unreachable
from zero.infrastructure.codec.log_batch import read_log_batch


class Door:
    """Takes the place of the connection: keeps the batches, refuses messages that say so."""

    def __init__(self, options):
        self.batches, self.options = [], options
        Door.last = self

    def send(self, records):
        if records[0] == b'{"message":"cut"}':
            raise Unreachable("no receipt")
        self.batches.append(records)
        bad = [index for index, record in enumerate(records) if b"bad" in record]
        return Receipt(len(records) - len(bad), len(bad), [(index, "too bad") for index in bad])


@pytest.fixture
def send(monkeypatch, tmp_path):
    monkeypatch.setattr(send_module, "Uploader", Door)
    monkeypatch.chdir(tmp_path)

    def run(*arguments, **more):
        return CliRunner().invoke(cli, ["send", *arguments], **more)

    return run


def test_the_summary_counts_what_was_accepted(send, tmp_path):
    (tmp_path / "a.log").write_text("one\n" * 2500)
    found = send("a.log")
    assert found.exit_code == 0
    assert found.output.startswith("sent 2,500, accepted 2,500, rejected 0 in ")
    assert [len(batch) for batch in Door.last.batches] == [1000, 1000, 500]


def test_a_rejected_entry_is_named_by_file_and_line(send, tmp_path):
    (tmp_path / "a.log").write_text("one\n\nbad\n")
    found = send("a.log", "--batch", "1")
    assert found.exit_code == 1
    assert "rejected a.log:3: too bad" in found.output
    assert "sent 2, accepted 1, rejected 1 in" in found.output


def test_a_door_that_cannot_be_reached_has_an_exit_code_of_its_own(send):
    found = send("-", "--json", input="cut\n")
    assert found.exit_code == 3
    summary = json.loads(found.output)
    assert (summary["sent"], summary["problem"]) == (0, "no receipt")


def test_an_interrupted_run_says_how_far_it_came(send, monkeypatch, tmp_path):
    sent = Door.send

    def until_the_third(door, records):
        if len(door.batches) == 2:
            raise KeyboardInterrupt
        return sent(door, records)

    monkeypatch.setattr(Door, "send", until_the_third)
    (tmp_path / "a.log").write_text("one\n" * 2500)
    found = send("a.log")
    assert found.exit_code == 130
    assert "sent 2,000, accepted 2,000, rejected 0 in " in found.output and "zero: interrupted" in found.output


def test_a_file_that_is_not_there_is_named(send):
    found = send("absent.log")
    assert found.exit_code == 2
    assert "absent.log" in found.output


def test_a_gzip_that_ends_too_early_is_named(send, tmp_path):
    whole = gzip.compress(random.Random(1).randbytes(4096))
    (tmp_path / "cut.log.gz").write_bytes(whole[: len(whole) // 2])
    found = send("cut.log.gz")
    assert found.exit_code == 2
    assert "cut.log.gz: cut off or broken as gzip" in found.output


def test_a_batch_never_grows_beyond_what_the_door_takes(send, monkeypatch):
    monkeypatch.setattr(send_module, "_BATCH_BYTES_MAX", 1000)
    assert send("-", input=("x" * 400 + "\n") * 5).exit_code == 0
    assert [len(batch) for batch in Door.last.batches] == [2, 2, 1]


def test_what_standard_input_brings_is_sent_though_it_has_not_ended(send, monkeypatch):
    monkeypatch.setattr(send_module, "_LINGER_SECONDS", 0.1)
    reading, writing = os.pipe()

    def write():
        os.write(writing, b"one\n")
        one_was_sent.wait(10)
        os.write(writing, b"two\n")
        os.close(writing)

    one_was_sent, sent = threading.Event(), Door.send
    monkeypatch.setattr(Door, "send", lambda door, records: (sent(door, records), one_was_sent.set())[0])
    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb", closefd=False) as standard_input:
        assert send("-", input=standard_input).exit_code == 0
    os.close(reading)
    writer.join()
    assert [len(batch) for batch in Door.last.batches] == [1, 1]


def test_standard_input_that_cannot_be_read_is_told(send):
    found = send("-", "--message-column", "absent", input="a,b\n1,2\n")
    assert (found.exit_code, "has no column 'absent'" in found.output) == (2, True)


def test_a_closed_port_is_reported_as_unreachable(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    (tmp_path / "a.log").write_text("one\n")
    found = CliRunner().invoke(
        cli, ["send", str(tmp_path / "a.log"), "--url", f"http://127.0.0.1:{port}", "--retry-seconds", "0.1"]
    )
    assert found.exit_code == 3


def test_with_protobuf_the_entries_are_read_before_they_are_sent(send, tmp_path):
    (tmp_path / "a.ndjson").write_text('{"msg":"one","lvl":"warn","n":1}\n{"n":2}\n')
    assert send("a.ndjson", "--protobuf").exit_code == 0
    batch, foreseen = Door.last.options.encode(Door.last.batches[0])
    (entry,) = read_log_batch(batch)
    assert (entry.message, entry.level.name, entry.metadata, entry.source) == ("one", "WARN", {"n": 1}, "")
    assert (foreseen.accepted, foreseen.rejected, foreseen.errors[0][0]) == (1, 1, 1)


def test_with_protobuf_a_batch_that_cannot_be_read_is_rejected_with_the_reason(send, tmp_path):
    (tmp_path / "a.ndjson").write_text('{"msg":"one"}\n')
    send("a.ndjson", "--protobuf")
    batch, foreseen = Door.last.options.encode([b'{"msg":', b"{}"])
    assert (batch, foreseen.accepted, foreseen.rejected) == (b"", 0, 2)
