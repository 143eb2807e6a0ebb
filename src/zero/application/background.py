"""Tasks that go on until they are told to end, and work that is left behind when nobody waits for it any more."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar, cast

Result = TypeVar("Result")

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


async def in_thread_left_behind(step: Callable[[], Result]) -> Result:
    """Run the step in a thread of its own, which keeps neither a caller that is cancelled nor the end of the process waiting.

    Unlike ``asyncio.to_thread``, whose threads the loop and the interpreter wait for when they end.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Result] = loop.create_future()

    def take(result: Result | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(cast("Result", result))

    def work() -> None:
        result, error = None, None
        try:
            result = step()
        except BaseException as raised:
            error = raised
        with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
            loop.call_soon_threadsafe(take, result, error)

    Thread(target=work, daemon=True, name="left-behind").start()
    return await outcome
