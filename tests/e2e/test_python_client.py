"""The client in applications as they run: gunicorn, forks, exits, outages, on a whole platform; what is stored is counted."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.e2e.test_up import Platform, child_pids
from tests.patience import READY_SECONDS_MAX, soon
from tests.ports import free_port
from zero.client import Sender

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")]
PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
BLOCKS = re.findall(r"^```python(.*)\n((?:.*\n)*?)```$", PAGE, re.MULTILINE)
AROUND = {
    " asgi": "from fastapi.testclient import TestClient\n"
    "@app.get('/cart')\ndef cart():\n    return 'stock is low'\n"
    "TestClient(app).get('/cart?secret=1', headers={'X-Request-ID': 'r-1'})\n",
    " wsgi": "from wsgiref.util import setup_testing_defaults\n"
    "environ = {'PATH_INFO': '/cart', 'QUERY_STRING': 'secret=1'}\nsetup_testing_defaults(environ)\n"
    "body = application(environ, lambda *_: None)\nlist(body)\nbody.close()\n",
}
"""What a block that serves needs to be asked once."""


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    running = Platform(tmp_path_factory.mktemp("client"))
    running.environment["ZERO_INGEST_WORKERS"] = "1"
    running.up()
    yield running
    assert running.stop() == 0, running.said()


@pytest.fixture
def mark():
    return f"mark{time.time_ns()}"


def stored(platform, query, limit=1000):
    return platform.get(f"/api/logs?limit={limit}&q={query}")["logs"]


def run(program, *arguments, code=0, **environment):
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(program), *map(str, arguments)]
    known = {name: value for name, value in os.environ.items() if not name.startswith("ZERO_")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**known, **environment})
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_examples_of_the_page_run_and_what_they_log_is_found(platform, mark, number):
    kind, text = BLOCKS[number]
    text += AROUND.get(kind, "")
    run(re.sub("stock is low|/cart", rf"\g<0>-{mark}", text).replace("http://127.0.0.1:4318", platform.ingest))
    soon(lambda: stored(platform, mark))
    (log,) = stored(platform, mark)
    assert log["app_id"] == "shop"
    assert "secret" not in str(log)


START = """
import logging, os, sys
from zero.client import ZeroHandler
handler = ZeroHandler(url=sys.argv[1], app_id="shop", exit_seconds_max=60)
log = logging.getLogger(); log.setLevel("INFO"); log.addHandler(handler)
mark = sys.argv[2]
"""


def test_what_is_flushed_until_stored_is_found_at_once_and_counted(platform, mark):
    sender = Sender(url=platform.ingest, app_id="shop", batch_entries_max=100)
    for number in range(450):
        sender.send(f"{mark} {number}")
    receipts = sender.flush(wait_for="stored", timeout_seconds=READY_SECONDS_MAX)
    assert sum(receipt.accepted for receipt in receipts) == 450
    assert {receipt.ack for receipt in receipts} <= {"stored", "durable"}
    soon(lambda: len(stored(platform, mark)) >= 450)
    assert len(stored(platform, mark)) == 450
    sender.close()


def test_the_end_of_the_interpreter_flushes_what_was_logged_until_the_last_moment(platform, mark):
    run(
        START + "import atexit\n"
        "atexit.register(lambda: log.info('%s at exit', mark))\n"
        "log.info('%s before', mark)\n"
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    log.exception('%s failed', mark)\n"
        "sys.exit(3)",
        platform.ingest,
        mark,
        code=3,
    )
    soon(lambda: len(stored(platform, mark)) == 3)


FORKS = (
    START
    + """
log.info("%s parent before", mark)
children = []
for number in range(3):
    pid = os.fork()
    if pid == 0:
        log.info("%s child %d", mark, number)
        grandchild = os.fork()
        if grandchild == 0:
            log.info("%s grandchild %d", mark, number)
            sys.exit(0)
        os.waitpid(grandchild, 0)
        sys.exit(0)
    children.append(pid)
log.info("%s parent after", mark)
codes = [os.waitpid(pid, 0)[1] for pid in children]
sys.exit(any(codes))
"""
)


def test_forks_at_any_depth_send_each_what_they_logged_and_only_that(platform, mark):
    run(FORKS, platform.ingest, mark)
    soon(lambda: len(stored(platform, mark)) >= 8)
    messages = [log["message"] for log in stored(platform, mark)]
    assert len(messages) == len(set(messages)) == 8


POOL = (
    START
    + """
import multiprocessing
def work(number):
    log.info("%s work %d", mark, number)
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    log.info("%s main", mark)
    workers = [context.Process(target=work, args=(number,)) for number in range(4)]
    for worker in workers: worker.start()
    for worker in workers: worker.join()
"""
)


def test_children_of_multiprocessing_flush_although_they_end_without_atexit(platform, mark):
    run(POOL, platform.ingest, mark)
    soon(lambda: len(stored(platform, mark)) >= 5)
    assert len({log["message"] for log in stored(platform, mark)}) == len(stored(platform, mark)) == 5


APP = """
import logging, os
from zero.client import Sender, ZeroHandler, ZeroWsgiMiddleware
sender = Sender(url=os.environ["URL"], app_id="shop", exit_seconds_max=60)
log = logging.getLogger("shop"); log.setLevel("INFO"); log.addHandler(ZeroHandler(sender=sender))
log.info("%s loaded", os.environ["MARK"])
def shop(environ, start_response):
    log.info("%s request %s", os.environ["MARK"], environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
application = ZeroWsgiMiddleware(shop, sender)
"""


@pytest.mark.parametrize(("worker", "preload"), [("sync", True), ("sync", False), ("gthread", True)])
def test_gunicorn_loses_and_doubles_nothing(platform, mark, tmp_path, worker, preload):
    (tmp_path / "shop.py").write_text(APP)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-w", "2", "-k", worker, "--threads", "2"]
    command += ["--max-requests", "12", "--no-control-socket", *(["--preload"] if preload else []), "shop:application"]
    if worker == "sync":
        command[command.index("--threads") : command.index("--threads") + 2] = []
    environment = {**os.environ, "URL": platform.ingest, "MARK": mark, "PYTHONDONTWRITEBYTECODE": "1"}
    with (tmp_path / "gunicorn.log").open("w") as output:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=output, stderr=output)
    try:
        done = 0
        deadline = time.monotonic() + READY_SECONDS_MAX
        while done < 40:
            try:
                with urlopen(f"http://127.0.0.1:{port}/{done}", timeout=30) as answer:
                    assert answer.read() == b"ok"
                done += 1
            except OSError:
                assert time.monotonic() < deadline, (tmp_path / "gunicorn.log").read_text()
                time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(READY_SECONDS_MAX)
    soon(lambda: len(stored(platform, f"{mark}%20request")) >= 40, (tmp_path / "gunicorn.log").read_text())
    requests = [log["message"] for log in stored(platform, f"{mark}%20request")]
    assert len(requests) == len(set(requests)) == 40
    soon(lambda: len(stored(platform, f"{mark}%20loaded")) >= (1 if preload else 2))
    assert (len(stored(platform, f"{mark}%20loaded")) == 1) is preload


OUTAGE = (
    START.replace("exit_seconds_max=60", "exit_seconds_max=60, spool=sys.argv[3], batch_entries_max=200, timeout_seconds=2")
    + """
for number in range(20_000):
    log.info("%s %05d", mark, number)
    if number % 20 == 0:
        import time; time.sleep(0.004)
handler.flush(timeout_seconds=60)
counters = handler.counters()
assert not any(counters[name] for name in ("gave_up", "refused", "rejected", "dropped_oldest", "spool_full")), counters
print(counters)
"""
)


def test_a_door_that_dies_and_returns_under_load_loses_and_doubles_nothing(platform, mark, tmp_path):
    command = [sys.executable, "-c", OUTAGE, platform.ingest, mark, str(tmp_path / "spool")]
    application = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    kills = 0
    while application.poll() is None and kills < 4:
        time.sleep(0.7)
        for pid in child_pids(platform, "ingest"):
            os.kill(pid, signal.SIGKILL)
            kills += 1
    said, told = application.communicate(timeout=120)
    assert application.returncode == 0, told
    assert kills
    spool = tmp_path / "spool"
    if spool.exists() and list(spool.glob("*.batch")):  # the next start of the application sends the rest
        again = START.replace("exit_seconds_max=60", "exit_seconds_max=60, spool=sys.argv[3]")
        run(again + "handler.flush()", platform.ingest, mark, spool)
    soon(lambda: counted(platform, mark) >= 20_000, f"{said} {told}")
    assert counted(platform, mark) == 20_000


def counted(platform, mark):
    """How many rows hold the mark."""
    buckets = platform.get(f"/api/histogram?q={mark}")["buckets"]
    return sum(sum(bucket["levels"].values()) for bucket in buckets)
