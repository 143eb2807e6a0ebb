"""A task that is told to end ends, also when a cancellation of it gets lost; a thread left behind keeps nobody waiting."""

import asyncio
import subprocess
import sys
from contextlib import suppress

import pytest

from tests.patience import READY_SECONDS_MAX
from zero.application.background import end, in_thread_left_behind


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


async def test_what_a_thread_left_behind_finds_out_is_returned_or_raised() -> None:
    assert await in_thread_left_behind(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await in_thread_left_behind(lambda: 1 // 0)


def test_a_thread_left_behind_keeps_neither_its_caller_nor_the_process_waiting() -> None:
    program = (
        "import asyncio, threading\n"
        "from zero.application.background import end, in_thread_left_behind\n"
        "async def main():\n"
        "    begun = asyncio.Event()\n"
        "    loop = asyncio.get_running_loop()\n"
        "    def step(): loop.call_soon_threadsafe(begun.set); threading.Event().wait()\n"
        "    task = asyncio.create_task(in_thread_left_behind(step))\n"
        "    await begun.wait()\n"
        "    await end(task)\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=READY_SECONDS_MAX)
