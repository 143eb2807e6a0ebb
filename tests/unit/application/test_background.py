"""A task that is told to end ends, also when a cancellation of it gets lost."""

import asyncio
from contextlib import suppress

from zero.application.background import end


async def test_a_task_that_loses_cancellations_ends_all_the_same() -> None:
    lost = 0

    async def forgetful() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
                if lost > 2:
                    raise

    async def well_behaved() -> None:
        await asyncio.sleep(60)

    tasks = [asyncio.create_task(forgetful()), asyncio.create_task(well_behaved())]
    await asyncio.sleep(0)
    await end(*tasks)
    assert (lost, [task.cancelled() for task in tasks]) == (3, [True, True])


async def test_what_is_over_already_is_left_alone() -> None:
    async def nothing() -> None:
        pass

    task = asyncio.create_task(nothing())
    await asyncio.sleep(0)
    await end(task)
    await end()
    with suppress(asyncio.CancelledError):
        assert task.result() is None
