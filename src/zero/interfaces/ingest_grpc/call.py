"""One RPC: who calls, what its metadata says, its messages one by one within their bounds, and how it ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import grpc

from zero.application.credentials import credential_in
from zero.application.identity import Identity
from zero.application.ingest_events import RequestRejected
from zero.application.key_ring import KeyRing
from zero.application.ports import Telemetry
from zero.domain.address import unmapped
from zero.domain.errors import InvalidInput, Overloaded, ZeroError
from zero.domain.key import KeyScope
from zero.interfaces.ingest_grpc.events import RpcBroken, RpcFailed
from zero.interfaces.ingest_grpc.options import IngestGrpcOptions
from zero.interfaces.ingest_grpc.status import RpcFailure, RpcStatus, status_of

Context = Any
"""``grpc.aio.ServicerContext`` of an RPC whose messages are bytes."""


class Share:
    """Bounds how many RPCs run at a time, in all and for each tenant, and how long others wait for their turn."""

    def __init__(self, most: int, tenant_most: int, wait_seconds: float) -> None:
        self._free = asyncio.Semaphore(most)
        self._tenant_most = tenant_most
        self._wait_seconds = wait_seconds
        self._tenants: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def room(self, tenant: str) -> AsyncIterator[None]:
        """Hold one place. Raises Overloaded when none becomes free in time."""
        own, users = self._tenants.get(tenant) or (asyncio.Semaphore(self._tenant_most), 0)
        self._tenants[tenant] = own, users + 1
        try:
            async with _within(own, self._wait_seconds), _within(self._free, self._wait_seconds):
                yield
        finally:
            own, users = self._tenants.pop(tenant)
            if users > 1:
                self._tenants[tenant] = own, users - 1


class Places:
    """A bounded number of RPCs that anyone may make. Each keeps its place until its client has taken the last word of it."""

    def __init__(self, most: int) -> None:
        self._free = most

    def take(self, context: Context) -> None:
        """Take a place. Raises Overloaded when there is none."""
        if not self._free:
            raise Overloaded("as many requests of this kind as may be are under way already")
        self._free -= 1
        context.add_done_callback(self._give_back)

    def _give_back(self, context: Context) -> None:
        self._free += 1


@asynccontextmanager
async def _within(semaphore: asyncio.Semaphore, seconds: float) -> AsyncIterator[None]:
    try:
        if not semaphore.locked():
            await semaphore.acquire()
        elif seconds:
            async with asyncio.timeout(seconds):
                await semaphore.acquire()
        else:
            raise TimeoutError
    except TimeoutError:
        raise Overloaded("as many requests of this kind as may be are under way already") from None
    try:
        yield
    finally:
        semaphore.release()


async def read_message(context: Context, timeout_seconds: float) -> bytes | None:
    """Return the next message of an RPC, or None after the last. Raises RpcFailure when none comes in time."""
    try:
        async with asyncio.timeout(timeout_seconds):
            found = await context.read()
    except TimeoutError:
        text = f"no whole message came within {timeout_seconds:g} s"
        raise RpcFailure(RpcStatus(grpc.StatusCode.DEADLINE_EXCEEDED, text)) from None
    return None if found is grpc.aio.EOF else found


class Call:
    """One RPC as its handler sees it."""

    def __init__(self, context: Context, keys: KeyRing) -> None:
        self._context = context
        self._keys = keys
        self._fields: dict[str, str] = {}
        for name, value in context.invocation_metadata() or ():
            self._fields[name] = value if isinstance(value, str) else ""

    def field(self, name: str) -> str:
        """Return the value of a metadata key, or ''."""
        return self._fields.get(name, "")

    def has(self, name: str) -> bool:
        """Say whether the client sent the metadata key."""
        return name in self._fields

    def authorise(self, scope: KeyScope) -> Identity:
        """Return who calls. Raises Unauthenticated, Forbidden or Unavailable."""
        return self._keys.authorise(credential_in(self.field), scope)

    @property
    def source(self) -> str:
        """The address of the peer: ``ipv4:192.0.2.1:40000`` or ``ipv6:[2001:db8::1]:40000`` without kind and port."""
        kind, _, rest = unquote(self._context.peer()).partition(":")
        return unmapped(rest.rpartition(":")[0].strip("[]")) if kind in ("ipv4", "ipv6") else ""

    async def read(self, timeout_seconds: float) -> bytes | None:
        """Return the next message, or None after the last. Raises RpcFailure when none comes in time."""
        return await read_message(self._context, timeout_seconds)

    async def only_message(self, slow: Share, tenant: str, options: IngestGrpcOptions) -> bytes:
        """Return the one message of the request. One that takes long needs a place among the ``slow``.

        Raises RpcFailure, InvalidInput or Overloaded.
        """
        reading = asyncio.ensure_future(self.read(options.read_timeout_seconds))
        try:
            await asyncio.wait((reading,), timeout=options.read_grace_seconds)
            if reading.done():
                found = reading.result()
            else:
                async with slow.room(tenant):
                    found = await reading
        finally:
            reading.cancel()
        if found is None:
            raise InvalidInput("the request has no whole message")
        return found

    async def write(self, message: bytes) -> None:
        """Send one message of a streaming response, as soon as the client has room for it."""
        await self._context.write(message)

    def keep(self, places: "Places") -> None:
        """Take one of the places, until the end of the RPC. Raises Overloaded when there is none."""
        places.take(self._context)


Unary = Callable[[Call], Awaitable[bytes]]
Streaming = Callable[[Call], Awaitable[None]]


class Ending:
    """Turns the errors of handlers into statuses, and counts them."""

    def __init__(self, keys: KeyRing, telemetry: Telemetry) -> None:
        self._keys = keys
        self._telemetry = telemetry

    def unary(self, handler: Unary, *, ingests: bool = False) -> Any:
        """Return the handler of an RPC with one response. Requests are read by the handler itself, after the key."""

        async def behaviour(_: Any, context: Context) -> bytes:
            return await self._ended(handler(Call(context, self._keys)), context, ingests)  # type: ignore[no-any-return]

        return grpc.stream_unary_rpc_method_handler(behaviour, None, None)

    def streaming(self, handler: Streaming) -> Any:
        """Return the handler of an RPC with a stream of responses."""

        async def behaviour(_: Any, context: Context) -> None:
            await self._ended(handler(Call(context, self._keys)), context, False)

        return grpc.stream_stream_rpc_method_handler(behaviour, None, None)

    async def _ended(self, work: Awaitable[Any], context: Context, ingests: bool) -> Any:
        try:
            return await work
        except RpcFailure as failure:
            status, reason = failure.status, "timeout"
        except ZeroError as error:
            status, reason = status_of(error), error.code
        except grpc.aio.UsageError:
            raise asyncio.CancelledError from None  # the client has gone
        except Exception as error:
            self._telemetry.emit(RpcBroken(f"{type(error).__name__}: {error}"))
            status, reason = status_of(ZeroError("")), "error"
        self._telemetry.emit(RpcFailed(status.code.name))
        if ingests:
            self._telemetry.emit(RequestRejected(reason))
        return await context.abort(status.code, status.message, status.metadata)
