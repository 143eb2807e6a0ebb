"""Which path leads to which door. A new door is one more entry here."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

from zero.application.credentials import credential_in
from zero.application.key_ring import KeyRing
from zero.domain.key import KeyScope
from zero.interfaces.ingest_http.exchange import Exchange, Handle, Head, Prepare
from zero.interfaces.ingest_http.reply import HttpRefusal, Reply


@dataclass(frozen=True, slots=True)
class Route:
    """What a path does with each method, and which key scopes may do it: one of ``scopes``; everybody when there are none."""

    methods: Mapping[str, Prepare]
    scopes: tuple[KeyScope, ...] = (KeyScope.INGEST,)

    @property
    def allow(self) -> bytes:
        """The value of the ``Allow`` header field."""
        implied = ["HEAD"] if "GET" in self.methods else []
        return ", ".join(sorted([*self.methods, *implied, "OPTIONS"])).encode()


class Routes:
    """The table of doors, looked up by exact path: no decoding, so nothing can be read in two ways. Nobody passes unknown."""

    def __init__(self, routes: Mapping[str, Route], keys: KeyRing) -> None:
        self.table = dict(routes)
        self.keys = keys

    def find(self, head: Head) -> Handle:
        """Return how to handle requests with this head. Raises HttpRefusal or ZeroError."""
        if head.path == "*" and head.method == "OPTIONS":
            return _options(b"GET, HEAD, OPTIONS, POST")
        route = self.table.get(head.path)
        if route is None:
            raise HttpRefusal(HTTPStatus.NOT_FOUND, "not_found", "no such path; logs go to POST /api/logs")
        if head.method == "OPTIONS":
            return _options(route.allow)
        prepare = route.methods.get("GET" if head.method == "HEAD" else head.method)
        if prepare is None:
            message = f"this path takes {route.allow.decode()}"
            raise HttpRefusal(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", message, headers=((b"Allow", route.allow),))
        if route.scopes:
            head = replace(head, identity=self.keys.authorise(credential_in(head.get), *route.scopes))
        return prepare(head)


def _options(allow: bytes) -> Handle:
    def handle(body: bytes, exchange: Exchange) -> None:
        exchange.reply(Reply(HTTPStatus.NO_CONTENT, headers=((b"Allow", allow),)))

    return handle
