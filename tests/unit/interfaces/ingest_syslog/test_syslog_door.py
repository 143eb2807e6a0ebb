"""Syslog over real sockets: what arrives, what holds the sender back, what is lost and counted."""

import asyncio
import sys

import pytest

from tests.patience import READY_SECONDS_MAX
from tests.unit.interfaces.ingest_syslog.conftest import Serve, Server
from zero.application.identity import DEFAULT_TENANT
from zero.application.keys import KeyRequest, Keys
from zero.domain.errors import BufferUnavailable, Overloaded
from zero.domain.key import KeyScope
from zero.infrastructure.memory import ManualClock, MemoryKeyStore, MemoryTelemetry
from zero.interfaces.ingest_syslog.events import SyslogBarred, SyslogClosed, SyslogDelayed, SyslogLost


async def test_lines_and_counted_messages_arrive_in_order(server: Server) -> None:
    await server.send(b"<13>one\n9 <13>two\n\n<13>three\n4 <1>4<13>last line without an end")
    await server.until(lambda: len(server.entries()) == 5)
    assert server.messages() == ["one", "two", "three", "4", "last line without an end"]
    assert {entry.source for entry in server.entries()} == {"127.0.0.1"}


async def test_messages_cut_by_reads_arrive_whole(server: Server) -> None:
    _, writer = await server.connect()
    for byte in b"11 <13>coun\nted<13>line\n":
        writer.write(bytes([byte]))
        await asyncio.sleep(0.002)
    await server.until(lambda: len(server.entries()) == 2)
    assert server.messages() == ["coun\nte", "d<13>line"]
    writer.close()


async def test_a_datagram_is_a_message_whatever_it_holds(server: Server) -> None:
    for data in (b"<13>one", b"<14>two\nlines", b"no priority", b"5 <13>x", b"\xff"):
        server.datagram(data)
    await server.until(lambda: len(server.entries()) == 5)
    assert server.messages() == ["one", "two\nlines", "no priority", "5 <13>x", "\ufffd"]


async def test_messages_that_are_no_entries_are_counted(server: Server) -> None:
    await server.send(b"<13>good\n<13>\n<13>1 - - - - -\n")
    await server.until(lambda: server.lost() == [("tcp", "invalid", 2)])
    assert server.messages() == ["good"]


async def test_a_message_beyond_the_limit_is_dropped_alone_and_counted(serving: Serve) -> None:
    server = await serving(frame_bytes_max=100)
    await server.send(b"<13>a\n" + b"x" * 5000 + b"\n<13>b\n200 <13>" + b"y" * 196 + b"6 <13>cd<13>d\n")
    await server.until(lambda: len(server.entries()) == 4)
    assert server.messages() == ["a", "b", "cd", "d"]
    await server.until(lambda: server.lost() == [("tcp", "too_large", 2)])


async def test_half_of_a_counted_message_is_not_stored_but_counted(server: Server) -> None:
    await server.send(b"<13>a\n50 <13>half")
    await server.until(lambda: server.lost() == [("tcp", "cut_off", 1)])
    assert server.messages() == ["a"]


@pytest.mark.parametrize("cause", [BufferUnavailable("away"), Overloaded("full")])
async def test_what_the_buffer_does_not_take_is_offered_until_it_does(server: Server, cause: Exception) -> None:
    server.buffer.error = cause
    await server.send(b"<13>patient\n")
    server.datagram(b"<13>patient too")
    await server.until(lambda: len(server.telemetry.of(SyslogDelayed)) >= 4)
    server.buffer.error = None
    await server.until(lambda: sorted(server.messages()) == ["patient", "patient too"])
    assert server.lost() == []


async def test_a_sender_is_held_back_while_the_buffer_takes_nothing_and_loses_nothing(serving: Serve) -> None:
    server = await serving(frame_bytes_max=1000, stream_bytes_max=20_000)
    server.buffer.gate.clear()
    _, writer = await server.connect()
    line, count = b"<13>" + b"x" * 95 + b"\n", 200_000
    writer.write(line * count)
    await asyncio.sleep(0.5)
    assert writer.transport.get_write_buffer_size() > 5_000_000, "all of it was read"
    server.buffer.gate.set()
    await server.until(lambda: server.buffer._shards[0].accepted[DEFAULT_TENANT] == count)
    writer.close()


async def test_datagrams_beyond_the_bound_are_dropped_and_counted(serving: Serve) -> None:
    server = await serving(datagrams_bytes_max=30_000)
    server.buffer.gate.clear()
    for number in range(300):
        server.datagram(b"<13>%095d" % number)
    await server.until(lambda: server.lost() != [])
    server.buffer.gate.set()
    await server.until(lambda: len(server.entries()) + sum(count for _, _, count in server.lost()) == 300)
    assert len(server.entries()) >= 20
    assert {reason for _, reason, _ in server.lost()} == {"full"}


async def test_a_message_that_does_not_end_closes_its_stream(serving: Serve) -> None:
    server = await serving(frame_timeout_seconds=0.2)
    reader, writer = await server.connect()
    writer.write(b"<13>never ending")
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(60):
            assert await reader.read(1) == b""
            raise ConnectionResetError  # closed in order is as good
    await server.until(lambda: server.telemetry.of(SyslogClosed)[0].reason == "slow")
    await server.until(lambda: server.lost() == [("tcp", "cut_off", 1)])


async def test_a_silent_stream_is_closed(serving: Serve) -> None:
    server = await serving(idle_timeout_seconds=0.2)
    reader, _ = await server.connect()
    async with asyncio.timeout(60):
        assert await reader.read(1) == b""
    assert [event.reason for event in server.telemetry.of(SyslogClosed)] == ["idle"]


async def test_streams_beyond_the_limit_are_closed_and_the_others_live(serving: Serve) -> None:
    server = await serving(streams_max=2)
    _, first = await server.connect()
    await server.connect()
    await server.connect()
    await server.until(lambda: [event.reason for event in server.telemetry.of(SyslogClosed)] == ["too_many"])
    first.write(b"<13>alive\n")
    await server.until(lambda: server.messages() == ["alive"])


async def test_partial_messages_of_many_streams_have_one_bound(serving: Serve) -> None:
    server = await serving(frame_bytes_max=10_000, stream_bytes_max=10_000, streams_bytes_max=50_000)
    for _ in range(10):
        await server.send(b"<13>" + b"x" * 9_000, close=False)
    await server.until(lambda: any(event.reason == "crowded" for event in server.telemetry.of(SyslogClosed)))


async def test_stop_delivers_what_was_received(server: Server) -> None:
    server.buffer.gate.clear()
    await server.send(b"<13>one\n<13>two\n", close=False)
    server.datagram(b"<13>three")
    await asyncio.sleep(0.2)
    server.stop.set()
    await asyncio.sleep(0.1)
    server.buffer.gate.set()
    await asyncio.wait_for(asyncio.shield(server.task), 60)
    assert sorted(server.messages()) == ["one", "three", "two"]


async def test_stop_counts_what_could_not_be_delivered(server: Server) -> None:
    server.buffer.error = BufferUnavailable("away")
    await server.send(b"<13>one\n<13>two\n", close=False)
    server.datagram(b"<13>three")
    await asyncio.sleep(0.2)
    server.stop.set()
    await asyncio.wait_for(asyncio.shield(server.task), 60)
    assert sorted(server.lost()) == [("tcp", "stop", 2), ("udp", "stop", 1)]


async def test_messages_belong_to_the_tenant_of_the_listeners_key(serving: Serve) -> None:
    store = MemoryKeyStore()
    made = await Keys(store, ManualClock(), MemoryTelemetry()).create(KeyRequest("acme", frozenset({KeyScope.INGEST})), "test")
    server = await serving(keys=store, key=made.text)
    await server.send(b"<13>ours\n")
    await server.until(lambda: server.messages("acme") == ["ours"])


async def test_when_the_key_ends_senders_are_held_back_and_it_is_said_once(serving: Serve) -> None:
    store = MemoryKeyStore()
    keys = Keys(store, ManualClock(), MemoryTelemetry())
    made = await keys.create(KeyRequest("acme", frozenset({KeyScope.INGEST})), "test")
    server = await serving(keys=store, key=made.text)
    await keys.revoke(made.key.id, "test")
    await server.keys.refresh()
    await server.send(b"<13>too late\n")
    server.datagram(b"<13>too late too")
    await server.until(lambda: len(server.telemetry.of(SyslogDelayed)) >= 4)
    assert (server.lost(), server.messages("acme")) == ([], [])
    server.stop.set()
    await asyncio.wait_for(asyncio.shield(server.task), READY_SECONDS_MAX)
    assert server.lost() == [("tcp", "stop", 1), ("udp", "stop", 1)]
    assert [event.message for event in server.telemetry.of(SyslogBarred)] == ["ZERO_SYSLOG_KEY: the API key was revoked"]


async def test_losses_are_told_once_a_second_however_many_there_are(serving: Serve) -> None:
    server = await serving(sweep_seconds=0.3)
    for _ in range(20):
        await server.send(b"<13>\n" * 3)
    await server.until(lambda: server.lost() == [("tcp", "invalid", 60)])
    assert len(server.telemetry.of(SyslogLost)) <= 3


async def test_a_line_that_begins_with_a_number_is_a_line(server: Server) -> None:
    await server.send(b"4711 <b>bold</b>\n1000000000 <13>large\n<13>next\n", close=False)
    await server.until(lambda: len(server.entries()) == 3)
    assert server.messages() == ["4711 <b>bold</b>", "1000000000 <13>large", "next"]


async def test_a_crowd_of_half_messages_costs_the_largest_not_the_one_who_is_whole(serving: Serve) -> None:
    server = await serving(frame_bytes_max=10_000, stream_bytes_max=10_000, streams_bytes_max=50_000)
    _, honest = await server.connect()
    for _ in range(10):
        await server.send(b"<13>" + b"x" * 9_000, close=False)
        honest.write(b"<13>half")
        await asyncio.sleep(0.02)
        honest.write(b" and half\n")
    await server.until(lambda: server.messages().count("half and half") == 10)
    assert {event.reason for event in server.telemetry.of(SyslogClosed)} == {"crowded"}
    assert {(transport, reason) for transport, reason, _ in server.lost()} <= {("tcp", "cut_off")}


async def test_what_is_sent_before_the_sender_notices_the_stop_is_taken_still(serving: Serve) -> None:
    server = await serving(linger_seconds=2.0, stop_timeout_seconds=4.0)
    reader, writer = await server.connect()
    writer.write(b"<13>before\n")
    await server.until(lambda: server.messages() == ["before"])
    server.stop.set()
    assert await asyncio.wait_for(reader.read(1), READY_SECONDS_MAX) == b"", "the sender cannot notice"
    writer.write(b"<13>behind\n")
    writer.close()
    await asyncio.wait_for(asyncio.shield(server.task), READY_SECONDS_MAX)
    assert server.messages() == ["before", "behind"]


async def test_datagrams_that_the_kernel_has_at_the_stop_are_taken_still(serving: Serve) -> None:
    server = await serving()
    for number in range(200):
        server.datagram(b"<13>%d" % number)
    server.stop.set()  # nothing was read yet: this coroutine has not let the loop run
    await asyncio.wait_for(asyncio.shield(server.task), READY_SECONDS_MAX)
    assert len(server.entries()) == 200


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux says how many it dropped")
async def test_datagrams_that_the_kernel_drops_are_counted(serving: Serve) -> None:
    server = await serving(receive_buffer_bytes=4096)
    for _ in range(500):
        server.datagram(b"<13>" + b"x" * 1000)
    await server.until(lambda: server.lost() and len(server.entries()) + server.lost()[0][2] == 500)
    assert [(transport, reason) for transport, reason, _ in server.lost()] == [("udp", "kernel")]
