"""What is written, and what a library may not say beside it."""

import json
import logging
import subprocess
import sys

import pytest

from zero.infrastructure.telemetry.log_lines import LineFormatter

SCRIPT = """
import logging
from zero.infrastructure.telemetry.log_lines import write_log_lines
write_log_lines("text", "info", "drain")
logging.getLogger("urllib3.connectionpool").warning("Retrying")
logging.getLogger("zero").info("lease taken")
"""


def test_a_library_does_not_repeat_what_an_event_says():
    lines = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].endswith('level=info role=drain event="lease taken"')


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_character_of_a_value_is_obeyed_by_who_shows_the_line(form):
    hostile = "a\x1b[2Jb\x9b2Jc\x85d\u2028e\u202ef\u061cg\U000e0041h\ni é"
    record = logging.makeLogRecord({"msg": "key refused", "fields": {"reason": hostile}})
    line = LineFormatter(form, "api").format(record)
    assert line.isprintable() and "é" in line
    value = json.loads(line)["reason"] if form == "json" else json.loads(line.partition("reason=")[2])
    assert value == hostile
