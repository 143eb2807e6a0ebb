import contextvars
import json
import logging
import logging.config
import subprocess
import sys
import threading

import pytest

from zero.client import Sender, ZeroHandler, bound


@pytest.fixture
def log(door):
    handlers, logger = [], logging.getLogger("shop.cart")
    logger.propagate = False
    logger.setLevel(1)

    def make(**options):
        handlers.append(ZeroHandler(url=door.url, app_id="shop", **{"exit_seconds_max": 30, **options}))
        logger.addHandler(handlers[-1])
        return logger

    make.handlers = handlers
    yield make
    for handler in handlers:
        logger.removeHandler(handler)
        handler.close()


def logged(door, log):
    log.handlers[0].flush(timeout_seconds=30)
    return door.entries()


def test_a_record_becomes_an_entry_that_says_where_it_was_logged(door, log):
    log(environment="staging", source="host-7").warning("slow query %d", 7)
    (entry,) = logged(door, log)
    assert {name: entry[name] for name in ("level", "message", "app_id", "environment", "source")} == {
        "level": "WARN",
        "message": "slow query 7",
        "app_id": "shop",
        "environment": "staging",
        "source": "host-7",
    }
    metadata = entry["metadata"]
    assert (metadata["logger"], metadata["file"], metadata["thread"]) == ("shop.cart", __file__, "MainThread")
    assert metadata["function"] == "test_a_record_becomes_an_entry_that_says_where_it_was_logged"
    assert entry["timestamp"] > 1_700_000_000 * 10**9


@pytest.mark.parametrize(
    ("number", "level"), [(1, "TRACE"), (10, "DEBUG"), (25, "INFO"), (30, "WARN"), (45, "ERROR"), (50, "FATAL"), (99, "FATAL")]
)
def test_levels_of_logging_are_ours(door, log, number, level):
    log().log(number, "x")
    assert logged(door, log)[0]["level"] == level


def test_extra_context_and_bound_fields_become_metadata_as_they_were_when_logged(door, log):
    tenant = contextvars.ContextVar("tenant")
    tenant.set("acme")
    cart = {"items": [1, 2], 3: {4}}
    with bound(request_id="r-1", shadowed="bound"):
        log(context=[tenant]).info("x", extra={"cart": cart, "ratio": float("nan"), "shadowed": "given", "user_id": 7})
    cart["items"].append(3)
    log.handlers[0].flush()
    (entry,) = door.entries()
    assert entry["user_id"] == "7"
    found = {name: entry["metadata"][name] for name in ("tenant", "request_id", "cart", "ratio", "shadowed")}
    cart = {"items": [1, 2], "3": [4]}
    assert found == {"tenant": "acme", "request_id": "r-1", "cart": cart, "ratio": "nan", "shadowed": "given"}


def test_what_is_changed_after_the_call_does_not_change_what_was_logged(door, log):
    thing = ["before"]
    log().info("it is %s", thing)
    thing[0] = "after"
    assert logged(door, log)[0]["message"] == "it is ['before']"


def test_an_exception_becomes_type_message_and_stack_trace(door, log):
    try:
        raise KeyError("sku")
    except KeyError:
        log().exception("no such thing", stack_info=True)
    metadata = logged(door, log)[0]["metadata"]
    assert metadata["exception"]["type"] == "builtins.KeyError"
    assert metadata["exception"]["message"] == "'sku'"
    assert "raise KeyError" in metadata["exception"]["stacktrace"]
    assert metadata["stack"].startswith("Stack (most recent call last)")


def test_a_stack_trace_that_the_door_would_refuse_is_shortened_and_says_so(door, log):
    try:
        raise ValueError("ü" * 100_000)
    except ValueError:
        log().exception("x")
    stack = logged(door, log)[0]["metadata"]["exception"]["stacktrace"]
    assert len(stack.encode()) < 16 * 1024
    assert "characters left out" in stack


class Awkward:
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__


@pytest.mark.parametrize("extra", [{"logger": "mine", "line": "mine"}, {"thing": Awkward()}, {"a": {b"b": (1, {2})}}])
def test_no_extra_is_too_odd(door, log, extra):
    loop: list = []
    loop.append(loop)
    log().info("x", extra={**extra, "loop": loop})
    (entry,) = logged(door, log)
    assert entry["metadata"].get("logger") == extra.get("logger", "shop.cart")
    assert entry["metadata"]["loop"]


def test_arguments_that_do_not_fit_are_logged_all_the_same(door, log):
    log()
    for message, args in (("%d items", ("many",)), ("%s", (Awkward(),)), ("", ()), ("lone \ud800 surrogate \n newline", ())):
        log.handlers[0].handle(logging.makeLogRecord({"msg": message, "args": args}))
    messages = [entry["message"] for entry in logged(door, log)]
    assert messages[0].startswith("%d items (not formatted: TypeError")
    assert messages[1].startswith("%s (not formatted: RuntimeError")
    assert messages[2:] == ["(empty)", "lone ? surrogate \n newline"]


def test_dict_config_makes_one_with_all_its_options(door):
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"zero": {"class": "zero.client.ZeroHandler", "url": door.url, "overflow": "block", "level": "INFO"}},
        "loggers": {"shop.dict": {"handlers": ["zero"], "level": "DEBUG", "propagate": False}},
    }
    logging.config.dictConfig(config)
    logger = logging.getLogger("shop.dict")
    logger.debug("not this")
    logger.info("this")
    logger.handlers[0].flush()
    assert [entry["message"] for entry in door.entries()] == ["this"]
    config["handlers"], config["loggers"] = {}, {"shop.dict": {"handlers": []}}
    logging.config.dictConfig(config)


def test_filters_and_formatters_have_their_say(door, log):
    logger = log()
    log.handlers[0].addFilter(lambda record: "secret" not in record.getMessage())
    log.handlers[0].setFormatter(logging.Formatter("<%(message)s>"))
    logger.info("secret")
    logger.info("open")
    assert [entry["message"] for entry in logged(door, log)] == ["<open>"]


def test_what_the_sender_itself_logs_is_not_sent(door, log, monkeypatch):
    logger = log()
    handler = log.handlers[0]
    post = handler.sender._door.post

    def chatty(*arguments):
        logger.debug("connecting")
        assert handler.flush() == []
        return post(*arguments)

    monkeypatch.setattr(handler.sender._door, "post", chatty)
    logger.info("x")
    assert [entry["message"] for entry in logged(door, log)] == ["x"]
    assert handler.counters()["own_records"] == 1


def test_the_key_is_sent_and_never_shown(door, log, capfd):
    door.answers = [(401, {}, {"error": {"message": "no key sesame-1234"}})]
    logger = log(api_key="sesame-1234")
    logger.info("x")
    assert logged(door, log)
    handler = log.handlers[0]
    assert door.asked[0][1]["X-API-Key"] == "sesame-1234"
    assert "sesame" not in repr(handler) + repr(handler.sender.options) + repr(handler.sender._door_options)
    told = capfd.readouterr().err
    assert "***" in told
    assert "sesame" not in told


def test_a_url_with_a_password_is_refused_without_showing_it():
    with pytest.raises(ValueError, match="api_key") as refused:
        ZeroHandler(url="http://me:sesame@127.0.0.1:4318")
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize(
    "wrong",
    [{"overflow": "explode"}, {"ack": "maybe"}, {"batch_entries_max": 0}, {"queue_entries_max": 0}, {"flush_seconds": 0}],
)
def test_options_that_cannot_work_are_refused_where_they_are_given(wrong):
    with pytest.raises(ValueError):
        Sender(**wrong)


def test_a_shared_sender_keeps_its_own_options(door):
    sender = Sender(url=door.url)
    with pytest.raises(TypeError, match="app_id"):
        ZeroHandler(sender=sender, app_id="other")
    first, second = ZeroHandler(sender=sender), ZeroHandler(sender=sender)
    first.close()
    second.emit(logging.makeLogRecord({"msg": "still open"}))
    second.flush()
    assert [entry["message"] for entry in door.entries()] == ["still open"]
    sender.close()


def test_the_active_span_of_opentelemetry_is_picked_up(door, log):
    from opentelemetry.sdk.trace import TracerProvider

    logger = log()
    logger.info("outside")
    with TracerProvider().get_tracer("shop").start_as_current_span("pay") as span:
        logger.info("inside")
        logger.info("with extra", extra={"sku": "A-1"})
        log.handlers[0].sender.send("by the sender")
    context = span.get_span_context()
    outside, *inside = logged(door, log)
    assert "trace_id" not in outside
    ids = (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert {(entry["trace_id"], entry["span_id"]) for entry in inside} == {ids}
    assert len(inside) == 3


def test_a_signal_handler_may_log_at_any_moment(door, log):
    import signal

    logger = log(queue_entries_max=50)
    before = signal.signal(signal.SIGALRM, lambda *_: logger.info("signal", extra={"big": "x" * 3000}))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        for number in range(3000):
            logger.info("n %d", number, extra={"big": "x" * 3000} if number % 2 else None)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    log.handlers[0].flush(timeout_seconds=30)
    counters = log.handlers[0].counters()
    assert counters["accepted"] == len(door.entries())
    assert counters["accepted"] + counters["dropped_oldest"] >= 3000


def test_threads_lose_nothing_while_there_is_room(door, log):
    logger = log()
    threads = [threading.Thread(target=lambda: [logger.info("x") for _ in range(2000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    receipts = log.handlers[0].flush(timeout_seconds=30)
    assert sum(receipt.accepted for receipt in receipts) == len(door.entries()) == 8000


def test_opentelemetry_is_not_imported_for_its_own_sake(door):
    program = (
        "import sys, logging; from zero.client import ZeroHandler\n"
        f"handler = ZeroHandler(url={door.url!r}); logging.getLogger().addHandler(handler); logging.error('x')\n"
        "assert handler.flush()[0].accepted == 1\n"
        "print(*[name for name in sys.modules if name.split('.')[0] in ('opentelemetry', 'structlog', 'loguru', 'click')])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
    assert json.loads(door.asked[0][2])["message"] == "x"


@pytest.mark.timed
def test_a_call_costs_its_thread_less_than_that_of_the_standard_queue_handler(door):
    import logging.handlers
    import queue
    import time

    logger = logging.getLogger("shop.cost")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    options = {"flush_seconds": 3600, "queue_entries_max": 10**6, "batch_entries_max": 20_000, "batch_bytes_max": 8 << 20}
    zero = ZeroHandler(url=door.url, exit_seconds_max=30, **options)

    def cost(handler):
        logger.handlers[:] = [handler]
        began = time.thread_time()
        for number in range(3000):
            logger.info("request %s took %d ms", "/cart", number)
        return time.thread_time() - began

    try:
        standard = min(cost(logging.handlers.QueueHandler(queue.SimpleQueue())) for _ in range(3))
        assert min(cost(zero) for _ in range(3)) < 0.85 * standard
    finally:
        logger.handlers.clear()
        zero.close()
