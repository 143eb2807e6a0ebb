"""What the processes under the knife do; each act is the whole life of one child."""

import asyncio
import hashlib
import json
import random
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.torture.killpoints.tracing import mark
from zero.application.dead_letters import DeadLetterParts, DeadLetters
from zero.application.drain import DrainOptions, DrainParts, ShardDrain
from zero.application.events import Event
from zero.application.ports import Append
from zero.application.retry import BackoffOptions
from zero.domain.batch_id import BatchIds
from zero.domain.errors import NotFound
from zero.domain.frame import pack_frame, unpack_frame
from zero.embedded.clickhouse.options import WRITER, ServerOptions, read_passwords
from zero.infrastructure.clickhouse.migrations import migrate
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.clickhouse.store import ClickHouseStore
from zero.infrastructure.codec.log_batch import read_log_batch
from zero.infrastructure.native.codec import NativeCodec
from zero.infrastructure.redis.buffer import RedisBuffer
from zero.infrastructure.redis.key_store import RedisKeyStore
from zero.infrastructure.redis.options import RedisOptions
from zero.infrastructure.redis.shard_log import RedisShardLog
from zero.infrastructure.system.clock import SystemClock

DRAIN_SECONDS_MAX = 60.0
FRAMES, FRAME_ENTRIES, BLOCK_ROWS = 6, 20, 60
TENANTS = ("default", "grün")
LEVELS = ("DEBUG", "INFO", "ERROR")
POISON = "poison"
CODEC = NativeCodec()
_IDS = BatchIds(1)
_DAY_NS = 86_400 * 10**9

Rows = Mapping[tuple[int, int], tuple[str, bool]]
"""(batch id, index) → digest of what was sent, and whether the store refuses it."""
Stored = tuple[int, int, str]
"""Batch id, index and digest of a row of the store."""
_DIGEST_SQL = (
    "lower(hex(MD5(concat(tenant, '\\x1f', message, '\\x1f', toString(toUnixTimestamp64Nano(timestamp)), '\\x1f', app_id,"
    " '\\x1f', toString(level), '\\x1f', toString(metadata.check)))))"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where buffer and store are."""

    buffer_url: str
    store_folder: Path
    port: int

    def buffer_options(self) -> RedisOptions:
        """Return how to reach the buffer, with patience: an append whose outcome is unknown could not be judged."""
        return RedisOptions(self.buffer_url, timeout_seconds=20.0, reply_timeout_seconds=20.0, lease_seconds=10.0)

    def store_options(self) -> ClickHouseOptions:
        """Return how to reach the store."""
        password = read_passwords(self.store_folder / "passwords")[WRITER]
        return ClickHouseOptions(f"http://{WRITER}:{password}@127.0.0.1:{self.port}/default")

    def query(self, sql: str) -> bytes:
        """Ask the store."""
        options = self.store_options()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/", sql.encode())
        request.add_header("X-ClickHouse-User", options.user)
        request.add_header("X-ClickHouse-Key", options.password)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return bytes(reply.read())


class Silent:
    """Telemetry that nobody reads."""

    def emit(self, event: Event) -> None:
        """Do nothing."""


def store(place: Place) -> None:
    """Be the embedded ClickHouse server. The engine is loaded here: it does not work in the child of a process that has it."""
    from zero.embedded.clickhouse.server import serve

    passwords = read_passwords(place.store_folder / "passwords")
    serve(ServerOptions(place.store_folder, "127.0.0.1", place.port, passwords), ready=lambda url: mark())


def prepare_store(place: Place) -> None:
    """Make the tables, and let them refuse what says that it is poison."""
    migrate(place.store_options())
    refuse_poison(place)


def refuse_poison(place: Place) -> None:
    """Let the store refuse the poison."""
    place.query(f"ALTER TABLE logs ADD CONSTRAINT IF NOT EXISTS healthy CHECK position(message, '{POISON}') = 0")


def take_poison(place: Place) -> None:
    """Mend the store: it takes everything."""
    place.query("ALTER TABLE logs DROP CONSTRAINT IF EXISTS healthy")


def merge(place: Place) -> None:
    """Keep the store merging, for ever."""
    while True:
        with suppress(OSError):
            place.query("OPTIMIZE TABLE logs FINAL")
        time.sleep(0.01)


def drain(place: Place) -> None:
    """Drain shard 0 until it is empty."""
    asyncio.run(_drain(place))


async def _drain(place: Place) -> None:
    log, kept = RedisShardLog(place.buffer_options()), ClickHouseStore(place.store_options())
    parts = DrainParts(log, kept, CODEC, SystemClock(), random.Random(), Silent())
    retry = BackoffOptions(first_seconds=0.05, seconds_max=0.5)
    options = DrainOptions(block_rows_max=BLOCK_ROWS, linger_seconds=0.0, idle_seconds=0.05, retry=retry)
    one = ShardDrain(0, "drain-0", parts, options)
    one.stop(DRAIN_SECONDS_MAX)
    await one.run()
    await log.close()
    await kept.close()


def replay(place: Place) -> None:
    """Replay every dead letter."""
    asyncio.run(_replay(place))


async def _replay(place: Place) -> None:
    buffer, journal = RedisBuffer(place.buffer_options()), RedisKeyStore(place.buffer_options())
    letters = DeadLetters(DeadLetterParts(buffer, journal, CODEC.crc32c, read_log_batch, SystemClock(), Silent()))
    for id, _ in await letters.list("", 1000):
        with suppress(NotFound):
            await letters.replay(id, "operator")
    await journal.close()
    await buffer.close()


async def append(place: Place, source: random.Random, days: int, poison: bool) -> Rows:
    """Put frames in the buffer whose blocks span so many days, some rows of which the store refuses; return their rows."""
    rows: dict[tuple[int, int], tuple[str, bool]] = {}
    buffer = RedisBuffer(place.buffer_options())
    for _ in range(FRAMES):
        now_ns = time.time_ns()
        bid, tenant = _IDS.next(now_ns // 1_000_000), source.choice(TENANTS)
        body = []
        for index in range(FRAME_ENTRIES):
            bad = poison and source.random() < 0.01
            message = f"{POISON if bad else 'entry'} {index} of {bid}: {source.random()} ü"
            at_ns, check = now_ns - index % days * _DAY_NS, f"grün {source.random()}"
            fields = {"message": message, "timestamp": at_ns, "app_id": f"app-{index % 3}", "level": source.choice(LEVELS)}
            body.append(fields | {"metadata": {"check": check}})
            told = "\x1f".join((tenant, *map(str, fields.values()), check))
            rows[bid, index] = hashlib.md5(told.encode()).hexdigest(), bad
        decoded = CODEC.decode_json(json.dumps(body).encode(), now_ns, "127.0.0.1")
        frame = pack_frame(bid, now_ns // 1_000_000, FRAME_ENTRIES, tenant, [decoded.payload], CODEC.crc32c)
        await buffer.append([Append(0, frame, tenant, FRAME_ENTRIES)])
    await buffer.close()
    return rows


def judge(place: Place, rows: Rows, cured: bool, others: Iterable[int], verdict: Path) -> None:
    """Write what is wrong with these rows, by ids and digests, and with the ledger of all; then drop the letters.

    ``others`` are the batch ids of earlier points: what is in the store and neither theirs nor of these rows, nobody sent.
    """
    verdict.write_text(json.dumps(asyncio.run(_judge(place, rows, cured, others))))


async def _judge(place: Place, rows: Rows, cured: bool, others: Iterable[int]) -> dict[str, Any]:
    earlier = ",".join(map(str, sorted(others))) or "0"
    found = place.query(f"SELECT _bid, _idx, {_DIGEST_SQL} FROM logs WHERE _bid NOT IN ({earlier}) FORMAT TSV").decode()
    stored = [(int(bid), int(index), digest) for bid, index, digest in (line.split("\t") for line in found.splitlines())]
    total = int(place.query("SELECT count() FROM logs FORMAT TSV"))
    buffer = RedisBuffer(place.buffer_options())
    letters = await buffer.dead_letters("", 1000)
    aside = Counter((unpack_frame(letter.frame, CODEC.crc32c).batch_id, letter.index) for _, letter in letters)
    refused = Counter(one for one, (_, bad) in rows.items() if bad and not cured)
    wrong = wrong_rows(rows, stored, refused)
    problems = [f"{count} {kind}" for kind, count in wrong.items() if count]
    problems += [f"dead letters {sorted(aside)} instead of {sorted(refused)}"] if aside != refused else []
    problems += _unbalanced(await buffer.ledger(), total)
    for id, _ in letters:
        await buffer.drop(id)
    await buffer.close()
    return {"problems": problems, "wrong": wrong, "rows": len(rows), "dead_lettered": aside.total()}


def wrong_rows(rows: Rows, stored: Iterable[Stored], refused: Iterable[tuple[int, int]]) -> dict[str, int]:
    """Count rows that are missing, there again, not what was sent, or of nobody; what was refused must not be there."""
    wrong, seen, refusals = dict.fromkeys(("lost", "double", "phantom", "corrupt"), 0), set[tuple[int, int]](), set(refused)
    for bid, index, digest in stored:
        one = bid, index
        if one not in rows or one in refusals:
            wrong["phantom"] += 1
        elif one in seen:
            wrong["double"] += 1
        elif digest != rows[one][0]:
            wrong["corrupt"] += 1
        seen.add(one)
    wrong["lost"] = len(rows.keys() - refusals - seen)
    return wrong


def _unbalanced(ledger: Mapping[str, Any], total: int) -> list[str]:
    problems = [
        f"the ledger of {tenant} is out of balance: {of}"
        for tenant, of in ledger.items()
        if of.in_buffer or of.accepted != of.stored + of.dead_lettered
    ]
    stored = sum(of.stored for of in ledger.values())
    return problems + ([f"the ledger has {stored} stored, the store {total}"] if stored != total else [])
