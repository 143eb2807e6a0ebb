"""Generated and hostile queries of twenty tenants through the whole api: nobody ever sees a row of another.

``ISOLATION_QUERIES`` sets how many, ``ISOLATION_SEED`` which; the long run is 100,000 of them.
"""

import asyncio
import os
import random
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.integration.search.catalogue import catalogued
from tests.integration.search.conftest import CODEC, LogStore, Reader
from zero.application.dead_letters import DeadLetterParts, DeadLetters
from zero.application.fields import FieldSearch
from zero.application.key_ring import KeyRing
from zero.application.keys import KeyRequest, Keys
from zero.application.meaning.search import MeaningSearch
from zero.application.overview import Overview
from zero.application.patterns.anomalies import Anomalies
from zero.application.patterns.listing import PatternSearch
from zero.application.search import Search
from zero.application.tail import Tail, TailOptions
from zero.application.timeline import TimelineSearch
from zero.bootstrap.meaning import embedders
from zero.domain.batch_id import batch_id
from zero.domain.entry import Level, LogEntry
from zero.domain.key import KeyScope
from zero.domain.stored import StoredEntry
from zero.infrastructure.codec.log_batch import read_log_batch
from zero.infrastructure.lucene.parser import LuceneParser
from zero.infrastructure.memory import MemoryBuffer, MemoryKeyStore, MemoryTelemetry
from zero.infrastructure.system.clock import SystemClock
from zero.interfaces.api.app import create_app
from zero.interfaces.api.services import ApiServices
from zero.settings import Settings

QUERIES = int(os.environ.get("ISOLATION_QUERIES", "1000"))
SEED = int(os.environ.get("ISOLATION_SEED", "20"))
TENANTS, ENTRIES = 20, 60
START_S = 1_795_341_600
APPS = ("web", "db", "auth", "tenant", "default")
WORDS = ("error", "timeout", "login", "disk", "tenant", "owner", "select", "union")
FIELDS = ("app_id", "source", "user_id", "environment", "tenant", "owner.name", "n", "host")
AT_ONCE = 4
# Patterns of entries of some tenants.
PATTERNS = tuple(f"{CODEC.pattern_id(f'{word} {WORDS[0]} owner{n:02}x'):016x}" for n in range(3) for word in WORDS)


def name(number: int) -> str:
    return f"tenant-{number:02}"


def mark(number: int) -> str:
    """What is in every entry of one tenant, and in no other's."""
    return f"owner{number:02}x"


def entries(number: int) -> list[StoredEntry]:
    """Entries of a tenant; batch ids, times, apps and traces are those of the other tenants too."""
    chance, made = random.Random(number), []
    for index in range(ENTRIES):
        own = mark(number)
        entry = LogEntry(
            f"{chance.choice(WORDS)} {chance.choice(WORDS)} {own}",
            (START_S + index * 30) * 10**9,
            level=chance.choice(list(Level)),
            app_id=APPS[index % len(APPS)],
            source=f"host-{own}",
            environment=f"env-{own}",
            trace_id=f"{index:032x}",
            user_id=own,
            metadata={"tenant": own, "n": index, "owner.name": own},
        )
        made.append(StoredEntry(batch_id((START_S + index // 20) * 1000, 1, 0), index % 20, entry))
    return made


def query(chance: random.Random, own: int) -> str:
    """Return a query, most of them after somebody else's logs."""
    other = chance.randrange(TENANTS)
    word, app, them, theirs = chance.choice(WORDS), chance.choice(APPS), name(other), mark(other)
    forms = f"""
        *
        {word}
        {word} OR *
        NOT {word}
        app_id:{app}
        level:error OR level:>=debug
        n:[0 TO {other}]
        tenant:{them}
        tenant:{theirs}
        * OR tenant:{them}
        tenant:* OR _tenant:{them}
        NOT tenant:{name(own)}
        {word} OR tenant:"{them}"
        (tenant:{them} OR tenant:{theirs}) OR {word}
        {theirs}
        "{word} {theirs}"
        owner*
        message:*{theirs}*
        source:host-{theirs}
        environment:env-{theirs} OR app_id:{app}
        user_id:{theirs}
        owner.name:{theirs}
        metadata.tenant:{theirs}
        trace_id:{other:032x}
        _bid:>0
        _idx:*
        ') OR tenant = '{them}' --
        " OR 1=1 OR tenant:"{them}
        {{tenant:String}} OR tenant:{them}
        x}}) OR (tenant = '{them}
        \\' OR tenant=\\'{them}\\'
        NOT (NOT {theirs})
        timestamp:>0 OR tenant:{them}
        pattern_id:{PATTERNS[other % len(PATTERNS)]} OR {word}
        NOT pattern_id:{PATTERNS[other % len(PATTERNS)]}
        pattern_id:* OR tenant:{them}
        /.*/"""
    return chance.choice(forms.split("\n")).strip()


@pytest.fixture
async def tenants(log_store: LogStore, reader: Reader) -> AsyncIterator["Api"]:
    for number in range(TENANTS):
        log_store.store(entries(number), name(number))
    await catalogued(log_store)
    api = Api(log_store, reader)
    await api.start()
    async with api.client:
        yield api


class Api:
    """The api over the real store, and a key for each tenant."""

    def __init__(self, store: LogStore, reader: Reader) -> None:
        clock, keys, telemetry = SystemClock(), MemoryKeyStore(), MemoryTelemetry()
        search = Search(LuceneParser(), reader, clock)
        self.reader, self.keys, self.admin = reader, KeyRing(keys, clock, telemetry), Keys(keys, clock, telemetry)
        self.tail = Tail(search, reader, clock, TailOptions(poll_seconds=0.001, load_max=1))
        buffer = MemoryBuffer(clock)
        timeline, overview = TimelineSearch(search, reader, clock), Overview(buffer, reader, clock)
        letters = DeadLetters(DeadLetterParts(buffer, keys, CODEC.crc32c, read_log_batch, clock, telemetry))
        fields = FieldSearch(search, store.field_reader(reader))
        patterns = store.pattern_reader(reader)
        listing, anomalies = PatternSearch(search, patterns, clock), Anomalies(search, patterns, clock)
        meaning = MeaningSearch(search, store.meaning_reader(reader), reader, embedders(Settings()), clock, telemetry)
        of_patterns = listing, anomalies, fields, meaning, letters
        parts = search, timeline, self.tail, overview, bytes, self.keys, self.admin
        services = ApiServices(*parts, *of_patterns, telemetry)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(services)), base_url="http://localhost")
        self.cursors: list[tuple[str, dict[str, str]]] = []
        self.answered = self.rows = self.patterns = 0

    async def start(self) -> None:
        scopes = frozenset({KeyScope.QUERY})
        made = [await self.admin.create(KeyRequest(name(number), scopes), "test") for number in range(TENANTS)]
        self.headers = [{"authorization": f"Bearer {one.text}"} for one in made]
        await self.keys.refresh()

    async def ask(self, chance: random.Random) -> None:
        """Ask one thing as one tenant, and look for the marks of the others in the answer."""
        own = chance.randrange(TENANTS)
        parameters = {"q": query(chance, own)}
        doors = [
            "/api/logs",
            "/api/logs",
            "/api/logs",
            "search",
            "cursor",
            "/api/facets",
            "/api/histogram",
            "/api/fields",
            "/api/fields/values",
            "/api/stats",
            "/api/patterns",
            "/api/anomalies",
            "pattern",
            "app",
            "patterns",
            "meaning",
        ]
        door, headers = chance.choice(doors), self.headers[own]
        if door == "search":
            body = {"query": parameters["q"], "limit": 20}
            answer = await self.client.post("/api/logs/search", json=body, headers=headers)
        elif door in ("patterns", "meaning"):
            path = "/api/patterns/search" if door == "patterns" else "/api/logs/search"
            mode = chance.choice(["semantic", "hybrid"])
            answer = await self.client.post(path, json={"query": parameters["q"], "mode": mode, "limit": 20}, headers=headers)
            parameters |= {"mode": mode}
        elif door == "cursor" and self.cursors:
            path, parameters = chance.choice(self.cursors)
            answer = await self.client.get(path, params=parameters, headers=headers)
        elif door == "app":
            answer = await self.client.get(f"/api/logs/{chance.choice(APPS)}", params=parameters, headers=headers)
        elif door == "pattern":
            answer = await self.client.get(f"/api/patterns/{chance.choice(PATTERNS)}", headers=headers)
        else:
            path = door if door.startswith("/") else "/api/logs"
            parameters = parameters if path != "/api/stats" else {}
            more = {"/api/logs": {"limit": "7"}, "/api/fields/values": {"field": chance.choice(FIELDS)}}.get(path, {})
            answer = await self.client.get(path, params=parameters | more, headers=headers)
        self.check(answer, own, parameters)

    def check(self, answer: httpx.Response, own: int, parameters: dict[str, str]) -> None:
        assert answer.status_code in (200, 400, 404, 405, 422), answer.text
        if answer.status_code != 200:
            return
        self.answered += 1
        foreign = set(re.findall(r"owner\d\dx", answer.text)) - {mark(own)}
        assert not foreign, f"tenant {own} sees {foreign} with {parameters} at {answer.url.path}"
        found = answer.json()
        assert sum(pattern["count"] for pattern in found.get("patterns", ())) <= ENTRIES
        self.patterns += len(found.get("patterns", ()))
        for log in found.get("logs", ()):
            assert log["user_id"] == mark(own)
            self.rows += 1
        assert found.get("stored", ENTRIES) == ENTRIES
        assert sum(bucket["count"] for bucket in found.get("buckets", ())) <= ENTRIES
        if found.get("next_cursor") and len(self.cursors) < 200:
            self.cursors.append((answer.url.path, {**parameters, "limit": "7", "cursor": found["next_cursor"]}))


@pytest.mark.slow
async def test_no_query_of_any_tenant_returns_a_row_of_another(tenants: Api, log_store: LogStore) -> None:
    chance = random.Random(SEED)
    queries = QUERIES if log_store.name == "clickhouse" else QUERIES // 2
    for _ in range(0, queries, AT_ONCE):
        await asyncio.gather(*(tenants.ask(chance) for _ in range(AT_ONCE)))
    assert tenants.answered > queries / 3
    assert tenants.rows > queries / 3
    assert tenants.patterns > queries / 10
    assert tenants.cursors


async def test_a_cursor_of_another_tenant_is_refused(tenants: Api) -> None:
    page = await tenants.client.get("/api/logs", params={"limit": "5"}, headers=tenants.headers[0])
    parameters = {"limit": "5", "cursor": page.json()["next_cursor"]}
    assert (await tenants.client.get("/api/logs", params=parameters, headers=tenants.headers[0])).status_code == 200
    answer = await tenants.client.get("/api/logs", params=parameters, headers=tenants.headers[1])
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "cursor")


async def test_ids_that_tenants_share_lead_each_to_its_own_entries(tenants: Api) -> None:
    identities = [(stored.batch_id, stored.index) for stored in entries(0)]
    for number in (0, 7, 19):
        found = await tenants.reader.entries(name(number), identities)
        assert len(found) == ENTRIES
        assert {stored.entry.user_id for stored in found} == {mark(number)}
        answer = await tenants.client.get("/api/around", params={"id": found[20].id}, headers=tenants.headers[number])
        assert {log["user_id"] for log in answer.json()["logs"]} == {mark(number)}
    assert await tenants.reader.entries("nobody", identities) == []


async def test_who_follows_sees_no_arrivals_of_others(tenants: Api) -> None:
    from zero.application.search import SearchRequest

    for number in (3, 4):
        following = tenants.tail.follow(SearchRequest(name(number), f"* OR tenant:{name(5)}"), entries(5)[0].id)
        seen = {stored.entry.user_id for stored in (await anext(following)).entries}
        await following.aclose()
        assert seen <= {mark(number)}


async def test_a_ledger_of_a_tenant_names_no_other(tenants: Api) -> None:
    for number in range(TENANTS):
        answer = await tenants.client.get("/api/ledger", headers=tenants.headers[number])
        assert set(answer.json()["tenants"]) == {name(number)}


async def test_a_tenant_lists_its_own_patterns_alone(tenants: Api) -> None:
    answer = await tenants.client.get("/api/patterns", params={"limit": "1000"}, headers=tenants.headers[4])
    listed = answer.json()["patterns"]
    assert sum(pattern["count"] for pattern in listed) == ENTRIES
    assert all(mark(4) in pattern["example"] for pattern in listed)
    theirs = await tenants.client.get(f"/api/patterns/{listed[0]['id']}", headers=tenants.headers[5])
    assert mark(4) not in theirs.text  # the mark is masked: a pattern of the one can be one of the other
