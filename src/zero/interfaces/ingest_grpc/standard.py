"""The standard services, health and reflection. They ask for no key, and some of their RPCs never end: they have few places."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2, health_pb2_grpc

from zero.application.ports import Decompressor
from zero.domain.errors import InvalidInput, ZeroError
from zero.interfaces.ingest_grpc.call import Context, Places, read_message
from zero.interfaces.ingest_grpc.coding import plain
from zero.interfaces.ingest_grpc.options import IngestGrpcOptions
from zero.interfaces.ingest_grpc.status import RpcFailure, status_of

_STATES = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):
    """One state for all ``names``. Each watcher looks for itself: one that does not read keeps nobody else waiting."""

    def __init__(self, names: Sequence[str], look_seconds: float) -> None:
        self._names = frozenset(names)
        self._look_seconds = look_seconds
        self._stopping = asyncio.Event()
        self.serving = True

    def _state(self, name: str) -> Any:
        if name not in self._names:
            return _STATES.SERVICE_UNKNOWN
        return _STATES.SERVING if self.serving else _STATES.NOT_SERVING

    def stop(self) -> None:
        """Serve no longer; watchers are told so, and no more."""
        self.serving = False
        self._stopping.set()

    async def Check(self, request: Any, context: Context) -> Any:
        """Answer with the state; NOT_FOUND for a name that is not served."""
        state = self._state(request.service)
        if state == _STATES.SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such service")
        return _STATES(status=state)

    async def Watch(self, request: Any, context: Context) -> None:
        """Tell the state whenever it has changed."""
        told = None
        while True:
            stopping = self._stopping.is_set()
            if (state := self._state(request.service)) != told:
                await context.write(_STATES(status=state))
                told = state
            if stopping:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_seconds):
                    await self._stopping.wait()


class StandardServices(grpc.aio.ServerInterceptor):
    """Reads their messages, compressed or not, within a time, and holds a bounded number of their RPCs."""

    def __init__(self, decompressor: Decompressor, options: IngestGrpcOptions, questions: Places) -> None:
        self._decompressor = decompressor
        self._read_seconds = options.read_timeout_seconds
        self._questions = questions
        self._streams = Places(options.open_streams_max)

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        """Put the bounds around a handler of theirs; ours, which take bytes, have their own."""
        handler = await continuation(details)
        if handler is None or handler.request_deserializer is None:
            return handler
        if handler.stream_stream:
            return self._conversation(handler)
        return self._question(handler) if handler.unary_unary else self._stream(handler)

    def _question(self, handler: Any) -> Any:
        async def behaviour(_: Any, context: Context) -> Any:
            request = await self._request(handler, context, self._questions)
            return await handler.unary_unary(request, context)

        return grpc.stream_unary_rpc_method_handler(behaviour, None, handler.response_serializer)

    def _stream(self, handler: Any) -> Any:
        async def behaviour(_: Any, context: Context) -> None:
            request = await self._request(handler, context, self._streams)
            await handler.unary_stream(request, context)

        return grpc.stream_stream_rpc_method_handler(behaviour, None, handler.response_serializer)

    def _conversation(self, handler: Any) -> Any:
        async def parsed(messages: AsyncIterator[bytes]) -> AsyncIterator[Any]:
            async for message in messages:
                yield self._parsed(handler, message)

        async def behaviour(messages: Any, context: Context) -> AsyncIterator[Any]:
            async with _ending(context):
                self._streams.take(context)
                async for response in handler.stream_stream(parsed(messages), context):
                    yield response

        return grpc.stream_stream_rpc_method_handler(behaviour, None, handler.response_serializer)

    async def _request(self, handler: Any, context: Context, places: Places) -> Any:
        """Return the one message of a request; ends the RPC where there is no place for it, or no such message."""
        async with _ending(context):
            places.take(context)
            message = await read_message(context, self._read_seconds)
            if message is None:
                raise InvalidInput("the request has no whole message")
            return self._parsed(handler, message)

    def _parsed(self, handler: Any, message: bytes) -> Any:
        try:
            return handler.request_deserializer(plain(message, self._decompressor))
        except DecodeError as error:
            raise InvalidInput("the request is no message of its kind") from error


@asynccontextmanager
async def _ending(context: Context) -> AsyncIterator[None]:
    """End an RPC that is beyond its bounds with the status that says so."""
    try:
        yield
    except (RpcFailure, ZeroError) as error:
        status = error.status if isinstance(error, RpcFailure) else status_of(error)
        await context.abort(status.code, status.message, status.metadata)
