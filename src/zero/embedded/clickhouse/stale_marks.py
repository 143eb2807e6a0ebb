"""Marks of parts that are gone: the engine takes those of a part out of its cache with the part, and forgets its projections.

The patterns are counted over the projections of every new part, so marks stayed, some 3,000 an hour, until the cache was full.
"""

import asyncio

from zero.embedded.clickhouse.engine import Engine

_DROP_SECONDS = 600.0
"""What is read is in the cache again after one question, from a file of kilobytes."""


async def drop_stale_marks(engine: Engine) -> None:
    """Empty the cache of marks in the background, until it is cancelled."""
    while True:
        await asyncio.sleep(_DROP_SECONDS)
        await asyncio.to_thread(_drop, engine)


def _drop(engine: Engine) -> None:
    with engine.session() as session:
        session.query("SYSTEM DROP MARK CACHE")
