"""Why a look into ``system.processes`` tells the truth about inserts.

A client that is killed may leave a whole insert behind in the kernel's buffers. If somebody then asked the engine which inserts
run, before this server had read those bytes, the answer would be "none", and the insert would be stored later. So every insert
(and every request whose statement is still in its unread body) gets a ticket in the moment its head is read, and a statement
that looks at, or ends, other queries first lets the event loop read what the kernel has already received, then waits until
every ticket given out by then is either in the engine, where it can be seen and killed, or over.
"""

import asyncio

from zero.embedded.clickhouse.errors import EngineError

# Accepting a connection, starting to read it, reading its head and starting its task take one turn of the loop each.
_TURNS = 16


class Ticket:
    """An insert between its head and its registration in the engine."""

    def __init__(self) -> None:
        self.settled = asyncio.Event()

    def settle(self) -> None:
        """The engine knows the insert now, or it is over. On the event loop."""
        self.settled.set()


class InsertGate:
    """The tickets of all inserts that the engine cannot see yet."""

    def __init__(self, settle_seconds: float) -> None:
        self._settle_seconds = settle_seconds
        self._open: set[Ticket] = set()

    def enter(self) -> Ticket:
        """Give a ticket; at once, in the task that read the head."""
        ticket = Ticket()
        self._open.add(ticket)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Take the ticket back."""
        ticket.settle()
        self._open.discard(ticket)

    async def settle(self, own: Ticket | None) -> None:
        """Return once no insert that had arrived before is hidden. Raises EngineError 159 after the bound."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        waits = [ticket.settled.wait() for ticket in self._open if ticket is not own and not ticket.settled.is_set()]
        try:
            await asyncio.wait_for(asyncio.gather(*waits), self._settle_seconds)
        except TimeoutError as error:
            text = f"An insert has arrived but not begun within {self._settle_seconds} s"
            raise EngineError(159, "TIMEOUT_EXCEEDED", text) from error
