"""Ten searches over real log lines find what grep finds."""

import csv
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.search.conftest import LogStore, Reader
from zero.application.ports import Scope
from zero.domain.batch_id import batch_id
from zero.domain.entry import LogEntry
from zero.domain.stored import StoredEntry
from zero.infrastructure.lucene.parser import LuceneParser

LOGHUB = Path("/work/shared/data/loghub")
START_S = 1_795_341_600


@pytest.fixture(scope="module")
def lines(log_server: LogStore) -> list[str]:
    """The messages of every system, stored."""
    if not LOGHUB.is_dir():
        pytest.skip("the real log lines are not on this machine")
    if shutil.which("grep") is None:
        pytest.skip("there is no grep on this machine")
    log_server.empty("logs")
    every = []
    for number, path in enumerate(sorted(path for path in LOGHUB.glob("*.csv") if "templates" not in path.name)):
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            messages = [row["Content"].replace("\n", " ") for row in csv.DictReader(file)]
        identity = batch_id(START_S * 1000 + number, 1, 0)
        entries = (LogEntry(text, (START_S + at) * 10**9, app_id=path.stem) for at, text in enumerate(messages))
        log_server.store(StoredEntry(identity, at, entry) for at, entry in enumerate(entries))
        every += messages
    return every


def grep(lines: list[str], options: list[str]) -> int:
    """Return what ``grep -c`` counts."""
    argv = ["grep", "-c", *options]
    done = subprocess.run(argv, input="\n".join(lines), text=True, capture_output=True, check=False, env={"LC_ALL": "C"})
    return int(done.stdout)


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("error", ["-iw", "error"]),
        ('"No Route to Host"', ["-iF", "No Route to Host"]),
        ("blk_38865049064139660", ["-iF", "blk_38865049064139660"]),
        ("10.251.73.220", ["-iF", "10.251.73.220"]),
        ("connection", ["-iw", "connection"]),
        ("/etc", ["-iF", "/etc"]),
        ('"to host"', ["-iF", "to host"]),
        ("fail*", ["-iwE", "fail[0-9A-Za-z_]*"]),
        ("root", ["-iw", "root"]),
        ('"user="', ["-iF", "user="]),
    ],
)
async def test_a_search_counts_what_grep_counts(lines: list[str], reader: Reader, query: str, options: list[str]) -> None:
    counted = grep(lines, options)
    found = await reader.histogram(Scope("default", LuceneParser().parse(query, 0)), 3600)
    assert sum(tally.count for tally in found) == counted > 0
