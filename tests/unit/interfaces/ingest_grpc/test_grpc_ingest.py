"""What grpcio clients get from the door: receipts, streams, keys of retries, statuses."""

import asyncio
import gzip

import grpc
import pytest

from tests.unit.interfaces.ingest_grpc.conftest import Serve, Server, batch, details, failed
from zero.application.ingest import IngestOptions
from zero.domain.entry import Level
from zero.domain.errors import BufferUnavailable, Overloaded
from zero.infrastructure.memory import ManualClock, MemoryBuffer

BAD_ENTRY = b"\x0a\x02\x18\x03"  # an entry with a level and no message


class FailingBuffer(MemoryBuffer):
    """A buffer that fails its next appends with ``error``, after letting ``lets`` of them pass."""

    def __init__(self, error: Exception | None = None, lets: int = 0) -> None:
        super().__init__(ManualClock())
        self.error = error
        self.lets = lets
        self.gate = asyncio.Event()
        self.gate.set()

    async def append(self, appends):
        await self.gate.wait()
        if self.error and self.lets <= 0:
            raise self.error
        self.lets -= 1
        return await super().append(appends)


async def test_a_batch_is_acknowledged_and_lies_in_the_buffer_as_it_came(server: Server) -> None:
    receipt = await server.ingest(batch("one", "two", trace_id="ab", metadata={"n": 1, "x": 0.5, "ok": True}))
    assert (receipt.accepted, receipt.rejected, len(receipt.batch_id), receipt.batches) == (2, 0, 16, 0)
    one, two = server.entries()
    assert (one.message, two.message, one.level, one.app_id, one.trace_id) == ("one", "two", Level.WARN, "grpc", "ab")
    assert one.metadata == {"n": 1, "x": 0.5, "ok": True}


async def test_an_entry_without_a_source_gets_the_address_of_the_peer(server: Server) -> None:
    await server.ingest(batch("one"))
    assert server.entries()[0].source == "127.0.0.1"


async def test_rejected_entries_are_named_in_the_receipt(server: Server) -> None:
    receipt = await server.ingest(batch("good") + BAD_ENTRY)
    assert (receipt.accepted, receipt.rejected, receipt.errors[0].index) == (1, 1, 1)
    assert "message" in receipt.errors[0].error


async def test_a_batch_of_which_nothing_is_accepted_is_invalid_and_its_receipt_is_among_the_details(server: Server) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await server.ingest(BAD_ENTRY)
    assert failed(error)[0] is grpc.StatusCode.INVALID_ARGUMENT
    assert details(error)["zero.v1.IngestReceipt"].rejected == 1


@pytest.mark.parametrize("body", [b"", b"\x0a\xff", b"\x0a\x05ab", b"\x0b", b"\xff" * 11])
async def test_bytes_that_are_no_batch_are_invalid(server: Server, body: bytes) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await server.ingest(body)
    assert failed(error)[0] is grpc.StatusCode.INVALID_ARGUMENT
    assert not server.entries()


async def test_a_retry_under_the_same_key_returns_the_first_receipt_and_stores_nothing(server: Server) -> None:
    body = batch("once")
    first, again = [await server.ingest(sent, ("idempotency-key", "k1")) for sent in (body, gzip.compress(body))]
    assert first == again
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await server.ingest(batch("another"), ("idempotency-key", "k1"))
    assert failed(error)[0] is grpc.StatusCode.INVALID_ARGUMENT
    assert "Idempotency-Key was used before" in failed(error)[1]
    assert [entry.message for entry in server.entries()] == ["once"]


@pytest.mark.parametrize("metadata", [("idempotency-key", "with space"), ("zero-ack", "soon"), ("idempotency-key", "k" * 256)])
async def test_metadata_that_cannot_be_meant_is_invalid(server: Server, metadata: tuple[str, str]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await server.ingest(batch("one"), metadata)
    assert failed(error)[0] is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_receipt_says_how_safe_the_entries_are_when_asked(server: Server) -> None:
    assert (await server.ingest(batch("one"), ("zero-ack", "durable"))).ack == "durable"


async def test_a_stream_is_summed_up_and_arrives_in_order(server: Server) -> None:
    receipt = await server.stream([batch(f"{number}-a", f"{number}-b") for number in range(50)])
    assert (receipt.accepted, receipt.batches, receipt.batch_id) == (100, 50, "")
    assert [entry.message for entry in server.entries()] == [f"{number}-{letter}" for number in range(50) for letter in "ab"]


async def test_errors_of_a_stream_are_numbered_through_it(server: Server) -> None:
    receipt = await server.stream([batch("a", "b"), batch("c") + BAD_ENTRY])
    assert (receipt.accepted, receipt.rejected, receipt.errors[0].index) == (3, 1, 3)


async def test_an_empty_stream_gets_an_empty_receipt(server: Server) -> None:
    assert (await server.stream([])).batches == 0


@pytest.mark.timed
async def test_a_stream_that_fails_says_how_many_of_its_first_batches_are_acknowledged(serving: Serve) -> None:
    server = await serving(buffer=FailingBuffer(BufferUnavailable("the buffer is away"), lets=2))

    async def bodies():
        for number in range(2):
            yield batch(f"b{number}")
            await asyncio.sleep(0.3)  # so that the next one is not flushed with it
        yield batch("lost")

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await server.stream(bodies())
    assert failed(error)[0] is grpc.StatusCode.UNAVAILABLE
    assert "first 2 batches" in failed(error)[1]
    assert dict(error.value.trailing_metadata())["zero-batches-acknowledged"] == "2"
    assert "google.rpc.RetryInfo" in details(error)


async def test_a_stream_sent_again_under_its_key_stores_only_what_was_missing(server: Server) -> None:
    bodies = [batch(f"{number}") for number in range(5)]
    await server.stream(bodies[:3], ("idempotency-key", "s"))
    receipt = await server.stream(bodies, ("idempotency-key", "s"))
    assert (receipt.accepted, receipt.batches) == (5, 5)
    assert [entry.message for entry in server.entries()] == [str(number) for number in range(5)]


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (BufferUnavailable("away", retry_after_seconds=1.5), grpc.StatusCode.UNAVAILABLE),
        (Overloaded("full", retry_after_seconds=1.5), grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
)
async def test_what_may_pass_later_says_when_in_both_forms_that_clients_read(serving: Serve, cause, code) -> None:
    server = await serving(buffer=FailingBuffer(cause))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await server.ingest(batch("one"))
    assert failed(error) == (code, cause.message)
    delay = details(error)["google.rpc.RetryInfo"].retry_delay
    assert (delay.seconds, delay.nanos) == (1, 500_000_000)
    assert "google.rpc.retryinfo-bin" in dict(error.value.trailing_metadata())


async def test_a_defect_of_ours_is_internal_and_says_nothing(serving: Serve) -> None:
    server = await serving(buffer=FailingBuffer(RuntimeError("secret")))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await server.ingest(batch("one"))
    assert failed(error)[0] is grpc.StatusCode.INTERNAL
    assert "secret" not in failed(error)[1]


@pytest.mark.timed
async def test_a_client_that_gives_up_has_stored_the_whole_batch_or_nothing(serving: Serve) -> None:
    buffer = FailingBuffer()
    server = await serving(buffer=buffer)
    buffer.gate.clear()
    call = server.channel().unary_unary("/zero.v1.LogService/IngestLogs")
    late = [call(batch("a", "b", "c"), timeout=0.3) for _ in range(8)]
    for one in late:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await one
        assert failed(error)[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    gone = call(batch("x", "y"))
    await asyncio.sleep(0.1)
    gone.cancel()
    buffer.gate.set()
    await server.ingest(batch("last"))
    messages = [entry.message for entry in server.entries()]
    assert messages.count("a") == messages.count("b") == messages.count("c")
    assert messages.count("x") == messages.count("y")
    assert messages.count("last") == 1


@pytest.mark.timed
async def test_stop_answers_what_is_in_flight_and_refuses_what_is_new(serving: Serve) -> None:
    buffer = FailingBuffer()
    server = await serving(buffer=buffer)
    buffer.gate.clear()
    waiting = asyncio.create_task(server.ingest(batch("in flight")))
    await asyncio.sleep(0.2)
    server.stop.set()
    await asyncio.sleep(0.2)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await server.ingest(batch("too late"))
    assert failed(error)[0] is grpc.StatusCode.UNAVAILABLE
    buffer.gate.set()
    assert (await waiting).accepted == 1
    await asyncio.wait_for(asyncio.shield(server.task), 60)


async def test_a_large_batch_is_decoded_off_the_loop(serving: Serve) -> None:
    server = await serving(ingest=IngestOptions(inline_bytes_max=1024))
    receipt = await server.ingest(batch(*("x" * 1000 for _ in range(2000))))
    assert receipt.accepted == 2000
