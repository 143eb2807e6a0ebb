"""Fuzz every target in turn until so many executions are reached in all; can be stopped and goes on from there.

Run as ``python -m tests.fuzz.long_run EXECUTIONS [SECONDS]``; SECONDS ends it earlier. What was found and counted lies in
``build/fuzz``. Ends with exit code 1 at the first crash, and names the file that holds its input.
"""

import json
import os
import re
import subprocess
import sys
import time

from tests.fuzz.programs import ROOT, TARGETS, build, fuzz_command

KEPT = ROOT / "build" / "fuzz"
COUNTS = KEPT / "executions.json"
SLICE_SECONDS = 50
SHORT_BYTES, LONG_BYTES = 512, 16_384
LONG_EVERY = 6
"""Most rounds try short inputs, which run fast; every sixth tries inputs that pass the first blocks and limits."""
QUARANTINE = "quarantine_size_mb=16"
"""AddressSanitizer's, which is 256 by default: what was freed falls out of the processor's cache."""


def counts() -> dict[str, int]:
    """Return the executions of each target so far."""
    return json.loads(COUNTS.read_text()) if COUNTS.exists() else dict.fromkeys(TARGETS, 0)


def fuzz(target: str, round_: int) -> int:
    """Fuzz for one slice; return the number of executions. Exits at a crash."""
    corpus, crashes = KEPT / "corpus" / target, KEPT / "crashes"
    for folder in (corpus, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    longest = LONG_BYTES if round_ % LONG_EVERY == LONG_EVERY - 1 else SHORT_BYTES
    command = [*fuzz_command(target, corpus, crashes, SLICE_SECONDS), f"-max_len={longest}"]
    environment = os.environ | {"ASAN_OPTIONS": QUARANTINE}
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment)
    if done.returncode != 0:
        sys.exit(f"{target} ends with {done.returncode}\n{done.stderr[-6000:]}\nThe input lies in {crashes}.")
    (found,) = re.findall(r"stat::number_of_executed_units: (\d+)", done.stderr)
    return int(found)


def table(found: dict[str, int]) -> str:
    lines = [f"| {target} | {found[target]:,} |" for target in sorted(found)]
    return "\n".join(["| target | executions |", "|---|---:|", *lines, f"| **all** | **{sum(found.values()):,}** |"])


def main() -> None:
    wanted, until = int(sys.argv[1]), time.monotonic() + float([*sys.argv, "inf"][2])
    build()
    found = dict.fromkeys(TARGETS, 0) | counts()
    rounds_file = KEPT / "rounds"
    rounds = int(rounds_file.read_text()) if rounds_file.exists() else 0
    while sum(found.values()) < wanted and time.monotonic() < until:
        target = TARGETS[rounds % len(TARGETS)]
        found[target] += fuzz(target, rounds // len(TARGETS))
        rounds += 1
        COUNTS.write_text(json.dumps(found))
        rounds_file.write_text(str(rounds))
        print(f"{target}: {found[target]:,} of {sum(found.values()):,}", flush=True)
    print(table(found))


if __name__ == "__main__":
    main()
