"""One request and its reply, as the doors see them, whatever the protocol version."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from zero.application.identity import Identity
from zero.interfaces.ingest_http.reply import Reply


def _nobody() -> Identity:
    """Return an identity that may do nothing: that of a head no route has let in."""
    identity = Identity("", "", frozenset())
    identity.ended = "no route has let this request in"
    return identity


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head. Header names are lower case; a repeated field is joined with ``, ``.

    ``identity`` is who asks, once the route has let the head in: whoever reads tenant or quota asks it.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    identity: Identity = field(default_factory=_nobody)

    def get(self, name: str, absent: str = "") -> str:
        """Return the value of a header field."""
        return self.headers.get(name, absent)


class Exchange(Protocol):
    """Where a door puts its one reply; the protocol keeps replies in the order of their requests."""

    @property
    def source(self) -> str:
        """The address of the peer."""

    def reply(self, reply: Reply) -> None:
        """Send the reply. A second one is ignored, and so is one for a peer that has gone."""


Handle = Callable[[bytes, Exchange], None]
"""Takes the whole body; replies now or later, in the event loop."""

Prepare = Callable[[Head], Handle]
"""Reads a head once and says how to handle bodies that come under it: requests with an equal head share the result. Raises
ZeroError when no body could be acceptable."""
