"""SIGHUP: whoever can take new settings up without a restart says so, and is called when it comes."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_called: list[Callable[[], None]] = []


@contextmanager
def on_hangup(call: Callable[[], None]) -> Iterator[None]:
    """Call in the event loop, at every SIGHUP while the block lasts, after those that asked before."""
    loop = asyncio.get_running_loop()
    if not _called:
        loop.add_signal_handler(signal.SIGHUP, _call_all)
    _called.append(call)
    try:
        yield
    finally:
        _called.remove(call)
        if not _called:
            loop.remove_signal_handler(signal.SIGHUP)


def _call_all() -> None:
    for call in tuple(_called):
        call()
