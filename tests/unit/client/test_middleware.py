import logging
import time

import pytest
import structlog
from loguru import logger as loguru

from zero.client import LoguruSink, Sender, StructlogProcessor, ZeroAsgiMiddleware, ZeroHandler, ZeroWsgiMiddleware

TRACE = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01", "x-request-id": "r-1"}


@pytest.fixture
def sender(door):
    made = Sender(url=door.url, app_id="shop", exit_seconds_max=30)
    logger = logging.getLogger("shop.requests")
    logger.setLevel(logging.INFO)
    logger.handlers[:] = [ZeroHandler(sender=made)]
    yield made
    logger.handlers[:] = []
    made.close()


def entries(door, sender):
    sender.flush()
    return door.entries()


def ask(sender, app, **options):
    """Ask a Starlette application once, in a process's usual way."""
    from starlette.testclient import TestClient

    with TestClient(ZeroAsgiMiddleware(app, sender), raise_server_exceptions=False) as client:
        return client.get("/cart?secret=1", headers={**TRACE, "authorization": "secret"}, **options)


def starlette(view):
    from starlette.applications import Starlette
    from starlette.routing import Route

    return Starlette(routes=[Route("/cart", view)])


def test_an_asgi_request_is_one_entry_and_what_it_logs_has_its_ids(door, sender):
    from starlette.responses import PlainTextResponse

    async def cart(request):
        logging.getLogger("shop.requests").info("in the request")
        return PlainTextResponse("ok", status_code=404)

    assert ask(sender, starlette(cart)).status_code == 404
    inside, request = entries(door, sender)
    assert (inside["message"], request["message"], request["level"]) == ("in the request", "GET /cart 404", "WARN")
    for entry in (inside, request):
        assert (entry["trace_id"], entry["span_id"], entry["metadata"]["request_id"]) == ("ab" * 16, "cd" * 8, "r-1")
    http = request["metadata"]["http"]
    assert http.pop("duration_ms") >= 0
    assert http == {"method": "GET", "path": "/cart", "client": "testclient", "status": 404}
    assert "secret" not in str(request)


def test_an_exception_in_asgi_is_logged_and_goes_on_to_the_server(door, sender):
    async def cart(request):
        raise LookupError("no cart")

    assert ask(sender, starlette(cart)).status_code == 500
    (request,) = entries(door, sender)
    assert (request["message"], request["level"]) == ("GET /cart 500", "ERROR")
    assert request["metadata"]["exception"]["type"] == "builtins.LookupError"


def wsgi(sender, app):
    from wsgiref.util import setup_testing_defaults

    environ = {"PATH_INFO": "/cart", "QUERY_STRING": "secret=1"}
    environ |= {"HTTP_X_REQUEST_ID": "r-1", "HTTP_TRACEPARENT": TRACE["traceparent"]}
    setup_testing_defaults(environ)
    body = ZeroWsgiMiddleware(app, sender)(environ, lambda *_: None)
    try:
        return b"".join(body)
    finally:
        body.close()


def test_a_wsgi_request_is_one_entry_once_its_body_is_over(door, sender):
    closed = []

    class Body:
        def __iter__(self):
            logging.getLogger("shop.requests").info("in the body")
            yield b"ok"

        def close(self):
            closed.append(True)

    def app(environ, start_response):
        start_response("201 Created", [])
        return Body()

    assert wsgi(sender, app) == b"ok"
    assert closed
    inside, request = entries(door, sender)
    assert request["message"] == "GET /cart 201"
    assert inside["metadata"]["request_id"] == request["metadata"]["request_id"] == "r-1"
    assert "secret" not in str(request)


@pytest.mark.parametrize("late", [False, True])
def test_an_exception_in_wsgi_is_logged_and_goes_on_to_the_server(door, sender, late):
    def app(environ, start_response):
        def body():
            yield b"o"
            raise LookupError("no cart")

        if not late:
            raise LookupError("no cart")
        start_response("200 OK", [])
        return body()

    with pytest.raises(LookupError):
        wsgi(sender, app)
    (request,) = entries(door, sender)
    assert (request["level"], request["metadata"]["exception"]["message"]) == ("ERROR", "no cart")


def test_structlog_passes_its_events_on_or_ends_with_them(door, sender):
    seen = []
    chain = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        StructlogProcessor(sender),
        lambda logger, method, event: seen.append(event) or "",
    ]
    log = structlog.wrap_logger(structlog.PrintLogger(), chain, wrapper_class=structlog.BoundLogger)
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        log.warning("stock is low", sku="A-1", user_id="ada")
        try:
            raise KeyError("sku")
        except KeyError:
            log.exception("failed")
    ending = structlog.wrap_logger(structlog.PrintLogger(), [StructlogProcessor(sender, last=True)])
    assert ending.info("the last") is None
    low, failed, last = entries(door, sender)
    assert (low["level"], low["user_id"], low["metadata"]) == ("warning", "ada", {"request_id": "r-1", "sku": "A-1"})
    assert failed["metadata"]["exception"]["type"] == "builtins.KeyError"
    assert (last["message"], last["level"]) == ("the last", "info")
    assert seen[0]["event"] == "stock is low"


NOW = 1_760_000_000


@pytest.mark.parametrize(
    ("given", "expected"),
    [(NOW, NOW), (NOW + 0.5, NOW + 0.5), (NOW * 10**3, NOW), (NOW * 10**6, NOW), (NOW * 10**9, NOW), (float(NOW * 1000), NOW)]
    + [(wrong, None) for wrong in (float("inf"), float("nan"), -1, 0, 10**30, True, "0001-01-01T00:00:00", "soon")],
)
def test_the_time_of_structlog_is_read_in_any_unit_and_never_loses_the_event(door, sender, given, expected):
    StructlogProcessor(sender)(None, "info", {"event": "x", "timestamp": given})
    sender.flush()
    (entry,) = door.entries()
    if expected is None:
        assert abs(entry["timestamp"] / 1e9 - time.time()) < 600
        assert "timestamp" in entry["metadata"]
    else:
        assert entry["timestamp"] == int(expected * 10) * 10**8
        assert "metadata" not in entry


def test_loguru_sends_where_it_was_logged_what_is_bound_and_exceptions(door, sender):
    sink = loguru.add(LoguruSink(sender), level="TRACE")
    try:
        loguru.bind(sku="A-1").success("stock is {}", "low")
        loguru.trace("detail")
        try:
            raise KeyError("sku")
        except KeyError:
            loguru.exception("failed")
    finally:
        loguru.remove(sink)
    low, detail, failed = entries(door, sender)
    assert (low["message"], low["level"], low["metadata"]["sku"]) == ("stock is low", "INFO", "A-1")
    assert (low["metadata"]["file"], detail["level"]) == (__file__, "TRACE")
    assert failed["metadata"]["exception"]["message"] == "'sku'"


def lifespan(app, sender, messages=("startup", "shutdown")):
    """Lead an application through its life; return what it said, each with how many entries the door had by then."""
    import asyncio

    waiting, said = [{"type": f"lifespan.{message}"} for message in messages], []

    async def receive():
        return waiting.pop(0)

    async def send(message):
        said.append((message["type"].removeprefix("lifespan."), sender.counters()["accepted"]))

    asyncio.run(ZeroAsgiMiddleware(app, sender)({"type": "lifespan"}, receive, send))
    return said


async def living(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def refusing(scope, receive, send):
    assert scope["type"] == "http"


async def ignoring(scope, receive, send):
    return


@pytest.mark.parametrize("app", [living, refusing, ignoring])
def test_what_waits_is_delivered_before_the_server_hears_that_the_application_has_ended(door, app):
    sender = Sender(url=door.url, flush_seconds=3600, exit_seconds_max=30)
    sender.send("the last second")
    assert lifespan(app, sender) == [("startup.complete", 0), ("shutdown.complete", 1)]
    assert sender.flush()[0].accepted == 1
    sender.close()


def test_a_door_that_hangs_does_not_keep_the_server_from_ending(door):
    sender = Sender(url=door.url, exit_seconds_max=0.1)
    door.hold.clear()
    sender.send("x")
    assert lifespan(living, sender)[-1] == ("shutdown.complete", 0)
    door.hold.set()
    sender.close()


def test_an_application_that_fails_to_start_says_so_to_the_server(sender):
    async def failing(scope, receive, send):
        await receive()
        raise LookupError("no database")

    with pytest.raises(LookupError, match="no database"):
        lifespan(failing, sender)


@pytest.mark.parametrize(("begun", "message"), [(False, "GET /cart 499"), (True, "GET /cart 200")])
def test_a_request_that_is_cancelled_is_an_entry_too(door, sender, begun, message):
    import asyncio

    async def slow(scope, receive, send):
        if begun:
            await send({"type": "http.response.start", "status": 200})
        await asyncio.sleep(600)

    async def send(message):
        pass

    async def cancelled():
        scope = {"type": "http", "method": "GET", "path": "/cart", "headers": []}
        asking = asyncio.create_task(ZeroAsgiMiddleware(slow, sender)(scope, None, send))
        await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(cancelled())
    (request,) = entries(door, sender)
    assert (request["message"], request["level"], request["metadata"]["http"]["cancelled"]) == (message, "WARN", True)
