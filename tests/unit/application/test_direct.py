"""Ingest without a funnel appends each request alone."""

import asyncio

import pytest

from tests.unit.application.ingest.conftest import GatedBuffer, decode
from zero.application.direct import DirectIngest
from zero.application.identity import anyone
from zero.application.ingest import future_waiter
from zero.application.submission import Submission
from zero.domain.errors import BufferUnavailable
from zero.infrastructure.memory import ManualClock, MemoryCodec, MemoryTelemetry


def submit(ingest: DirectIngest, body: bytes):
    waiter, outcome = future_waiter()
    ingest.accept(Submission(body, decode, "peer", waiter, anyone()))
    return outcome


async def test_requests_that_arrive_together_are_appended_one_by_one_and_at_once():
    buffer = GatedBuffer()
    buffer.gate.clear()
    ingest = DirectIngest(MemoryCodec(), buffer, ManualClock(), MemoryTelemetry())
    await ingest.start()
    outcomes = [submit(ingest, b"ab") for _ in range(5)]
    await asyncio.sleep(0.05)
    assert [len(frames) for frames in buffer.calls] == [1] * 5
    buffer.gate.set()
    receipts = [await outcome for outcome in outcomes]
    assert [receipt.accepted for receipt in receipts] == [2] * 5
    await ingest.close()


async def test_a_failed_append_is_told_to_its_sender():
    buffer = GatedBuffer()
    ingest = DirectIngest(MemoryCodec(), buffer, ManualClock(), MemoryTelemetry())
    await ingest.start()
    buffer.error = BufferUnavailable("away")
    with pytest.raises(BufferUnavailable):
        await submit(ingest, b"a")
    await ingest.close()


async def test_closing_waits_for_what_was_taken():
    buffer = GatedBuffer()
    buffer.gate.clear()
    ingest = DirectIngest(MemoryCodec(), buffer, ManualClock(), MemoryTelemetry())
    await ingest.start()
    outcome = submit(ingest, b"a")
    closing = asyncio.create_task(ingest.close())
    await asyncio.sleep(0.01)
    assert not closing.done()
    buffer.gate.set()
    await closing
    assert outcome.done()
