"""Tasks that go on until they are told to end."""

import asyncio
from typing import Any

_AGAIN_SECONDS = 0.2
_TRIES_MAX = 25


async def end(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel the tasks until they are over, for at most five seconds.

    Once is not enough: a library below may take the cancellation for that of a timeout of its own, and the task goes on.
    """
    pending = {task for task in tasks if not task.done()}
    for _ in range(_TRIES_MAX):
        if not pending:
            return
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN_SECONDS)
