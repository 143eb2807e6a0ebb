"""How many frames a second the buffer takes, fsynced before each reply, and what an append costs the client.

    python -m bench.buffer [--seconds 3] [--url URL]

Cases: one append at a time, 16 appends under way, and the latter from two processes; frames of 400 bytes and of 20 KB.
``client_us`` is the CPU time of the calling process for one ``append`` call. Without --url an embedded Valkey is started.
"""

import argparse
import asyncio
import json
import multiprocessing
import subprocess
import tempfile
import time
from pathlib import Path

import redis
import uvloop

from zero.application.ports import Append
from zero.embedded.valkey import ValkeyOptions, prepare
from zero.infrastructure.redis import RedisBuffer, RedisOptions

FRAME_BYTES = (400, 20_000)


async def append_for(url: str, shard: int, frame_bytes: int, concurrency: int, seconds: float) -> dict[str, float]:
    """Append until the time is over; return calls a second and CPU microseconds for one call."""
    buffer = RedisBuffer(RedisOptions(url, shards=2))
    append = [Append(shard, b"x" * frame_bytes, "default", 10)]
    await buffer.append(append)
    calls = 0
    started, cpu_started = time.perf_counter(), time.process_time()

    async def sender() -> None:
        nonlocal calls
        while time.perf_counter() - started < seconds:
            await buffer.append(append)
            calls += 1

    await asyncio.gather(*(sender() for _ in range(concurrency)))
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu_started
    await buffer.close()
    return {"frames_per_second": calls / elapsed, "client_us": cpu / calls * 1e6}


def run(arguments: tuple[str, int, int, int, float]) -> dict[str, float]:
    """Run one process's share."""
    return uvloop.run(append_for(*arguments))


def measure(url: str, frame_bytes: int, concurrency: int, processes: int, seconds: float) -> dict[str, object]:
    """Run one case on an empty buffer and return its figures."""
    jobs = [(url, process, frame_bytes, concurrency, seconds) for process in range(processes)]
    if processes == 1:
        results = [run(jobs[0])]
    else:
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            results = pool.map(run, jobs)
    with redis.Redis.from_url(url) as client:
        client.delete("zero:{0}:stream", "zero:{1}:stream")
    return {
        "case": f"{frame_bytes} bytes, {concurrency} under way, {processes} processes",
        "frames_per_second": round(sum(result["frames_per_second"] for result in results)),
        "client_us": round(sum(result["client_us"] for result in results) / processes, 1),
    }


def main() -> None:
    """Print one JSON object for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--url", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zero-bench-") as directory:
        server, url = None, options.url
        if not url:
            command = prepare(ValkeyOptions(Path(directory), memory_max_bytes=2 << 30))
            server, url = subprocess.Popen(command.argv, stdout=subprocess.DEVNULL), command.url
            wait_for(url)
        try:
            for frame_bytes in FRAME_BYTES:
                for concurrency, processes in ((1, 1), (16, 1), (16, 2)):
                    print(json.dumps(measure(url, frame_bytes, concurrency, processes, options.seconds)), flush=True)
        finally:
            if server is not None:
                server.terminate()
                server.wait()


def wait_for(url: str) -> None:
    """Return once the server answers; ten seconds at most."""
    with redis.Redis.from_url(url) as client:
        for _ in range(1000):
            try:
                client.ping()
                return
            except redis.RedisError:
                time.sleep(0.01)
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
