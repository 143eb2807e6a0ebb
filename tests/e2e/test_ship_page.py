"""``docs/ship.md`` as it stands: what can run here runs, and what it ships is found; the rest can at least be parsed."""

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.conftest import Shipping
from tests.patience import READY_SECONDS_MAX

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ship.md").read_text()
MODES = ("plain", "secure")
PORTS = {"4317": "ZERO_INGEST_GRPC", "4318": "ZERO_INGEST_HTTP", "5514": "ZERO_SYSLOG_TCP", "6514": "ZERO_SYSLOG_TLS"}
RUNS, MESSAGE = "runs it", "stock is low"
RSYSLOGD = shutil.which("rsyslogd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
NEEDED = {"curl": "curl", "rsyslog": "rsyslog-gnutls", "rsyslog to bulk": "rsyslog-elasticsearch", "logger": "bsdutils"}
"""Sections → the Debian package that their blocks need."""
MODULES = {"rsyslog": "lmnsd_gtls.so", "rsyslog to bulk": "omelasticsearch.so"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what else stands behind the fence, and what is in it."""

    section: str
    language: str
    words: tuple[str, ...]
    text: str

    def word(self, name: str) -> str:
        """Return the value of ``name=value`` behind the fence, or ''."""
        return dict(word.split("=", 1) for word in self.words if "=" in word).get(name, "")


def read_page() -> Iterator[Block]:
    fence = re.compile(r"^```(\S+)(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        for language, more, text in fence.findall(section):
            yield Block(section.splitlines()[0], language, tuple(more.split()), text)


BLOCKS = tuple(read_page())
RUNNABLE = [(name, mode) for name in dict.fromkeys(block.section for block in BLOCKS) for mode in MODES]
RUNNABLE = [(name, mode) for name, mode in RUNNABLE if any(block.section == name and mode in block.words for block in BLOCKS)]
FILES = [block for block in BLOCKS if not set(MODES) & set(block.words) and not block.word("file")]


class Desk:
    """A folder with what the page takes for granted, beside a running platform."""

    def __init__(self, platform: Shipping, folder: Path) -> None:
        self.platform, self.folder = platform, folder
        self.mark = f"mark{time.time_ns()}"
        self._stack = ExitStack()
        (folder / "proto").symlink_to(ROOT / "proto")
        (folder / "zero-data").symlink_to(platform.folder / "zero-data")
        programs = folder / "bin"
        programs.mkdir()
        (programs / "zero").write_text(f'#!/bin/sh\nexec {sys.executable} -P -m zero "$@"\n')
        # Without the site module it has the packages of the environment, but not zero: the interpreter of another application.
        (programs / "python").write_text(
            f'#!/bin/sh\nPYTHONPATH={sysconfig.get_path("purelib")} exec {sys.executable} -S "$@"\n'
        )
        for program in programs.iterdir():
            program.chmod(0o755)
        known = {name: value for name, value in platform.environment.items() if not name.startswith("ZERO_")}
        self.environment = known | {
            "PATH": f"{programs}:{known['PATH']}",
            "ZERO_API_KEY": platform.keys.get("acme ingest", ""),
            "OTEL_EXPORTER_OTLP_TIMEOUT": str(int(READY_SECONDS_MAX)),  # a second try would ship twice
        }

    def adapted(self, text: str) -> str:
        """Return the text with the ports and the CA of this run, and a message that no other has."""
        text = text.replace("/etc/zero/ca.pem", str(self.platform.ca)).replace(MESSAGE, f"{MESSAGE}, {self.mark}")
        return re.sub(rf"\b({'|'.join(PORTS)})\b", lambda port: str(self.platform.port(PORTS[port[0]])), text)

    def run(self, block: Block) -> None:
        text = self.adapted(block.text)
        if block.word("file"):
            (self.folder / block.word("file")).write_text(text)
        elif block.language == "rsyslog":
            self._forward(text)
        else:
            (self.folder / "script.py").write_text(text)
            command = ["sh", "-e", "-c", text] if block.language == "sh" else [self.folder / "bin" / "python", "script.py"]
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=READY_SECONDS_MAX,
            )
            assert done.returncode == 0, done.stdout + done.stderr

    def _forward(self, text: str) -> None:
        """Start an rsyslogd with the actions of the page, and log one line to it."""
        socket, config = self.folder / "log.sock", self.folder / "rsyslog.conf"
        config.write_text(
            f'global(workDirectory="{self.folder}" net.enableDNS="off")\n'
            'module(load="imuxsock" SysSock.Use="off")\n'
            f'input(type="imuxsock" Socket="{socket}" RateLimit.Interval="0" UsePIDFromSystem="off")\n{text}'
        )
        command = [str(RSYSLOGD), "-n", "-f", config, "-i", self.folder / "rsyslog.pid"]
        said = self._stack.enter_context((self.folder / "rsyslog.log").open("w"))
        daemon = subprocess.Popen(command, env=self.environment, cwd=self.folder, stdout=said, stderr=said)
        self._stack.callback(daemon.wait, READY_SECONDS_MAX)
        self._stack.callback(daemon.terminate)
        self.platform.until(socket.exists, READY_SECONDS_MAX)
        log = ["logger", "--socket", socket, "--tag", "shop", "--priority", "user.warning", self.adapted(MESSAGE)]
        subprocess.run(log, check=True, timeout=READY_SECONDS_MAX)

    def close(self) -> None:
        self._stack.close()

    def found(self) -> list[dict[str, Any]]:
        """Return the logs of this desk."""
        trusted = ssl.create_default_context(cafile=self.platform.ca) if self.platform.keys else False
        url = f"{'https' if trusted else 'http'}://localhost:{self.platform.port('ZERO_API')}/api/logs"
        headers = {"X-API-Key": self.platform.keys["acme query"]} if trusted else {}
        answer = httpx.get(
            url, params={"q": self.mark, "limit": "1000"}, headers=headers, verify=trusted, timeout=READY_SECONDS_MAX
        )
        assert answer.status_code == 200, answer.text
        return list(answer.json()["logs"])

    def until_found(self, count: int) -> None:
        """Wait until so many are found; more are one too many, and all have to be as the page says."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        while len(found := self.found()) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} are found"
            time.sleep(0.05)
        assert len(found) == count
        parts = [{name: log[name] for name in ("app_id", "level", "message")} for log in found]
        assert parts == [{"app_id": "shop", "level": "WARN", "message": self.adapted(MESSAGE)}] * count


def lacks(section: str) -> bool:
    if section in MODULES:
        return RSYSLOGD is None or not list(Path("/usr/lib").glob(f"*/rsyslog/{MODULES[section]}"))
    return section in NEEDED and not shutil.which(section)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize(("section", "mode"), RUNNABLE, ids=[" ".join(pair) for pair in RUNNABLE])
def test_the_blocks_of_a_section_ship_what_is_found(
    request: pytest.FixtureRequest, tmp_path: Path, section: str, mode: str
) -> None:
    if lacks(section):
        pytest.skip(f"its program is not installed (Debian: apt-get install {NEEDED[section]})")
    found = 0
    with closing(Desk(request.getfixturevalue(mode), tmp_path)) as desk:
        for block in BLOCKS:
            if block.section == section and (mode in block.words or block.word("file")):
                desk.run(block)
                found += int(block.word("finds") or 0)
                desk.until_found(found)
        assert found


@pytest.mark.parametrize("block", FILES, ids=[f"{block.section} {number}" for number, block in enumerate(FILES)])
def test_a_file_of_the_page_can_be_parsed_and_names_our_ports(block: Block) -> None:
    text = block.text
    if block.language == "yaml":
        documents = list(yaml.safe_load_all(text))
        assert documents
        assert all(isinstance(document, dict) for document in documents)
        for embedded in configurations(documents):
            assert isinstance(yaml.safe_load(embedded), dict)
    elif block.language == "toml":
        assert tomllib.loads(text)
    elif block.language == "json":
        assert json.loads(text)
    else:
        assert block.language in ("alloy", "ruby")
        without_text = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
        assert '"' not in without_text
        assert paired(without_text)
    assert any(port in text for port in PORTS)
    assert ("/etc/zero/ca.pem" in text) == ("localhost" in text.replace("[localhost]", "") or "zero.logging.svc" in text)


def configurations(documents: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the files within the ConfigMaps among the documents."""
    for document in documents:
        if document.get("kind") == "ConfigMap":
            yield from document["data"].values()


def paired(text: str) -> bool:
    """Say whether every bracket has its other."""
    while text != (text := re.sub(r"\([^()\[\]{}]*\)|\[[^()\[\]{}]*\]|\{[^()\[\]{}]*\}", "", text)):
        pass
    return not set(text) & set("()[]{}")


def test_the_table_says_of_each_section_what_a_test_does_with_it() -> None:
    rows = re.findall(r"^\| \[(.+?)\]\(#.+?\) \|.*\| (.+?) \|$", PAGE, re.MULTILINE)
    run = {section for section, _ in RUNNABLE}
    assert dict(rows) == {block.section: RUNS if block.section in run else "reads the files" for block in BLOCKS}
    links = re.findall(r"^\| \[(.+?)\]\((#.+?)\)", PAGE, re.MULTILINE)
    assert all(link == "#" + name.lower().replace(" ", "-") for name, link in links)
    assert all(block.word("finds") for block in BLOCKS if set(MODES) & set(block.words) and MESSAGE in block.text)
