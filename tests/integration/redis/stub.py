"""A server that speaks just enough of the protocol to refuse as a real one would: for states hard to bring a real one into."""

import asyncio
from typing import Any

import hiredis


class StubServer:
    """Answers every command but the greeting with ``reply`` as an error; with None it accepts appends."""

    def __init__(self, reply: str | None, *, greeting: bytes = b"", mute: bool = False) -> None:
        self.reply = reply
        self.url = ""
        self._greeting = greeting
        self._mute = mute
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> "StubServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: Any) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        parser, queued = hiredis.Reader(), 0
        writer.write(self._greeting)
        while data := await reader.read(65_536):
            parser.feed(data)
            while not self._mute and (command := parser.gets()):
                queued = 0 if command[0] == b"MULTI" else queued + 1
                writer.write(self._answer(command[0], queued))
        writer.close()

    def _answer(self, name: bytes, queued: int) -> bytes:
        if name in (b"PING", b"CLIENT"):
            return b"+OK\r\n"
        if name == b"INFO":
            return b"$0\r\n\r\n"
        if self.reply is not None:
            return b"-%s\r\n" % (b"EXECABORT Transaction discarded" if name == b"EXEC" else self.reply.encode())
        if name == b"EXEC":
            return b"*%d\r\n$3\r\n1-1\r\n" % (queued - 1) + b":1\r\n" * (queued - 2)
        return b"+OK\r\n" if name == b"MULTI" else b"+QUEUED\r\n"
