"""Faults on request, for torture tests: off unless the server is started with ``--hooks``."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zero.embedded.clickhouse.errors import EngineError

KINDS = ("delay", "error_before", "error_after_commit", "commit_then_cut")


@dataclass(slots=True)
class Hook:
    """Strikes ``times`` statements that contain ``match``. ``code`` and ``seconds`` say how."""

    kind: str
    match: str = "INSERT"
    times: int = 1
    code: int = 241
    seconds: float = 0.0


class ConnectionCut(Exception):
    """The answer must be a closed connection."""


class Hooks:
    """The faults that are armed."""

    def __init__(self) -> None:
        self.struck = 0
        self._armed: list[Hook] = []

    def arm(self, wish: Mapping[str, Any]) -> None:
        """Add a hook. Raises EngineError 36 on an unknown one."""
        try:
            hook = Hook(**wish)
        except TypeError as error:
            raise EngineError(36, "BAD_ARGUMENTS", str(error)) from error
        if hook.kind not in KINDS:
            raise EngineError(36, "BAD_ARGUMENTS", f"kind is one of {', '.join(KINDS)}")
        self._armed.append(hook)

    def clear(self) -> None:
        """Forget all."""
        self._armed.clear()

    def before(self, sql: str, sleep: Callable[[float], None] = time.sleep) -> None:
        """Strike before the statement runs."""
        for hook in self._take(sql, ("delay", "error_before")):
            if hook.kind == "delay":
                sleep(hook.seconds)
            else:
                raise EngineError(hook.code, "HOOK", "Asked for by a hook")

    def after(self, sql: str) -> None:
        """Strike once the statement has done its work."""
        for hook in self._take(sql, ("error_after_commit", "commit_then_cut")):
            if hook.kind == "commit_then_cut":
                raise ConnectionCut
            raise EngineError(hook.code, "HOOK", "Asked for by a hook")

    def _take(self, sql: str, kinds: tuple[str, ...]) -> list[Hook]:
        found = [hook for hook in self._armed if hook.kind in kinds and hook.times > 0 and hook.match in sql]
        for hook in found:
            hook.times -= 1
        self.struck += len(found)
        return found
