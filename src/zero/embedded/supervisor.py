"""Keeps a set of processes running: started in stages, restarted when they die, stopped stage by stage."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zero.domain.errors import ConfigurationError, Unavailable
from zero.embedded.child import Child, ChildOptions
from zero.embedded.forks import Forks
from zero.embedded.process import ChildCommand
from zero.embedded.stop_time import StopTime

if TYPE_CHECKING:
    from zero.application.ports import Telemetry


class Supervisor:
    """Owns every child; a group is a list of children that start and stop together."""

    def __init__(
        self,
        options: ChildOptions,
        say: Callable[[str, str], None],
        telemetry: "Telemetry | None" = None,
        forks: Forks | None = None,
    ) -> None:
        self._telemetry = telemetry
        self._forks = forks
        self._options = options
        self._say = say
        self._groups: list[list[Child]] = []

    @property
    def children(self) -> list[Child]:
        """Every child that was started, in the order of starting."""
        return [child for group in self._groups for child in group]

    def start(self, commands: Sequence[ChildCommand]) -> Sequence[Child]:
        """Start a group."""
        group = [Child(command, self._options, self._say, self._telemetry, self._forks) for command in commands]
        self._groups.append(group)
        for child in group:
            child.start()
        return group

    async def until_ready(self, seconds_max: float, group: Sequence[Child] | None = None) -> None:
        """Return once every child (of the group) is ready. Raises Unavailable, or ConfigurationError when one gave up."""
        for child in self.children if group is None else group:
            await _ready_or_gave_up(child, seconds_max)

    async def until_one_gives_up(self) -> str:
        """Return the name of the first child whose configuration cannot work; wait for ever if there is none."""
        watchers = {asyncio.create_task(child.gave_up.wait(), name=child.command.name) for child in self.children}
        try:
            done, _ = await asyncio.wait(watchers, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().get_name()
        finally:
            for watcher in watchers:
                watcher.cancel()

    async def stop(self, order: Sequence[str], limits: StopTime | None = None) -> list[str]:
        """Stop the children whose names start with the first word of ``order``, then the next; at last whatever is left.

        ``limits``: one deadline for all; without it each stage may take what the options say. Returns whom it had to kill.
        """
        begun, killed = time.monotonic(), []
        for prefix in (*order, ""):
            chosen = [child for child in self.children if child.command.name.startswith(prefix)]
            seconds = None if limits is None else limits.left(prefix, time.monotonic() - begun)
            outcomes = await asyncio.gather(*(child.stop(seconds) for child in chosen), return_exceptions=True)
            for child, outcome in zip(chosen, outcomes, strict=True):
                if isinstance(outcome, BaseException):
                    self._say(child.command.name, f"was not stopped in order: {outcome!r}")
                if outcome is not True:
                    killed.append(child.command.name)
            self._groups = [[child for child in group if child not in chosen] for group in self._groups]
        return killed

    def hang_up(self, prefixes: tuple[str, ...]) -> None:
        """Tell the children of these names to read their settings again."""
        for child in self.children:
            if child.command.name.startswith(prefixes):
                child.hang_up()

    def kill(self) -> None:
        """End everything at once."""
        for child in self.children:
            child.kill()


async def _ready_or_gave_up(child: Child, seconds_max: float) -> None:
    name = child.command.name
    waits = {asyncio.create_task(child.ready.wait()), asyncio.create_task(child.gave_up.wait())}
    try:
        done, _ = await asyncio.wait(waits, timeout=seconds_max, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    if child.gave_up.is_set():
        raise ConfigurationError(f"{name} cannot start with these settings; its own words are above")
    if not done:
        raise Unavailable(f"{name} was not ready within {seconds_max:g} s; its own words are above")
