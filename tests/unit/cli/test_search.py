"""``zero search`` and ``zero tail`` against the api over HTTP, its store in memory."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

from tests.patience import READY_SECONDS_MAX
from tests.unit.interfaces.api.conftest import Api
from zero.application.keys import KeyRequest
from zero.application.tail import Tail, TailOptions
from zero.cli import cli
from zero.cli.search import search
from zero.cli.tail import tail
from zero.domain.entry import Level
from zero.domain.key import KeyScope
from zero.infrastructure.system.clock import SystemClock
from zero.interfaces.api.options import ApiOptions
from zero.interfaces.api.server import serve


class Served(Api):
    """The api in a thread of its own, on a port of its own."""

    def __init__(self) -> None:
        super().__init__()
        services = self.services
        following = Tail(services.search, self.reader, SystemClock(), TailOptions(poll_seconds=0.02, load_max=1))
        self._services = replace(services, tail=following)
        self._options = ApiOptions(tail_heartbeat_seconds=0.05)
        self.port = 0
        self.start()

    def start(self) -> None:
        sock = socket.create_server(("127.0.0.1", self.port))
        self.port = sock.getsockname()[1]
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(sock, started)))
        self._thread.start()
        started.wait(10)

    async def _serve(self, sock: socket.socket, started: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        started.set()
        await self.keys.refresh()
        with sock:
            await serve(self._services, self._options, [sock], self._stop)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def run(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(READY_SECONDS_MAX)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def search(self, *arguments: str) -> Result:
        return CliRunner().invoke(search, ["--url", self.url, *arguments])


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


def test_found_logs_are_printed_newest_first(served: Served) -> None:
    served.store("older", 1, level=Level.WARN, app_id="web", metadata={"status": 500, "who": "a b"})
    served.store("newer", 2)
    result = served.search()
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "2026-11-22T10:00:02.000Z INFO  default newer",
        "2026-11-22T10:00:01.000Z WARN  web older status=500 who=a b",
    ]


def test_query_words_filters_and_times_are_passed_on(served: Served) -> None:
    served.store("error one", 1, app_id="web", level=Level.ERROR)
    served.store("error two", 2, app_id="web", level=Level.ERROR)
    served.store("error three", 3, app_id="db", level=Level.ERROR)
    result = served.search(
        "error",
        "NOT",
        "two",
        "--app",
        "web",
        "--level",
        "error",
        "--from",
        "2026-11-22T10:00:00Z",
        "--to",
        "2026-11-22T10:00:03Z",
    )
    assert re.findall(r"error \w+", result.output) == ["error one"]


@pytest.mark.parametrize("url", ["127.0.0.1:99999", "http://[::1", "http://a b", "ftp://a"])
def test_a_url_that_cannot_be_is_named(url: str) -> None:
    found = CliRunner().invoke(search, ["--url", url, "x"])
    assert (found.exit_code, found.stderr) == (2, f"error: {url!r} is not the URL of an api: write http://127.0.0.1:8080\n")


@pytest.mark.parametrize(("wish", "coloured"), [("", True), ("1", False)])
def test_colours_are_for_those_who_want_them(served: Served, wish: str, coloured: bool) -> None:
    served.store("served")
    for name in ("search", "patterns"):
        found = CliRunner().invoke(cli, [name, "--url", served.url], color=True, env={"NO_COLOR": wish})
        assert ("served" in found.stdout, "\x1b" in found.stdout) == (True, coloured)


def test_cursors_are_followed_up_to_the_limit_and_more_is_told(served: Served) -> None:
    for number in range(2500):
        served.store(f"m{number}", number)
    for limit, found, more in (("2300", 2300, True), ("2500", 2500, False), ("9999", 2500, False)):
        result = served.search("--limit", limit, "--json", "--app", "")
        assert (len(result.stdout.splitlines()), "there are more" in result.stderr) == (found, more)


def test_json_lines_hold_everything(served: Served) -> None:
    stored = served.store("multi\nline \x1b[2J\x9b31m é", metadata={"big": 2**63})
    output = served.search("--json").output
    assert len(output.splitlines()) == 1 and "\x1b" not in output and "\x9b" not in output
    log = json.loads(output)
    assert (log["id"], log["message"], log["metadata"]) == (stored.id, "multi\nline \x1b[2J\x9b31m é", {"big": 2**63})


def test_a_log_cannot_command_the_terminal(served: Served) -> None:
    served.store("a\x1b[2J\x1b]0;owned\x07b\x9b31mc\u202ed\r\ne\tf\x00", app_id="x\x1b[m", metadata={"k\x1bk": "v\nv"})
    output = served.search().output
    assert output == "2026-11-22T10:00:00.000Z INFO  x[m a[2J]0;ownedb31mcd↵e f kk=v↵v\n"


def test_nothing_found_is_exit_code_1(served: Served) -> None:
    result = served.search("nothing")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "fewer words" in result.stderr
    assert served.search("nothing", "--json").output == ""


def test_who_shows_no_key_is_told_where_it_is_set(served: Served) -> None:
    served.search()  # it is up, and has read that there are no keys

    async def make_a_key() -> None:
        await served.key_admin.create(KeyRequest("acme", frozenset({KeyScope.INGEST})), "test")
        await served.keys.refresh()

    served.run(make_a_key())
    result = served.search()
    assert result.exit_code == 2
    assert "an API key is needed" in result.stderr and "ZERO_API_KEY" in result.stderr


def test_a_mistake_in_the_query_is_pointed_at(served: Served) -> None:
    result = served.search('日本 "open')
    assert result.exit_code == 2
    assert result.stderr.splitlines()[1:] == ['  日本 "open', "       ^"]
    assert "quote opened here" in result.stderr


@pytest.mark.parametrize(
    "arguments", [("--from", "soon"), ("--level", "loud"), ("--limit", "0"), ("--url", "ftp://x"), ("--nonsense",)]
)
def test_a_wrong_option_is_exit_code_2(served: Served, arguments: tuple[str, ...]) -> None:
    result = served.search(*arguments)
    assert result.exit_code == 2 and result.stderr


def test_an_api_that_is_away_is_exit_code_3_with_what_to_do() -> None:
    for command in (search, tail):
        result = CliRunner().invoke(command, ["--url", "http://127.0.0.1:1"])
        assert result.exit_code == 3
        assert "zero up" in result.stderr and "--url" in result.stderr


def test_a_url_where_there_is_no_api_is_exit_code_2(served: Served) -> None:
    result = CliRunner().invoke(search, ["--url", f"{served.url}/elsewhere"])
    assert result.exit_code == 2 and "not found" in result.stderr


def test_a_failing_store_is_exit_code_3(served: Served) -> None:
    from zero.domain.errors import StoreUnavailable

    served.reader.failure = StoreUnavailable("the store is away")
    result = served.search()
    assert result.exit_code == 3 and "the store is away" in result.stderr


def wait_for(condition, what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_tail_follows_survives_a_restart_of_the_api_and_ends_with_ctrl_c(served: Served, tmp_path) -> None:
    output = tmp_path / "output"
    behind = SystemClock().now_ns() / 1e9 - served.clock.now_ns() / 1e9
    # A test run in the background of a shell ignores Ctrl-C, and so would its children.
    code = "import signal; signal.signal(2, signal.default_int_handler); from zero.cli.tail import tail; tail()"
    with output.open("w") as out, (tmp_path / "errors").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", code, "wanted", "--json", "--url", served.url],
            stdout=out,
            stderr=errors,
            env=os.environ,
        )
        try:
            index = 0

            def arrives(message: str) -> bool:
                nonlocal index
                index += 1
                served.store(f"wanted {message}", behind, index)
                served.store(f"other {message}", behind, index + 1_000_000)
                time.sleep(0.1)
                return message in output.read_text()

            wait_for(lambda: arrives("first"), "nothing arrived")
            served.close()
            served.start()
            wait_for(lambda: arrives("second"), "nothing arrived after the restart")
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
        finally:
            process.kill()
            process.wait()
    messages = [json.loads(line)["message"] for line in output.read_text().splitlines()]
    assert all(message.startswith("wanted") for message in messages)
    ids = [json.loads(line)["id"] for line in output.read_text().splitlines()]
    assert len(set(ids)) == len(ids)


def test_tail_points_at_a_mistake_in_the_query(served: Served) -> None:
    result = CliRunner().invoke(tail, ["--url", served.url, "(a"])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[1:] == ["  (a", "    ^"]
