"""A gRPC load generator of our own: one process, calls that each wait for their answer, bodies sent as they are.

    python -m bench.grpc_load ADDRESS BODIES --calls 64 --seconds 5 [--stream 100]

BODIES is a file of ``length, newline, LogBatch, newline``. Prints one JSON object.
"""

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import grpc.aio

METHODS = "/zero.v1.LogService/"
CALL_SECONDS_MAX = 30


def read_bodies(path: Path) -> list[bytes]:
    """Return the bodies of a file."""
    bodies, data, at = [], path.read_bytes(), 0
    while at < len(data):
        end = data.index(b"\n", at)
        size = int(data[at:end])
        bodies.append(data[end + 1 : end + 1 + size])
        at = end + size + 2
    return bodies


class Generator:
    """Calls until the time is over, and remembers how long each call took."""

    def __init__(self, channel: grpc.aio.Channel, bodies: list[bytes], seconds: float) -> None:
        self._unary: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"{METHODS}IngestLogs")
        self._stream: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(f"{METHODS}IngestStream")
        self._bodies = bodies
        self._until = time.perf_counter() + seconds
        self._next = 0
        self.micros: list[int] = []
        self.refused = 0

    async def unary(self) -> None:
        """Send a body a call."""
        while time.perf_counter() < self._until:
            await self._timed(self._unary(self._body(), timeout=CALL_SECONDS_MAX), 1)

    async def stream(self, batches: int) -> None:
        """Send so many bodies a call."""
        while time.perf_counter() < self._until:
            await self._timed(self._stream(self._some(batches), timeout=CALL_SECONDS_MAX), batches)

    async def _some(self, batches: int) -> AsyncIterator[bytes]:
        for _ in range(batches):
            yield self._body()

    def _body(self) -> bytes:
        self._next += 1
        return self._bodies[self._next % len(self._bodies)]

    async def _timed(self, call: Awaitable[bytes], bodies: int) -> None:
        began = time.perf_counter()
        try:
            await call
        except grpc.aio.AioRpcError:
            self.refused += bodies
        else:
            self.micros += [round((time.perf_counter() - began) * 1e6)] * bodies


async def generate(options: argparse.Namespace) -> dict[str, object]:
    """Run the load; return counts of bodies, seconds, and the latencies in microseconds."""
    channels = [grpc.aio.insecure_channel(options.address, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(4)]
    bodies = read_bodies(options.bodies)
    began = time.perf_counter()
    generators = [Generator(channel, bodies, options.seconds) for channel in channels]
    workers = [generators[number % len(generators)] for number in range(options.calls)]
    await asyncio.gather(*(each.stream(options.stream) if options.stream else each.unary() for each in workers))
    seconds = time.perf_counter() - began
    for channel in channels:
        await channel.close()
    micros = [value for each in generators for value in each.micros]
    return {"micros": micros, "refused": sum(each.refused for each in generators), "seconds": seconds}


def main() -> None:
    """Generate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("bodies", type=Path)
    parser.add_argument("--calls", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--stream", type=int, default=0)
    print(json.dumps(asyncio.run(generate(parser.parse_args()))))


if __name__ == "__main__":
    main()
