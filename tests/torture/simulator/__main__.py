"""Run seeds of the drain simulator: ``python -m tests.torture.simulator --seed N`` or ``--seeds N [--first N]``."""

import argparse
import sys
import time

from tests.torture.simulator.scenario import run_seed


def main() -> int:
    """Run, print what is wrong, and return 1 if anything is."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture.simulator", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one and show what happened")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1000)
    options = parser.parse_args()
    seeds = [options.seed] if options.seed is not None else range(options.first, options.first + options.seeds)
    start, failed, rows, steps = time.perf_counter(), 0, 0, 0
    for seed in seeds:
        verdict = run_seed(seed)
        rows, steps = rows + verdict.rows, steps + verdict.steps
        if verdict.problems or options.seed is not None:
            print(f"seed {seed}: {len(verdict.problems)} problems, {dict(verdict.events)}")
            print(*(f"  {problem}" for problem in verdict.problems[:20]), sep="\n")
        failed += bool(verdict.problems)
    seconds = time.perf_counter() - start
    print(f"{len(seeds)} seeds, {failed} failed, {rows} rows, {steps} steps, {len(seeds) / seconds:.0f} seeds/s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
