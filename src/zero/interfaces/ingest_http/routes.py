"""Which path leads to which door. A new door is one more entry here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import urlsplit

from zero.application.credentials import credential_in
from zero.application.key_ring import KeyRing
from zero.domain.address import is_this_machine
from zero.domain.errors import Forbidden, ZeroError
from zero.domain.key import KeyScope
from zero.interfaces.ingest_http.exchange import Exchange, Handle, Head, Prepare
from zero.interfaces.ingest_http.reply import HttpRefusal, Reply, reply_for

Refuse = Callable[[Head, ZeroError], Reply]
"""Words the refusal of a head in the form of a protocol."""


def refuse_in_json(head: Head, error: ZeroError) -> Reply:
    """Word a refusal in our own form."""
    return reply_for(error)


@dataclass(frozen=True, slots=True)
class Route:
    """What a path does with each method, and which key scopes may do it: one of ``scopes``; everybody when there are none."""

    methods: Mapping[str, Prepare]
    scopes: tuple[KeyScope, ...] = (KeyScope.INGEST,)
    refuse: Refuse = refuse_in_json

    @property
    def allow(self) -> bytes:
        """The value of the ``Allow`` header field."""
        implied = ["HEAD"] if "GET" in self.methods else []
        return ", ".join(sorted([*self.methods, *implied, "OPTIONS"])).encode()


class Routes:
    """The table of doors. Nobody passes unknown.

    A path is looked up as it is, without decoding, so nothing can be read in two ways; then with ``*`` for its first segment,
    then for its last, whatever they are.
    """

    def __init__(self, routes: Mapping[str, Route], keys: KeyRing) -> None:
        self.table = dict(routes)
        self.keys = keys

    def find(self, head: Head) -> Handle:
        """Return how to handle requests with this head. Raises HttpRefusal or ZeroError."""
        if head.path == "*" and head.method == "OPTIONS":
            return _options(b"GET, HEAD, OPTIONS, POST")
        route = self._route(head.path)
        if route is None:
            message = "no such path; logs go to POST /api/logs, the api answers searches"
            raise HttpRefusal(HTTPStatus.NOT_FOUND, "not_found", message)
        if head.method == "OPTIONS":
            return _options(route.allow)
        prepare = route.methods.get("GET" if head.method == "HEAD" else head.method)
        if prepare is None:
            message = f"this path takes {route.allow.decode()}; the api answers searches"
            raise HttpRefusal(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", message, headers=((b"Allow", route.allow),))
        if route.scopes:
            if not self.keys.needs_key:
                _refuse_other_pages(head)
            head = replace(head, identity=self.keys.authorise(credential_in(head.get), *route.scopes))
        return prepare(head)

    def refuse(self, head: Head, error: ZeroError) -> Reply:
        """Return the refusal of a head in the form of the door that it is for."""
        route = self._route(head.path)
        return (route.refuse(head, error) if route else reply_for(error))._replace(reason=error.code)

    def _route(self, path: str) -> Route | None:
        route = self.table.get(path)
        if route is None:
            first, _, rest = path[1:].partition("/")
            leading, _, last = path.rpartition("/")
            route = self.table.get(f"/*/{rest}") if first else None
            route = route or (self.table.get(f"{leading}/*") if last else None)
        return route


def _refuse_other_pages(head: Head) -> None:
    """Refuse what a web page from elsewhere has a browser on this machine send; browsers name the page. Raises Forbidden."""
    origin = head.get("origin")
    if origin and not is_this_machine(_host_of(origin)):
        raise Forbidden(f"a page of {origin[:100]} sends this, and without API keys logs are taken from this machine alone")


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


def _options(allow: bytes) -> Handle:
    def handle(body: bytes, exchange: Exchange) -> None:
        exchange.reply(Reply(HTTPStatus.NO_CONTENT, headers=((b"Allow", allow),)))

    return handle
