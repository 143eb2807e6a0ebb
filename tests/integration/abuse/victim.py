"""A process under attack: what it costs in memory, and what others notice of it."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.patience import READY_SECONDS_MAX, hardly_noticed

MEMORY_MIB_MAX = 32
CALM_SECONDS = 0.5
GOOD_ANSWERS = {"post": 202, "get": 200, "grpc": 0}


class Victim:
    """Measures a process through /proc, and through a well-behaved client of the kind that asks its port."""

    def __init__(self, process_id: int, kind: str, port: int) -> None:
        self.port = port
        self._folder = Path(f"/proc/{process_id}")
        self._kind = kind
        self.p99_while(lambda: time.sleep(CALM_SECONDS))  # what is imported and allocated once is not the attack's
        self.forget_peak()

    def memory_mib(self, field: str = "VmRSS") -> float:
        lines = (self._folder / "status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024

    def forget_peak(self) -> None:
        (self._folder / "clear_refs").write_text("5")

    def calm_p99(self) -> float:
        return self.p99_while(lambda: time.sleep(CALM_SECONDS))

    def p99_while(self, act: Callable[[], object]) -> float:
        """Return the 99th percentile of the seconds that a well-behaved client waits meanwhile."""
        command = [sys.executable, str(Path(__file__).with_name("well_behaved.py")), self._kind, str(self.port)]
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert client.stdout is not None
            assert client.stdout.readline() == b"begun\n"
            act()
            found = json.loads(client.communicate(timeout=READY_SECONDS_MAX)[0])
        finally:
            client.kill()
            client.communicate()
        assert found["answers"] == [GOOD_ANSWERS[self._kind]]
        return float(found["p99"])

    def bears(self, attack: Callable[[], object], memory_mib_max: float = MEMORY_MIB_MAX) -> None:
        """Fail when the attack makes others wait, or costs too much memory: at its peak, beyond the peak of before."""
        before = self.memory_mib("VmHWM")
        hardly_noticed(self.calm_p99, lambda: self.p99_while(attack))
        grown = self.memory_mib("VmHWM") - before
        self.forget_peak()
        assert grown <= memory_mib_max, f"+{grown:.0f} MiB"
