"""What is written, and what a library may not say beside it."""

import subprocess
import sys

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
