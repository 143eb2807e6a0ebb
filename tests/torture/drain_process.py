"""A drain process for torture: small blocks without a pause, so that a kill seldom meets it idle.

Prints one JSON object for each event that matters to the judge. Arguments: buffer URL, store URL, owner, lease seconds.
"""

import asyncio
import json
import random
import signal
import sys
from dataclasses import asdict

from zero.application.drain import DrainOptions, DrainParts, DrainService, ShardDrain, ShardShare
from zero.application.drain.events import DrainFailed, LeaseGone, LeaseTaken, VerifyPerformed
from zero.application.events import Event
from zero.bootstrap import store_kind
from zero.infrastructure.redis.options import RedisOptions
from zero.infrastructure.redis.shard_log import RedisShardLog
from zero.infrastructure.system.clock import SystemClock
from zero.settings import Settings


class Printer:
    """Telemetry on standard output."""

    def emit(self, event: Event) -> None:
        """Print the event."""
        if isinstance(event, DrainFailed | LeaseGone | LeaseTaken | VerifyPerformed):
            print(json.dumps({"event": event.name, **asdict(event)}), flush=True)


async def drain(buffer_url: str, store_url: str, owner: str, lease_seconds: str) -> None:
    """Drain shard 0 until SIGTERM, then until it is empty."""
    log = RedisShardLog(RedisOptions(buffer_url, lease_seconds=float(lease_seconds)))
    kind = store_kind(Settings(store_url=store_url))
    store = kind.store()
    parts = DrainParts(log, store, kind.codec(), SystemClock(), random.Random(), Printer())
    options = DrainOptions(block_rows_max=2_000, linger_seconds=0.0, renew_seconds=float(lease_seconds) / 4)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await DrainService(lambda shard: ShardDrain(shard, owner, parts, options), log, ShardShare(), 1).run(stop)
    await log.close()
    await store.close()


if __name__ == "__main__":
    asyncio.run(drain(*sys.argv[1:]))
