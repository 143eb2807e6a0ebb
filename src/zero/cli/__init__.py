"""The command line: one file for each command, imported when it is called."""

import errno
import importlib
import io
import os
import sys
from collections.abc import Callable
from typing import Any

import click

from zero import __version__
from zero.cli.settings_help import about
from zero.domain.errors import ConfigurationError, InvalidInput, ZeroError
from zero.settings import Settings, environment_name, load

COMMANDS = (
    "up", "ingest", "drain", "api", "migrate", "keys", "certs",
    "send", "tail", "search", "ask", "patterns", "anomalies", "dead-letters", "bench", "torture", "doctor",
)  # fmt: skip
_OUTPUT_FAILURES = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
CONFIGURATION_EXIT = 78
"""EX_CONFIG of sysexits.h: the settings cannot work; starting again cannot help."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"zero.cli.{name.replace('-', '_')}")
        command: click.Command = getattr(module, name.replace("-", "_"))
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="zero")
def cli() -> None:
    """Take logs in, acknowledge them once they are on disk, store each exactly once, and find them again.

    Every setting that is not a flag of a command comes from ZERO_* or zero.toml: docs/operations.md.
    """
    if os.environ.get("NO_COLOR"):
        click.get_current_context().color = False


parent_option = click.option("--parent", type=int, hidden=True)
"""The process id of the supervisor that a role lives and dies with."""
held_option = click.option("--held", is_flag=True, hidden=True)
"""Whether a role loads its parts, and begins only when its standard input ends: when the servers of `zero up` are there."""


def settings_flags(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command one flag for each named setting; it gets the loaded settings as its first argument, ``settings``."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        def run(**parameters: Any) -> Any:
            flags = {name: parameters.pop(name) for name in names}
            return command(load(os.environ, flags), **parameters)

        run.__doc__ = command.__doc__
        run.__name__ = command.__name__
        run.__click_params__ = list(getattr(command, "__click_params__", ()))  # type: ignore[attr-defined]
        for name in reversed(names):
            text, default = about(Settings.__dataclass_fields__[name])
            told = f"{environment_name(name)}; default: {default}" if default else environment_name(name)
            run = click.option(f"--{name.replace('_', '-')}", name, help=f"{text.replace('`', '')} [{told}]")(run)
        return run

    return decorate


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 failed, 2 wrong usage, 78 wrong settings; a command may add its own."""
    for stream in (sys.stdout, sys.stderr):  # a log may have characters that the terminal has not
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
    try:
        cli(prog_name="zero", standalone_mode=True)
    except ConfigurationError as error:
        click.echo(f"zero: {error.message}", err=True)
        sys.exit(CONFIGURATION_EXIT)
    except InvalidInput as error:
        click.echo(f"zero: {error.message}", err=True)
        sys.exit(2)
    except ZeroError as error:
        click.echo(f"zero: {error.message}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.errno not in _OUTPUT_FAILURES:
            raise
        click.echo(f"zero: cannot write: {error.strerror}", err=True)
        sys.exit(1)
