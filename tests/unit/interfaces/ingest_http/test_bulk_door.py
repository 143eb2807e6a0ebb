"""``POST /_bulk`` and what Elasticsearch's clients ask beside it."""

import gzip
import json

import pytest

from zero.domain.errors import BufferUnavailable, Overloaded
from zero.infrastructure.memory import ManualClock, MemoryBuffer
from zero.infrastructure.native.codec import NativeCodec

NDJSON = {"Content-Type": "application/x-ndjson"}
VENDOR = "application/vnd.elasticsearch+x-ndjson; compatible-with=8"


def bulk(*pairs):
    return b"".join(json.dumps(line).encode() + b"\n" for pair in pairs for line in pair)


CREATE = ({"create": {}}, {"message": "a"})


@pytest.fixture
async def server(serving):
    return await serving(codec=NativeCodec())


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_each_action_is_answered_in_its_order(server, method):
    body = bulk(
        ({"index": {"_index": "shop"}}, {"message": "a"}),
        ({"create": {"_index": "shop", "_id": "7"}}, {"message": "b"}),
        ({"delete": {"_index": "shop", "_id": "1"}},),
        ({"update": {"_id": "1"}}, {"doc": {"message": "c"}}),
        ({"index": {}}, {"text": 5}),
        ({"index": {"_index": "shop"}}, {"nothing": "said"}),
    )
    answer = await server.post(body, NDJSON, "/fallback/_bulk", method)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["x-elastic-product"] == "Elasticsearch"
    found = answer.json
    assert found["errors"] is True
    assert 0 <= found["took"] < 5_000
    items = found["items"]
    assert [(*item, *(each["status"] for each in item.values())) for item in items] == [
        ("index", 201),
        ("create", 201),
        ("delete", 400),
        ("update", 400),
        ("index", 201),
        ("index", 400),
    ]
    first = items[0]["index"]
    assert first == {"_index": "shop", "_id": first["_id"], "_version": 1, "result": "created", "status": 201}
    assert len(first["_id"]) == 24
    assert items[1]["create"]["_id"] == "7"
    assert items[2]["delete"]["error"] == {"type": "document_parsing_exception", "reason": "delete: logs are only added"}
    assert (items[4]["index"]["_index"], items[4]["index"]["_id"]) == ("fallback", first["_id"][:16] + "00000002")
    assert items[5]["index"]["error"]["reason"].startswith("message: missing or empty")
    assert await server.accepted() == 3


async def test_a_bulk_without_errors_says_so(server):
    assert (await server.post(bulk(CREATE, CREATE), NDJSON, "/_bulk")).json["errors"] is False


async def test_twenty_thousand_actions_have_twenty_thousand_items(server):
    answer = await server.post(bulk(CREATE) * 20_000, NDJSON, "/logs-shop-prod/_bulk")
    items = answer.json["items"]
    assert len(items) == 20_000
    assert items[19_999]["create"]["_id"].endswith(f"{19_999:08x}")
    answer = await server.post(bulk(CREATE) * 20_001, NDJSON, "/_bulk")
    assert (answer.status, answer.json["error"]["type"]) == (413, "content_too_long_exception")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": VENDOR},
        {"Content-Type": "application/vnd.elasticsearch+json; compatible-with=9"},
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Type": ""},
    ],
)
async def test_every_media_type_of_the_clients_is_read(server, headers):
    assert (await server.post(bulk(CREATE), headers, "/_bulk")).status == 200


@pytest.mark.parametrize("version", [7, 8, 9])
async def test_the_version_that_a_client_asks_for_is_that_of_the_answer(server, version):
    accept = f"application/vnd.elasticsearch+json; compatible-with={version}"
    for path, method in (("/_bulk", "POST"), ("/", "GET")):
        answer = await server.post(bulk(CREATE), NDJSON | {"Accept": accept}, path, method)
        assert answer.headers["content-type"] == f"application/vnd.elasticsearch+json;compatible-with={version}"
    refused = await server.post(b"x", {"Content-Type": "text/css", "Accept": accept}, "/_bulk")
    assert refused.headers["content-type"] == f"application/vnd.elasticsearch+json;compatible-with={version}"


@pytest.mark.parametrize(
    ("body", "path", "headers", "status", "kind", "reason"),
    [
        (b"", "/_bulk", NDJSON, 400, "illegal_argument_exception", "body is empty"),
        (b"\n\n", "/_bulk", NDJSON, 400, "illegal_argument_exception", "body is empty"),
        (b'{"index":{}}\n', "/_bulk", NDJSON, 400, "illegal_argument_exception", "not a bulk request at byte 13"),
        (b'{"index":5}\n{}\n', "/_bulk", NDJSON, 400, "illegal_argument_exception", "not a bulk request at byte 9"),
        (b'{"index":\n{}\n', "/_bulk", NDJSON, 400, "illegal_argument_exception", "not valid JSON at byte 9"),
        (bulk(CREATE), "/_shop/_bulk", NDJSON, 400, "illegal_argument_exception", "the index in the path"),
        (bulk(CREATE), "/a%2Fb/_bulk", NDJSON, 400, "illegal_argument_exception", "the index in the path"),
        (bulk(CREATE), "/" + "x" * 256 + "/_bulk", NDJSON, 400, "illegal_argument_exception", "the index in the path"),
        (b"x", "/_bulk", {"Content-Type": "text/css"}, 415, "media_type_header_exception", "content type 'text/css'"),
        (b"x", "/_bulk", NDJSON | {"Content-Encoding": "gzip"}, 400, "illegal_argument_exception", "gzip body is"),
    ],
)
async def test_what_cannot_be_read_is_refused_in_elasticsearchs_form(server, body, path, headers, status, kind, reason):
    answer = await server.post(body, headers, path)
    assert (answer.status, answer.json["status"]) == (status, status)
    error = answer.json["error"]
    assert error["root_cause"] == [{"type": error["type"], "reason": error["reason"]}]
    assert error["type"] == kind
    assert reason in error["reason"]
    assert await server.accepted() == 0


async def test_a_compressed_bulk_is_read(server):
    answer = await server.post(gzip.compress(bulk(CREATE)), NDJSON | {"Content-Encoding": "gzip"}, "/_bulk")
    assert answer.json["errors"] is False


class FailingBuffer(MemoryBuffer):
    def __init__(self, error):
        super().__init__(ManualClock())
        self._error = error

    async def append(self, appends):
        raise self._error

    async def level(self):
        raise self._error


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (BufferUnavailable("gone"), 503, "no_shard_available_action_exception"),
        (Overloaded("full"), 429, "es_rejected_execution_exception"),
        (RuntimeError("a defect"), 500, "exception"),
    ],
)
async def test_what_may_pass_later_says_so(serving, error, status, kind):
    server = await serving(codec=NativeCodec(), buffer=FailingBuffer(error))
    answer = await server.post(bulk(CREATE), NDJSON, "/_bulk")
    assert (answer.status, answer.json["error"]["type"]) == (status, kind)
    assert ("retry-after" in answer.headers) == (status != 500)


async def test_the_clients_find_what_they_ask_for_first(server):
    info = await server.post(b"", {}, "/", "GET")
    assert info.headers["x-elastic-product"] == "Elasticsearch"
    assert info.json["version"]["number"].startswith("8.")
    assert info.json["tagline"] == "You Know, for Search"
    assert (await server.post(b"", {}, "/", "HEAD")).status == 200
    assert (await server.post(b"", {}, "/_license", "GET")).json["license"]["status"] == "active"
    assert (await server.post(b"", {}, "/_xpack", "GET")).json["features"]["ilm"]["enabled"] is False
    assert (await server.post(b"", {}, "/_nodes/http", "GET")).json["nodes"] == {}
    for path in ("/_index_template/filebeat-9.1.0", "/_ilm/policy/filebeat", "/_data_stream/x", "/_ingest/pipeline/p"):
        assert (await server.post(b"", {}, path, "HEAD")).status == 200
        assert (await server.post(b"{}", {}, path, "PUT")).json == {"acknowledged": True}


async def test_the_health_of_the_cluster_is_our_readiness(server, serving):
    assert (await server.post(b"", {}, "/_cluster/health", "GET")).json["status"] == "green"
    failing = await serving(codec=NativeCodec(), buffer=FailingBuffer(BufferUnavailable("gone")))
    answer = await failing.post(b"", {}, "/_cluster/health", "GET")
    assert (answer.status, answer.json["status"], answer.headers["retry-after"]) == (503, "red", "1")
