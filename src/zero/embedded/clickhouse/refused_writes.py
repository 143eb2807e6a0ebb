"""What the disk refuses to write, the engine takes for written: it counts the refusal, and says that all went well.

A part of such files has rows by its own account, and cannot be read: of an insert, they were never there; of a merge, the parts
that have them are deleted eight minutes later. So the server ends. When the engine starts it compares the files of every part
with what they should be, sets aside what is not whole, and takes up again what that was merged from (docs/decisions/0381).
An empty definition of a table it would not start from: one is refused while there is little space, and set aside at the start.
"""

import asyncio
import os
import shutil
import time
from pathlib import Path

from zero.embedded.clickhouse.engine import Engine
from zero.embedded.clickhouse.errors import EngineError
from zero.embedded.clickhouse.statement import Statement

_LOOK_SECONDS = 5.0
"""Inserts look for themselves."""
_SPACE_SECONDS = 0.5
_START_BYTES = 4 << 20
"""A start writes a few kilobytes, and a refusal would be as silent."""
_DEFINITION_BYTES = 64 << 20
"""So much that it is not gone while a definition is written."""
_SET_ASIDE = "refused"


def end_if_refused(engine: Engine) -> None:
    """End the process, at once, when the disk has refused a write of the engine; what is not answered yet never is."""
    if refused := engine.refused_writes():
        print(f"the disk refused {refused} writes; ending, so that what is not whole is set aside at the start", flush=True)
        os._exit(os.EX_IOERR)


def refuse_definition(statement: Statement, path: Path) -> None:
    """Raise EngineError when the statement writes a definition, and the disk has little space."""
    if statement.kind not in ("CREATE", "ALTER") or "DROP PART" in statement.sql.upper():
        return
    if (free := shutil.disk_usage(path).free) < _DEFINITION_BYTES:
        text = f"{free} bytes are free on the disk of the store; to define a table, {_DEFINITION_BYTES} must be"
        raise EngineError(243, "NOT_ENOUGH_SPACE", text)


async def watch(engine: Engine) -> None:
    """Look for refusals in the background, where merges write, until it is cancelled."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        await asyncio.to_thread(end_if_refused, engine)


def await_space(path: Path) -> None:
    """Return once the disk has room for what a start writes; says so when that is not now."""
    told = False
    while (free := shutil.disk_usage(path).free) < _START_BYTES:
        if not told:
            print(f"{free} bytes are free in {path}; waiting for {_START_BYTES} to start", flush=True)
        told = True
        time.sleep(_SPACE_SECONDS)


def set_aside_empty(path: Path) -> None:
    """Move definitions without content out of the engine's sight: whoever asked for one was never told that it is there."""
    for file in path.glob("data/store/*/*/*.sql"):
        if file.stat().st_size == 0:
            aside = path / _SET_ASIDE
            aside.mkdir(exist_ok=True)
            file.rename(aside / f"{file.parent.name}-{file.name}")
            print(f"the definition {file} is empty: the disk refused it; set aside in {aside}", flush=True)
