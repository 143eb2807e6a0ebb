"""Benchmarks, run from a clone with ``zero bench``. Each writes what it measured to ``bench/results``."""
