"""``zero bench client``: what a call of a logger costs its thread, and how many records go through to their receipts."""

import gc
import logging
import logging.handlers
import queue
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import record
from bench.measure import say, spread
from bench.running import free_port
from bench.servers import Servers, servers, stop
from zero.client import ZeroHandler
from zero.settings import Address

CALLS = 19_000  # fewer than a batch, so that nothing goes out meanwhile
PACED_CALLS, PACED_GAP_SECONDS = 10_000, 0.0001
THROUGH = 400_000
FLUSH_SECONDS_MAX = 60.0
QUEUE_ENTRIES = 1_000_000


def run(runs: int) -> Path:
    """Measure, and write ``bench/results/client.json``."""
    with door() as url:
        say("client: cost of a call")
        costs = call_costs(url, runs)
        say("client: cost of a call at 10,000 a second, the sender beside it")
        paced = paced_cost(url)
        say("client: records through to their receipts")
        through = [went_through(url) for _ in range(runs + 1)][1:]
    return record.write("client", {"call_us": costs, "paced_call_us": paced, "through": together(through)})


@contextmanager
def door() -> Iterator[str]:
    """Start one ingest process over a buffer that fsyncs, nothing else; yield its URL."""
    port = free_port()
    with servers() as started:
        settings = replace(started.settings, ingest_http=Address("127.0.0.1", port), ingest_grpc=None)
        process = Servers(settings, started.folder).start("ingest")
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            stop(process)


def logger_of(handler: logging.Handler) -> logging.Logger:
    """Return a logger with this handler alone."""
    logger = logging.getLogger("bench.client")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.handlers[:] = [handler]
    return logger


def call_costs(url: str, runs: int) -> dict[str, Any]:
    """Return microseconds a call with each handler, in turns; the queue has room for all, and its reader waits.

    ``cpu`` is the processor time of the thread that logs: what is left of the figure on a machine with other work.
    """
    options: dict[str, Any] = {"queue_entries_max": QUEUE_ENTRIES, "batch_entries_max": 20_000, "flush_seconds": 3600.0}
    cases: dict[str, Callable[[], logging.Handler]] = {
        "null_handler": logging.NullHandler,
        "zero_handler": lambda: ZeroHandler(url=url, app_id="bench", **{**options, "batch_bytes_max": 8 << 20}),
        "queue_handler": lambda: logging.handlers.QueueHandler(queue.SimpleQueue()),
    }
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    for _ in range(max(5, runs)):
        for name, make in cases.items():
            handler = make()
            seen[name].append(_loop(logger_of(handler), CALLS))
            handler.flush()
            handler.close()
    floor = statistics.median(cpu for _, cpu in seen["null_handler"])
    return {
        name: {
            **spread([wall for wall, _ in values], 2),
            "cpu": (cpu := spread([used for _, used in values], 2)),
            "cpu_to_null_handler": round(cpu["median"] / floor, 2),
        }
        for name, values in seen.items()
    }


def _loop(logger: logging.Logger, calls: int) -> tuple[float, float]:
    gc.collect()
    began, used = time.perf_counter(), time.thread_time()
    for number in range(calls):
        logger.info("request %s took %d ms", "/cart", number)
    return (time.perf_counter() - began) / calls * 1e6, (time.thread_time() - used) / calls * 1e6


def paced_cost(url: str) -> dict[str, float]:
    """Return percentiles of single calls at a pace that an application may have, the sender at work beside it."""
    handler = ZeroHandler(url=url, app_id="bench", flush_seconds=0.2)
    logger, seen = logger_of(handler), []
    for number in range(PACED_CALLS):
        due = time.perf_counter() + PACED_GAP_SECONDS
        began = time.perf_counter_ns()
        logger.info("request %s took %d ms", "/cart", number)
        seen.append((time.perf_counter_ns() - began) / 1000)
        while time.perf_counter() < due:
            time.sleep(0)
    handler.flush(timeout_seconds=FLUSH_SECONDS_MAX)
    handler.close()
    ordered = sorted(seen)
    shares = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
    return {name: round(ordered[int(len(ordered) * share)], 2) for name, share in shares.items()}


def went_through(url: str) -> dict[str, float]:
    """Log as fast as it goes, wait for the last receipt, and account for every record."""
    handler = ZeroHandler(url=url, app_id="bench", overflow="block", block_seconds_max=FLUSH_SECONDS_MAX)
    logger = logger_of(handler)
    began, used = time.perf_counter(), time.process_time()
    for number in range(THROUGH):
        logger.info("request %s took %d ms", "/cart", number)
    logged = time.perf_counter() - began
    receipts = handler.flush(timeout_seconds=FLUSH_SECONDS_MAX)
    seconds = time.perf_counter() - began
    cpu = time.process_time() - used
    handler.close()
    accepted = handler.counters()["accepted"]
    return {
        "records_per_second": THROUGH / seconds,
        "call_us_under_load": logged / THROUGH * 1e6,
        "process_cpu_us_a_record": cpu / THROUGH * 1e6,
        "records_a_batch": THROUGH / max(1, len(receipts)),
        "lost": THROUGH - accepted,
    }


def together(runs: list[dict[str, float]]) -> dict[str, Any]:
    """Return the figures of several runs."""
    return {name: spread([each[name] for each in runs], 2) for name in runs[0]}
