"""``zero keys``: make, list, revoke and rotate API keys."""

import asyncio
import getpass
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from zero.application.key_shapes import act_shape, instant, key_shape, new_key_shape
from zero.application.keys import KeyRequest, Keys, NewKey
from zero.cli import settings_flags
from zero.domain.key import ApiKey, KeyScope, Quota
from zero.settings import Settings

T = TypeVar("T")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SETTINGS = ("data_dir", "buffer_url")


class _Duration(click.ParamType[int]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(r"(\d{1,9})([smhdw])", str(value))
        if match is None:
            self.fail(f"{value!r} is not a duration such as 30m, 12h or 90d", param, ctx)
        return int(match[1]) * _UNIT_SECONDS[match[2]]


class _Scopes(click.ParamType[frozenset[KeyScope]]):
    name = "scopes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[KeyScope]:
        try:
            return frozenset(KeyScope(name) for name in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not one or more of {', '.join(KeyScope)}, with commas between", param, ctx)


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")


@click.group()
def keys() -> None:
    """Make, list, revoke and rotate API keys.

    They lie in the buffer; every process sees a change within about two seconds.
    """


@keys.command()
@click.option("--tenant", required=True, help="Whose logs the key is for.")
@click.option("--scope", "scopes", required=True, type=_Scopes(), help="ingest, query, admin; with commas between.")
@click.option("--label", default="", help="A word for people.")
@click.option("--expires", type=_Duration(), help="How long it lives, such as 90d.  [default: for ever]")
@click.option("--requests-per-second", type=click.IntRange(1), help="Requests a second that it may make.")
@click.option("--bytes-per-second", type=click.IntRange(1), help="Bytes a second that it may send, uncompressed.")
@click.option("--in-flight", type=click.IntRange(1), help="Requests that it may have waiting at once.")
@json_option
@settings_flags(*_SETTINGS)
def create(settings: Settings, tenant: str, scopes: frozenset[KeyScope], as_json: bool, **given: Any) -> None:
    """Make a key and print it; it cannot be had again."""
    quota = Quota(given["requests_per_second"], given["bytes_per_second"], given["in_flight"])
    request = KeyRequest(tenant, scopes, given["label"], given["expires"], quota)
    made = _with_keys(settings, lambda keys: keys.create(request, _actor()))
    _show_new(made, as_json)
    if made.first:
        click.echo("This is the first key: from now on every request needs one, on this machine too.", err=True)


@keys.command(name="list")
@json_option
@settings_flags(*_SETTINGS)
def list_keys(settings: Settings, as_json: bool) -> None:
    """List every key, ended ones too, oldest first."""
    found = _with_keys(settings, lambda keys: keys.list())
    if as_json:
        for key, used in found:
            click.echo(json.dumps(key_shape(key) | {"last_used": instant(used)}, ensure_ascii=False))
        return
    rows = [("ID", "TENANT", "SCOPES", "ENDS", "LAST USED", "LABEL")]
    for key, used in found:
        rows.append((key.id, key.tenant, ",".join(sorted(key.scopes)), _end(key), _second(used) or "never", key.label))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@keys.command()
@click.argument("id")
@settings_flags(*_SETTINGS)
def revoke(settings: Settings, id: str) -> None:
    """End the key ID at once."""
    key = _with_keys(settings, lambda keys: keys.revoke(id, _actor()))
    click.echo(f"revoked {key.id} of tenant {key.tenant}: no process takes it any more in about two seconds")


@keys.command()
@click.argument("id")
@click.option("--overlap", default="1h", show_default=True, type=_Duration(), help="How long the old key goes on working.")
@json_option
@settings_flags(*_SETTINGS)
def rotate(settings: Settings, id: str, overlap: int, as_json: bool) -> None:
    """Make a key like ID, which itself ends after the overlap."""
    _show_new(_with_keys(settings, lambda keys: keys.rotate(id, overlap, _actor())), as_json)


@keys.command()
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1000), help="Most acts to show.")
@settings_flags(*_SETTINGS)
def audit(settings: Settings, limit: int) -> None:
    """Print acts of administration, newest first, as JSON lines."""
    for _, act in _with_keys(settings, lambda keys: keys.audit("", limit)):
        click.echo(json.dumps(act_shape(act), ensure_ascii=False))


def _with_keys(settings: Settings, work: Callable[[Keys], Awaitable[T]]) -> T:
    from zero.bootstrap import key_admin
    from zero.cli.reached_buffer import reached_buffer

    async def run() -> T:
        async with reached_buffer(settings) as reached, key_admin(reached) as keys:
            return await work(keys)

    return asyncio.run(run())


def _show_new(made: NewKey, as_json: bool) -> None:
    """Print the key alone on standard output, so that a script can take it, and what there is to say on standard error."""
    if as_json:
        click.echo(json.dumps(new_key_shape(made), ensure_ascii=False))
        return
    click.echo(made.text)
    key = made.key
    click.echo(f"tenant {key.tenant}, scope {','.join(sorted(key.scopes))}, ends {_end(key)}; shown this once", err=True)


def _end(key: ApiKey) -> str:
    if key.revoked_ns is not None:
        return f"revoked {_second(key.revoked_ns)}"
    return _second(key.expires_ns) or "never"


def _second(at_ns: int | None) -> str:
    text = instant(at_ns)
    return f"{text[:19]}Z" if text else ""


def _actor() -> str:
    return f"cli:{getpass.getuser()}"
