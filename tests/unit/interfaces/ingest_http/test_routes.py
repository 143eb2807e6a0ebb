"""Which path finds which route."""

import pytest

from zero.application.key_ring import KeyRing, KeyRingOptions
from zero.domain.errors import InvalidInput
from zero.infrastructure.memory import ManualClock, MemoryKeyStore, MemoryTelemetry
from zero.interfaces.ingest_http.exchange import Head
from zero.interfaces.ingest_http.reply import HttpRefusal, Reply
from zero.interfaces.ingest_http.routes import Route, Routes


def route(name: str) -> Route:
    return Route({"POST": lambda head: name}, scopes=(), refuse=lambda head, error: Reply(400, name.encode()))


@pytest.fixture
def routes() -> Routes:
    keys = KeyRing(MemoryKeyStore(), ManualClock(), MemoryTelemetry(), KeyRingOptions())
    names = ("/", "/_bulk", "/*/_bulk", "/_ilm/policy/*", "/_ilm/policy/own")
    return Routes({name: route(name) for name in names}, keys)


def find(routes: Routes, path: str) -> str:
    try:
        return str(routes.find(Head("POST", path, "", {})))
    except HttpRefusal as refusal:
        return str(refusal.reply.status)


FOUND = {
    "/": "/",
    "/_bulk": "/_bulk",
    "/logs/_bulk": "/*/_bulk",
    "/a%2Fb/_bulk": "/*/_bulk",
    "//_bulk": "404",
    "/a/b/_bulk": "404",
    "/_ilm/policy/own": "/_ilm/policy/own",
    "/_ilm/policy/x": "/_ilm/policy/*",
    "/_ilm/policy/": "404",
    "/_ilm/policy": "404",
    "/_ilm/policy/x/y": "404",
    "//": "404",
    "": "404",
    "/_BULK": "404",
    "/_bulk/": "404",
}


@pytest.mark.parametrize("path", FOUND)
def test_a_path_is_looked_up_as_it_is(routes, path):
    assert find(routes, path) == FOUND[path]


def test_a_refusal_is_worded_by_the_door_that_the_head_is_for(routes):
    error = InvalidInput("no")
    assert routes.refuse(Head("POST", "/logs/_bulk", "", {}), error).body == b"/*/_bulk"
    assert b'"message":"no"' in routes.refuse(Head("POST", "/nowhere", "", {}), error).body
