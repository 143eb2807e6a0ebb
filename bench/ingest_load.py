"""The ingest side alone: workers that share a port, an embedded Valkey that fsyncs before it answers, and wrk.

    python -m bench.ingest_load                  # single entries with 64 and 256 connections, batches of 1,000 with 64
    python -m bench.ingest_load --serve --port 4318  # only serve, for a load generator of your own

Nothing drains the buffer here: this measures from the first byte to the acknowledgement. ``zero bench ingest`` measures until
stored and searchable.
"""

import argparse
import asyncio
import multiprocessing
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import uvloop

from bench import corpus
from bench.load import Load, wrk
from zero.application.events import Event
from zero.application.ingest import Ingest
from zero.application.key_ring import KeyRing
from zero.application.readiness import Readiness
from zero.embedded.valkey import ValkeyOptions, prepare
from zero.infrastructure.codec.decompress import BoundedDecompressor
from zero.infrastructure.native.codec import NativeCodec
from zero.infrastructure.redis.buffer import RedisBuffer
from zero.infrastructure.redis.key_store import RedisKeyStore
from zero.infrastructure.redis.options import RedisOptions
from zero.infrastructure.system.clock import SystemClock
from zero.interfaces.ingest_http.options import IngestHttpOptions
from zero.interfaces.ingest_http.server import IngestServices, bind, serve

SECONDS = 6
BUFFER_BYTES = 3 * 512 * 1024 * 1024  # what is sent in SECONDS, undrained, with room to spare


class Share(NamedTuple):
    """What one worker did: peak memory in KiB, seconds of processor time, requests, flushes."""

    peak: int
    seconds: float
    requests: int
    flushes: int


class Flushes:
    """Telemetry that counts flushes and what they carried."""

    def __init__(self) -> None:
        self.flushes = self.requests = 0

    def emit(self, event: Event) -> None:
        if event.name == "ingest_flush":
            self.flushes += 1
            self.requests += event.requests  # type: ignore[attr-defined]


def worker(url: str, port: int, report: Connection) -> None:
    """Serve until SIGTERM, then report."""
    flushes = Flushes()

    async def main() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        buffer = RedisBuffer(RedisOptions(url))
        codec, clock = NativeCodec(), SystemClock()
        ingest = Ingest(codec, buffer, clock, flushes)
        keys = KeyRing(RedisKeyStore(RedisOptions(url)), clock, flushes)
        await keys.start()
        services = IngestServices(ingest, codec, BoundedDecompressor(), Readiness(buffer), bytes, flushes, keys)
        sock = bind("127.0.0.1", port)
        report.send("listening")
        async with ingest.running(2.0):
            await serve(services, IngestHttpOptions(), [sock], stop)
        await keys.close()
        await buffer.close()

    begun = time.process_time()
    uvloop.run(main())
    used = resource.getrusage(resource.RUSAGE_SELF)
    report.send(Share(peak_kib(), used.ru_utime + used.ru_stime - begun, flushes.requests, flushes.flushes))


def peak_kib() -> int:
    """Return the peak memory of this process; the figure of getrusage would start with that of the process that started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1])


@contextmanager
def serving(port: int, workers: int, folder: Path) -> Iterator[list[Connection]]:
    """Start the buffer and the workers; stop them afterwards."""
    command = prepare(ValkeyOptions(folder, memory_max_bytes=BUFFER_BYTES))
    valkey = subprocess.Popen(command.argv, stdout=subprocess.DEVNULL)
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe(duplex=False) for _ in range(workers)]
    processes = [context.Process(target=worker, args=(command.url, port, ours)) for _, ours in pipes]
    try:
        while not command.socket.is_socket():
            time.sleep(0.05)
        for process in processes:
            process.start()
        for ends, _ in pipes:
            ends.recv()
        yield [ends for ends, _ in pipes]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(15)
        valkey.terminate()
        valkey.wait(15)


def measure(name: str, bodies: list[bytes], entries_each: int, connections: int, options: argparse.Namespace) -> None:
    """Run one load on fresh servers and print its figures."""
    with tempfile.TemporaryDirectory() as folder:
        with serving(options.port, options.workers, Path(folder)) as reports:
            result = wrk(f"http://127.0.0.1:{options.port}", Load(bodies, entries_each, connections), options.seconds)
        shares: list[Share] = [report.recv() for report in reports]
    requests = sum(share.requests for share in shares)
    rate = result.per_second
    print(
        f"{name}, {connections} connections: {rate:,.0f} requests/s, {rate * entries_each:,.0f} entries/s, "
        f"p50 {result.latency['p50_ms']:.1f} ms, p99 {result.latency['p99_ms']:.1f} ms, refused {result.refused}, "
        f"errors {result.errors}, peak {max(share.peak for share in shares) / 1024:.0f} MiB a worker, "
        f"{requests / sum(share.flushes for share in shares):.0f} requests a flush, "
        f"{sum(share.seconds for share in shares) / requests * 1e6:.1f} us of workers' CPU a request",
        flush=True,
    )


def main() -> None:
    """Run the loads, or only serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--port", type=int, default=4399)
    parser.add_argument("--serve", action="store_true", help="serve until Ctrl-C")
    options = parser.parse_args()
    if options.serve:
        with tempfile.TemporaryDirectory() as folder, serving(options.port, options.workers, Path(folder)):
            signal.pause()
    entries = corpus.lines(None, 64_000)
    batches = [b"\n".join(entries[start : start + 1000]) for start in range(0, len(entries), 1000)]
    measure("single entries", entries[:1000], 1, 64, options)
    measure("single entries", entries[:1000], 1, 256, options)
    measure("batches of 1,000", batches, 1000, 64, options)


if __name__ == "__main__":
    main()
