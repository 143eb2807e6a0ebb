import json
import socket

import pytest
from click.testing import CliRunner

from zero.cli import cli
from zero.cli import send as send_module
from zero.client.sender import Receipt, Unreachable


class Door:
    """Takes the place of the connection: keeps the batches, refuses messages that say so."""

    def __init__(self, options):
        self.batches = []
        Door.last = self

    def send(self, records):
        if records[0] == b'{"message":"cut"}':
            raise Unreachable("no receipt")
        self.batches.append(records)
        bad = [index for index, record in enumerate(records) if b"bad" in record]
        return Receipt(len(records) - len(bad), len(bad), [(index, "too bad") for index in bad])


@pytest.fixture
def send(monkeypatch, tmp_path):
    monkeypatch.setattr(send_module, "Sender", Door)
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


def test_a_file_that_is_not_there_is_named(send):
    found = send("absent.log")
    assert found.exit_code == 2
    assert "absent.log" in found.output


def test_a_batch_never_grows_beyond_what_the_door_takes(send, monkeypatch):
    monkeypatch.setattr(send_module, "_BATCH_BYTES_MAX", 1000)
    assert send("-", input=("x" * 400 + "\n") * 5).exit_code == 0
    assert [len(batch) for batch in Door.last.batches] == [2, 2, 1]


def test_a_closed_port_is_reported_as_unreachable(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    (tmp_path / "a.log").write_text("one\n")
    found = CliRunner().invoke(
        cli, ["send", str(tmp_path / "a.log"), "--url", f"http://127.0.0.1:{port}", "--retry-seconds", "0.1"]
    )
    assert found.exit_code == 3
