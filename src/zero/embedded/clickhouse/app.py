"""The HTTP face of the server, as an ASGI application."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from zero.embedded.clickhouse.compression import Encoder, encoder, pick_encoding
from zero.embedded.clickhouse.engine import Engine, Summary
from zero.embedded.clickhouse.errors import EngineError, cancelled, too_many_queries
from zero.embedded.clickhouse.feed import KILLED, PIECE_BYTES, BodyAborted, Feed
from zero.embedded.clickhouse.gate import InsertGate
from zero.embedded.clickhouse.hooks import ConnectionCut, Hooks
from zero.embedded.clickhouse.options import ServerOptions
from zero.embedded.clickhouse.request import Request, read_request
from zero.embedded.clickhouse.work import Answer, Call, Worker

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_CONTENT_TYPES = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "JSONCompactEachRow": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "Parquet": "application/octet-stream",
    "ArrowStream": "application/octet-stream",
}
# Threads beyond the bound on queries: for KILL and system.processes, and to refuse what is too much.
_SPARE_THREADS = 4
# How long a client that is still sending a body may go on before it is told what was wrong.
_READ_AWAY_SECONDS = 2.0
_FIXED = {"/ping": b"Ok.\n", "/replicas_status": b"Ok.\n"}


class Application:
    """Answers requests. ``close`` before the engine."""

    def __init__(self, engine: Engine, options: ServerOptions) -> None:
        self._engine = engine
        self._options = options
        self._gate = InsertGate(options.settle_seconds)
        self._hooks = Hooks()
        self._worker = Worker(engine, options, self._gate, self._hooks)
        self._threads_max = options.queries_max + options.control_max + _SPARE_THREADS
        self._threads = ThreadPoolExecutor(self._threads_max, thread_name_prefix="zero-query")
        self._busy = 0

    def close(self) -> None:
        """Wait for the threads."""
        self._threads.shutdown(wait=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path, method = scope["path"], scope["method"]
        if path in _FIXED:
            await self._plain(send, 200, _FIXED[path])
        elif path == "/_hooks" and self._options.hooks:
            await self._serve_hooks(method, receive, send)
        elif path != "/":
            await self._plain(send, 404, f"There is no handle {path}\n".encode())
        elif method in ("GET", "HEAD") and b"query=" not in scope["query_string"]:
            await self._plain(send, 200, b"Ok.\n")
        else:
            await self._serve_query(scope, receive, send)

    async def _serve_query(self, scope: Scope, receive: Receive, send: Send) -> None:
        limits, passwords = self._options.reader_limits, self._options.passwords
        try:
            request = read_request(scope["query_string"], scope["headers"], passwords, limits)
            if self._busy >= self._threads_max:
                raise too_many_queries(self._options.queries_max)
        except EngineError as error:
            await _skip(receive)
            await self.fail(send, error, "")
            return
        loop = asyncio.get_running_loop()
        call = Call(request, Feed(loop), self._gate.enter(), self._worker.tag(request), loop)
        reply = _Reply(self, request, send, loop)
        self._busy += 1
        try:
            await self._exchange(call, reply, receive)
        except EngineError as error:
            await reply.fail(error)
        except (ConnectionCut, BodyAborted):
            scope["zero.transport"].abort()
        finally:
            self._busy -= 1
            self._gate.leave(call.ticket)

    async def _exchange(self, call: Call, reply: "_Reply", receive: Receive) -> None:
        """Run the call in a thread, the body pumped into it; a client that leaves ends it unless it only waits for a commit."""
        work = asyncio.wrap_future(self._threads.submit(self._worker.run, call, reply.deliver))
        pump = asyncio.ensure_future(_pump(call.feed, receive))
        watch = asyncio.ensure_future(self._watch(call, reply, pump, receive))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            call.feed.abort("the server stops")
            await asyncio.wait([work])
            raise
        except (EngineError, BodyAborted) as error:
            if call.feed.aborted == KILLED:
                raise cancelled() from error
            await asyncio.wait([pump], timeout=_READ_AWAY_SECONDS)  # a client still sending would not see the answer
            raise
        finally:
            pump.cancel()
            watch.cancel()
        await reply.finish()

    async def _watch(self, call: Call, reply: "_Reply", pump: asyncio.Future[None], receive: Receive) -> None:
        """End a reading query whose client left. An insert with its whole body goes on: it can be looked up."""
        await pump
        while (await receive())["type"] != "http.disconnect":
            pass
        reply.gone = True
        if call.reads:
            await asyncio.get_running_loop().run_in_executor(None, self._worker.kill, call)

    async def _serve_hooks(self, method: str, receive: Receive, send: Send) -> None:
        body = await _skip(receive)
        if method == "GET":
            await self._plain(send, 200, json.dumps({"struck": self._hooks.struck}).encode())
            return
        if method == "DELETE":
            self._hooks.clear()
        else:
            try:
                self._hooks.arm(json.loads(body))
            except (ValueError, EngineError) as error:
                await self._plain(send, 400, f"{error}\n".encode())
                return
        await self._plain(send, 200, b"Ok.\n")

    def headers(self, query_id: str) -> Headers:
        """Return the headers of every answer to a query."""
        values = {
            "x-clickhouse-server-display-name": "zero",
            "x-clickhouse-query-id": query_id,
            "x-clickhouse-timezone": self._engine.timezone,
        }
        return [(name.encode(), value.encode()) for name, value in values.items() if value]

    async def fail(self, send: Send, error: EngineError, query_id: str) -> None:
        """Answer with an error."""
        headers = [*self.headers(query_id), (b"x-clickhouse-exception-code", str(error.code).encode())]
        if error.status == 401:
            headers.append((b"www-authenticate", b'Basic realm="ClickHouse server HTTP API"'))
        await self._plain(send, error.status, error.body(self._engine.version).encode(), headers)

    @staticmethod
    async def _plain(send: Send, status: int, body: bytes, headers: Headers | None = None) -> None:
        fixed = [(b"content-type", b"text/plain; charset=UTF-8"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": [*fixed, *(headers or [])]})
        await send({"type": "http.response.body", "body": body})

    @property
    def version(self) -> str:
        """The engine's version."""
        return self._engine.version


class _Reply:
    """The answer to one query: written from the worker's thread, piece by piece, so that memory stays flat."""

    def __init__(self, application: Application, request: Request, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self._application = application
        self._request = request
        self._send = send
        self._loop = loop
        self._encoder: Encoder | None = None
        self._started = False
        self._tag = secrets.token_hex(8)
        self.gone = False

    def deliver(self, answer: Answer) -> None:
        """Send all of the answer; in the thread. The first piece is made before the status goes out."""
        pieces = iter(answer.pieces)
        first = next(pieces, b"")
        second = next(pieces, None)
        self._wait(self._start(answer, len(first) if second is None else None))
        self._write(first)
        while second is not None and not self.gone:
            self._write(second)
            second = next(pieces, None)

    def _write(self, piece: bytes) -> None:
        data = self._encoder.compress(piece) if self._encoder else piece
        if data:
            self._wait(self._send({"type": "http.response.body", "body": data, "more_body": True}))

    def _wait(self, step: Awaitable[None]) -> None:
        asyncio.run_coroutine_threadsafe(_as_coroutine(step), self._loop).result()

    async def _start(self, answer: Answer, length: int | None) -> None:
        encoding = pick_encoding(self._request.accept_encoding) if length != 0 else None
        headers = self._application.headers(self._request.query_id)
        content_type = _CONTENT_TYPES.get(answer.format, "text/plain; charset=UTF-8")
        headers.append((b"content-type", content_type.encode()))
        headers.append((b"x-clickhouse-summary", _summary(answer.summary)))
        if answer.format:
            headers.append((b"x-clickhouse-format", answer.format.encode()))
        if encoding is not None:
            self._encoder = encoder(encoding)
            headers.append((b"content-encoding", encoding.encode()))
        elif length is not None:
            headers.append((b"content-length", str(length).encode()))
        headers.append((b"x-clickhouse-exception-tag", self._tag.encode()))
        self._started = True
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def finish(self) -> None:
        """End the answer."""
        rest = self._encoder.flush() if self._encoder else b""
        await self._send({"type": "http.response.body", "body": rest})

    async def fail(self, error: EngineError) -> None:
        """Answer with the error; when the answer has begun, put it behind what was sent, as ClickHouse does."""
        if not self._started:
            await self._application.fail(self._send, error, self._request.query_id)
            return
        text = error.body(self._application.version).encode()
        tag = self._tag.encode()
        tail = b"\r\n__exception__\r\n%b\r\n%b%d %b\r\n__exception__\r\n" % (tag, text, len(text), tag)
        data = self._encoder.compress(tail) + self._encoder.flush() if self._encoder else tail
        await self._send({"type": "http.response.body", "body": data})


async def _pump(feed: Feed, receive: Receive) -> None:
    """Carry the body over; a client that leaves in the middle of it aborts the feed."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            feed.abort("the client left")
            return
        body = event.get("body", b"")
        parts.append(body)
        size += len(body)
        more = event.get("more_body", False)
        if size and (not more or size >= PIECE_BYTES):
            await feed.put(b"".join(parts))
            parts, size = [], 0
    feed.end()


async def _as_coroutine(step: Awaitable[None]) -> None:
    await step


async def _skip(receive: Receive, limit_bytes: int = 64 << 20) -> bytes:
    """Read the body away, so that the client gets to read the answer; returns its beginning."""
    head, total, more = b"", 0, True
    while more and total < limit_bytes:
        event = await receive()
        body = event.get("body", b"")
        head, total = (head or body), total + len(body)
        more = event["type"] != "http.disconnect" and event.get("more_body", False)
    return head


def _summary(summary: Summary) -> bytes:
    return json.dumps({name: str(value) for name, value in asdict(summary).items()}).encode()
