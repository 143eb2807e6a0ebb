"""The thread's side of a request: read the statement, judge it, run it, hand the answer over."""

import asyncio
import itertools
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field, replace

from zero.embedded.clickhouse import guard
from zero.embedded.clickhouse.compression import decoded
from zero.embedded.clickhouse.engine import Engine, Session, Summary
from zero.embedded.clickhouse.errors import EngineError, cancelled, too_many_queries
from zero.embedded.clickhouse.feed import KILLED, BodyAborted, Feed
from zero.embedded.clickhouse.gate import InsertGate, Ticket
from zero.embedded.clickhouse.hooks import Hooks
from zero.embedded.clickhouse.insert_body import InsertBody
from zero.embedded.clickhouse.merges import let_merges_give_way
from zero.embedded.clickhouse.options import ServerOptions
from zero.embedded.clickhouse.refused_writes import end_if_refused, refuse_definition
from zero.embedded.clickhouse.request import Request, with_form
from zero.embedded.clickhouse.statement import Statement, read_statement

_HEAD_BYTES = 64 << 10
# Formats without head and foot: pieces of an answer can simply follow one another.
_STREAMED = frozenset(
    {"TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "CSV", "JSONEachRow", "JSONLines", "NDJSON", "JSONCompactEachRow"}
    | {"RowBinary", "Native", "LineAsString"}
)
_QUERY_ID_MARK = "zero-http:"


@dataclass(slots=True)
class Call:
    """A request at work. ``tag`` finds it in ``system.processes``."""

    request: Request
    feed: Feed
    ticket: Ticket
    tag: str
    loop: asyncio.AbstractEventLoop
    reads: bool = False

    def settle(self) -> None:
        """Settle the ticket, from the thread."""
        self.loop.call_soon_threadsafe(self.ticket.settle)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. ``pieces`` may raise EngineError on the way."""

    format: str
    pieces: Iterable[bytes] = ()
    summary: Summary = field(default_factory=Summary)


Deliver = Callable[[Answer], None]


class Worker:
    """Runs calls against the engine, each in the thread that it is called in."""

    def __init__(self, engine: Engine, options: ServerOptions, gate: InsertGate, hooks: Hooks) -> None:
        self._engine = engine
        self._options = options
        self._gate = gate
        self._hooks = hooks
        self._calls: dict[str, Call] = {}
        self._numbers = itertools.count(1)
        self._slots = threading.Semaphore(options.queries_max)
        self._merges_give_way = False
        self.kills = 0

    def tag(self, request: Request) -> str:
        """Return a mark for ``log_comment`` that is unique in this process and holds the client's query id."""
        return f"{_QUERY_ID_MARK}{next(self._numbers)}:{request.query_id}"

    def run(self, call: Call, deliver: Deliver) -> None:
        """Do all of a call. Raises EngineError, BodyAborted or ConnectionCut; then nothing is left running."""
        self._calls[call.tag] = call
        try:
            statement, data = self._read(call)
            self._judge(call, statement)
            if statement.watches:
                asyncio.run_coroutine_threadsafe(self._gate.settle(call.ticket), call.loop).result()
                self._execute(call, statement, data, deliver)
            else:
                self._bounded(call, statement, data, deliver)
        finally:
            del self._calls[call.tag]
            call.settle()
            call.feed.close()

    def kill(self, call: Call) -> None:
        """End the call's query, without waiting for it."""
        with self._engine.session() as session:
            session.query("KILL QUERY WHERE Settings['log_comment'] = {tag:String} ASYNC", params={"tag": call.tag})

    def _bounded(self, call: Call, statement: Statement, data: Iterator[bytes], deliver: Deliver) -> None:
        if not self._slots.acquire(blocking=False):
            raise too_many_queries(self._options.queries_max)
        try:
            self._execute(call, statement, data, deliver)
        finally:
            self._slots.release()

    def _read(self, call: Call) -> tuple[Statement, Iterator[bytes]]:
        """Return the statement and the data behind it. The body continues the text of the ``query`` parameter."""
        body = decoded(call.request.content_encoding, call.feed)
        if call.request.content_type.startswith("multipart/form-data"):
            call.request = with_form(call.request, b"".join(self._limited(body)))
            return read_statement(call.request.query or ""), iter(())
        if call.request.query is not None:
            statement = read_statement(call.request.query)
            if statement.takes_data:
                rest = call.request.query[statement.data_start :].strip()
                return statement, itertools.chain([rest.encode() + b"\n"] if rest else [], body)
            return read_statement(call.request.query + _text(b"".join(self._limited(body)))), iter(())
        head = bytearray()
        for piece in body:
            head += piece
            if len(head) >= _HEAD_BYTES:
                break
        # Latin-1 keeps one character for each byte, so that places in the text are places in the body.
        statement = read_statement(head[:_HEAD_BYTES].decode("latin-1"))
        if statement.takes_data:
            return _utf8(statement), itertools.chain([bytes(head[statement.data_start :])], body)
        head += b"".join(self._limited(body))
        return read_statement(_text(bytes(head))), iter(())

    def _limited(self, body: Iterator[bytes]) -> Iterator[bytes]:
        total = 0
        for piece in body:
            total += len(piece)
            if total > self._options.statement_bytes:
                raise EngineError(307, "TOO_MANY_BYTES", f"The statement is longer than {self._options.statement_bytes} bytes")
            yield piece

    def _judge(self, call: Call, statement: Statement) -> None:
        if not statement.sql.strip():
            raise EngineError(62, "SYNTAX_ERROR", "Syntax error: Empty query")
        whole = f"{statement.sql} FORMAT Null" if statement.takes_data else statement.sql
        judgement = self._engine.judge(whole)
        guard.refuse_several(judgement.statements)
        if call.request.reads_only:
            guard.refuse_more_than_reading(statement.kind, judgement.query_class)
        guard.refuse_outside_reach(whole, self._engine.canonical)
        call.reads = judgement.query_class == "READ_ONLY"
        if statement.kind != "INSERT":
            call.settle()

    def _execute(self, call: Call, statement: Statement, data: Iterator[bytes], deliver: Deliver) -> None:
        request = call.request
        if call.feed.aborted:
            raise BodyAborted(call.feed.aborted)
        refuse_definition(statement, self._options.path)
        self._hooks.before(statement.sql)
        with self._engine.session() as session:
            session.configure(_settings(request.settings, call.tag), request.database)
            try:
                answer = self._answer(call, session, statement, data)
            finally:
                if not call.reads:
                    end_if_refused(self._engine)
            self._hooks.after(statement.sql)
            with closing(answer.pieces) if isinstance(answer.pieces, Generator) else nullcontext():
                deliver(answer)

    def _answer(self, call: Call, session: Session, statement: Statement, data: Iterator[bytes]) -> Answer:
        if statement.takes_data:
            return Answer("", summary=self._insert(call, session, statement, data))
        return self._kill(call, session, statement) if statement.kind == "KILL" else self._query(call, session, statement)

    def _query(self, call: Call, session: Session, statement: Statement) -> Answer:
        request = call.request
        output = statement.format or request.default_format
        if call.reads and output in _STREAMED and statement.kind in ("SELECT", "WITH"):
            return Answer(output, session.stream(statement.sql, output, request.params))
        if statement.kind == "INSERT":  # INSERT … SELECT: it registers with the engine well within a second
            call.loop.call_soon_threadsafe(call.loop.call_later, 1.0, call.ticket.settle)
        result = session.query(statement.sql, output, request.params)
        return Answer(output, [result.data] if result.data else [], result.summary)

    def _insert(self, call: Call, session: Session, statement: Statement, data: Iterator[bytes]) -> Summary:
        """Gather the data of an insert, then insert it as a whole; on any doubt nothing of it is ever stored.

        Meanwhile an insert without data stands for it in ``system.processes``, where it can be seen and killed. It is not fed:
        the engine says nothing about rows that such an insert could not store (docs/decisions/0276).
        """
        kills, data_format = self.kills, statement.format or call.request.default_format
        self._merges_give_way = self._merges_give_way or let_merges_give_way()
        parameters = {f"param_{name}": value for name, value in call.request.params.items()}
        session.configure(parameters)
        shown = session.begin_insert(statement.sql, data_format)
        call.settle()
        try:
            with InsertBody(self._options.insert_bytes) as body:
                body.take(data)
                if self.kills != kills and self._is_cancelled(call):
                    raise cancelled()
                summary = self._insert_whole(call, statement.reading(body.path, data_format), body)
        finally:
            with suppress(RuntimeError):
                shown.cancel()
        # An insert killed while it commits stops behind any of its parts, and the engine calls that a success.
        if body.size and self.kills != kills:
            raise cancelled()
        return summary

    def _insert_whole(self, call: Call, sql: str, body: InsertBody) -> Summary:
        if not body.size:
            return Summary()
        with self._engine.session() as session:
            session.configure(_settings(call.request.settings, call.tag), call.request.database)
            return session.query(sql, "Null", call.request.params).summary

    def _is_cancelled(self, call: Call) -> bool:
        return call.tag in self._cancelled_tags()

    def _cancelled_tags(self) -> set[str]:
        with self._engine.session() as session:
            found = session.query("SELECT Settings['log_comment'] FROM system.processes WHERE is_cancelled", "TSVRaw")
        return set(found.data.decode().split("\n"))

    def _kill(self, call: Call, session: Session, statement: Statement) -> Answer:
        """Run KILL QUERY. The engine does not wake an insert that waits for its client, so a second thread does."""
        self.kills += 1
        over = threading.Event()
        reaper = threading.Thread(target=self._reap, args=(over,), name="zero-reaper")
        reaper.start()
        try:
            sql = self._with_client_ids(statement.sql)
            result = session.query(sql, statement.format or call.request.default_format, call.request.params)
        finally:
            over.set()
            reaper.join()
        return Answer(statement.format or call.request.default_format, [result.data], result.summary)

    def _reap(self, over: threading.Event) -> None:
        """Abort the bodies of inserts that the engine shows as cancelled, until the KILL is over and once more."""
        last = False
        while not last:
            last = over.wait(0.02)
            tags = self._cancelled_tags()
            for call in list(self._calls.values()):
                if call.tag in tags:
                    call.feed.abort(KILLED)

    def _with_client_ids(self, sql: str) -> str:
        """Put the engine's marks where the statement names query ids that clients chose."""
        for tag, call in list(self._calls.items()):
            sql = sql.replace(f"query_id = '{call.request.query_id}'", f"Settings['log_comment'] = '{tag}'")
            sql = sql.replace(f"query_id='{call.request.query_id}'", f"Settings['log_comment'] = '{tag}'")
        return sql


def _settings(asked: Mapping[str, str | int], tag: str) -> dict[str, str | int]:
    return {"log_comment": tag, "implicit_select": 0, **{name: value for name, value in asked.items() if name != "log_comment"}}


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise EngineError(62, "SYNTAX_ERROR", "Syntax error: the statement is not UTF-8") from error


def _utf8(statement: Statement) -> Statement:
    text = _text(statement.sql.encode("latin-1"))
    file_at = len(_text(statement.sql[: statement.file_at].encode("latin-1")))
    return replace(statement, sql=text, data_start=0, file_at=file_at)
