"""A sender goes on after what seems to end it: a configuration of logging, a thread that could not be started."""

import logging
import subprocess
import sys
import threading

from tests.patience import soon
from zero.client import Sender, ZeroHandler

CONFIGURED_LATER = """
import logging, logging.config, sys
from zero.client import ZeroHandler
root = logging.getLogger()
root.setLevel("INFO")
root.addHandler(ZeroHandler(url=sys.argv[1], exit_seconds_max=30))
logging.info("before")
logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
logging.info("after dictConfig")
try:
    import uvicorn
except ImportError:
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
else:
    uvicorn.Config(None)
logging.info("after uvicorn")
"""


def test_a_handler_that_logging_closed_sends_on_and_its_rest_is_sent_at_the_end(door):
    done = subprocess.run([sys.executable, "-c", CONFIGURED_LATER, door.url], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [entry["message"] for entry in door.entries()] == ["before", "after dictConfig", "after uvicorn"]


def test_counters_and_receipts_go_on_after_a_close_and_a_hanging_try_is_left_alone(door, capfd):
    handler = ZeroHandler(url=door.url, exit_seconds_max=30, report_seconds=0)
    record = logging.makeLogRecord({"msg": "x"})
    try:
        handler.emit(record)
        handler.flush()
        door.hold.clear()
        handler.emit(record)
        soon(lambda: len(door.asked) == 2)
        handler.sender.close(0.05)
        assert handler.counters()["gave_up"] == 1
        handler.emit(record)
        door.hold.set()
        handler.flush()
        counters = handler.counters()
        assert (counters["accepted"], counters["gave_up"], counters["dropped_newest"]) == (2, 1, 0)
        assert len(door.entries()) == 3
    finally:
        door.hold.set()
        handler.close()


def test_a_sender_that_its_owner_closed_stays_closed_for_the_handlers_that_share_it(door):
    sender = Sender(url=door.url)
    handler = ZeroHandler(sender=sender)
    sender.close()
    handler.emit(logging.makeLogRecord({"msg": "x"}))
    assert sender.counters()["dropped_newest"] == 1


def test_a_thread_that_could_not_be_started_is_started_later_and_told_of(door, monkeypatch, capfd):
    sender = Sender(url=door.url, exit_seconds_max=30, flush_seconds=0.01)
    start, failures = threading.Thread.start, [RuntimeError("can't start new thread")]

    def failing(thread):
        if thread.name == "zero.client" and failures:
            raise failures.pop()
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", failing)
    monkeypatch.setattr("zero.client.sender._START_PAUSE_SECONDS", 0.1)
    try:
        sender.send("first")
        assert "nothing is sent until a thread can be started: can't" in capfd.readouterr().err

        def sent():
            sender.send("later")
            return door.asked

        soon(sent)
        assert door.entries()[0]["message"] == "first"
    finally:
        sender.close()
