"""How a command that works on the buffer reaches it, whether or not ``zero up`` runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import click

from zero.domain.errors import BufferUnavailable
from zero.embedded.child import Child, ChildOptions
from zero.embedded.data_folder import held
from zero.embedded.process import ChildCommand
from zero.embedded.valkey import ValkeyOptions, prepare, running_url
from zero.settings import Settings

_READY_SECONDS_MAX = 60.0


@asynccontextmanager
async def reached_buffer(settings: Settings) -> AsyncIterator[Settings]:
    """Give settings whose buffer answers: the one they name, that of the running ``zero up``, or, for this command, our own."""
    if settings.buffer_url:
        yield settings
    elif url := running_url(settings.data_dir):
        yield replace(settings, buffer_url=url)
    else:
        with held(settings.data_dir) as folder:
            command = prepare(ValkeyOptions(folder, memory_max_bytes=settings.buffer_memory_max_bytes))
            said: list[str] = []
            server = Child(
                ChildCommand("buffer", command.argv, ready_pattern="Ready to accept connections"),
                ChildOptions(),
                lambda _, line: said.append(line),
            )
            click.echo(f"`zero up` does not run: opened the embedded buffer in {folder}", err=True)
            server.start()
            try:
                await _until_ready(server, said)
                yield replace(settings, buffer_url=command.url)
            finally:
                await server.stop()


async def _until_ready(server: Child, said: list[str]) -> None:
    try:
        await asyncio.wait_for(server.ready.wait(), _READY_SECONDS_MAX)
    except TimeoutError as error:
        raise BufferUnavailable("the embedded buffer does not start:\n" + "\n".join(said[-10:])) from error
