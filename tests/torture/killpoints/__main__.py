"""``python -m tests.torture.killpoints FOLDER FIRST COUNT``: run kill points; prints a JSON line for each.

In a process of its own: it forks, waits for every child there is, and must not have the engine loaded.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from tests.torture.killpoints.sweep import Sweep


def main(folder: str, first: str, count: str) -> None:
    """Run the points."""
    sweep = Sweep(Path(folder))
    try:
        for number in range(int(first), int(first) + int(count)):
            print(json.dumps(asdict(sweep.run(number))), flush=True)
    finally:
        sweep.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
