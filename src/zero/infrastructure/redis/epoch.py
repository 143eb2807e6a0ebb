"""The number of this process in its batch ids: counted and claimed in the buffer (docs/decisions/0363)."""

import secrets
import time

from redis.asyncio import Redis

from zero.domain.batch_id import EPOCHS
from zero.domain.errors import BufferUnavailable, EpochLost
from zero.domain.instant import NANOSECONDS_PER_MILLISECOND
from zero.infrastructure.redis.keys import process_epoch_key
from zero.infrastructure.redis.link import Link, raise_refusal
from zero.infrastructure.redis.options import RedisOptions
from zero.infrastructure.redis.requests import pack

_CLAIM_SECONDS = 1800
"""Half as long again as an epoch is used for at most (application/process_ids.py)."""
_TRIES_MAX = 16


class ProcessEpoch:
    """Takes epochs, and looks on every new connection whether the buffer still knows the last one for ours."""

    def __init__(self, options: RedisOptions) -> None:
        self._options = options
        self._claim: tuple[str, bytes] | None = None

    async def take(self, client: Redis) -> int:
        """Return the next epoch that no process has claimed, and claim it. ``client`` is that of shard 0."""
        counter = process_epoch_key(self._options.namespace)
        # A buffer that starts empty counts on elsewhere than the one before it, whose processes may live on.
        await client.set(counter, time.time_ns() // NANOSECONDS_PER_MILLISECOND, nx=True)
        for _ in range(_TRIES_MAX):
            epoch = int(await client.incr(counter)) % EPOCHS
            claim, token = f"{counter}:{epoch}", secrets.token_hex(8)
            if await client.set(claim, token, nx=True, ex=_CLAIM_SECONDS):
                self._claim = claim, token.encode()
                return epoch
        raise BufferUnavailable(f"{_TRIES_MAX} process epochs in a row are claimed: far too many processes start")

    async def confirm(self, shard: int, link: Link) -> None:
        """Look at our claim by a connection that is new. Raises EpochLost when another buffer answers, or one that forgot.

        In a cluster only the connection to shard 0 can tell.
        """
        if self._claim is None or (shard and self._options.cluster):
            return
        claim, token = self._claim
        replies = await link.call((pack("GET", claim),), 1)
        raise_refusal(replies)
        if replies != [token]:
            raise EpochLost(
                "the buffer was replaced, or has forgotten this process: a new epoch is taken before anything is sent"
            )
