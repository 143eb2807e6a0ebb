"""Requests and replies over a real socket."""

import asyncio
import json

ENTRY = b'{"message":"hello"}'
HEAD = b"POST /api/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def post(body: bytes = ENTRY, extra: bytes = b"") -> bytes:
    return HEAD + extra + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


async def test_a_log_is_accepted_with_a_receipt(server):
    response = await server.post(ENTRY)
    assert response.status == 202
    assert response.headers["content-type"] == "application/json"
    assert response.headers["date"].endswith("GMT")
    receipt = response.json
    assert receipt == {"accepted": 1, "rejected": 0, "batch_id": receipt["batch_id"], "first_index": 0, "errors": []}
    assert len(receipt["batch_id"]) == 16
    assert await server.accepted() == 1


async def test_one_bad_entry_does_not_cost_its_neighbours(server):
    response = await server.post(b'{"message":"a"}\n{"bad":1}\n{"message":"b"}', {"Content-Type": "application/x-ndjson"})
    assert response.status == 202
    assert (response.json["accepted"], response.json["rejected"]) == (2, 1)
    assert response.json["errors"] == [{"index": 1, "error": "message is missing"}]


async def test_a_request_of_which_every_entry_is_rejected_is_a_400_in_the_form_of_a_receipt(server):
    response = await server.post(b'{"bad":1}')
    assert response.status == 400
    assert response.json == {
        "accepted": 0,
        "rejected": 1,
        "batch_id": "",
        "first_index": 0,
        "errors": [{"index": 0, "error": "message is missing"}],
    }


async def test_a_body_that_cannot_be_read_names_why(server):
    response = await server.post(b'{"message": ')
    assert response.status == 400
    assert response.json["error"]["code"] == "invalid_input"
    assert response.json["error"]["message"].startswith("not JSON")
    assert response.json["error"]["position"] == 0


async def test_a_connection_serves_one_request_after_another_with_known_and_new_heads(server):
    peer = await server.connect()
    for number in range(6):
        response = await peer.exchange(post(ENTRY * 1, b"X-Number: %d\r\n" % (number // 2)))
        assert response.status == 202
    assert await server.accepted() == 6


async def test_pipelined_requests_are_answered_in_their_order(server):
    peer = await server.connect()
    health = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    await peer.send(post() + health + post(b'{"bad":1}') + health + post())
    assert [(await peer.response()).status for _ in range(5)] == [202, 200, 400, 200, 202]


async def test_more_pipelined_requests_than_may_be_in_flight_are_all_answered(server):
    peer = await server.connect()
    await peer.send(post() * 500)
    indexes = [(await peer.response()).json["first_index"] for _ in range(500)]
    assert indexes[:3] == [0, 1, 2]
    assert await server.accepted() == 500


async def test_a_request_in_pieces_of_one_byte_is_read(server):
    peer = await server.connect()
    for byte in post():
        await peer.send(bytes([byte]))
        await asyncio.sleep(0)
    assert (await peer.response()).status == 202
    assert (await peer.exchange(post())).status == 202


async def test_a_chunked_body_is_read_and_its_trailer_ignored(server):
    peer = await server.connect()
    await peer.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    await peer.send(b'a\r\n{"message"\r\n9;x=y\r\n:"hello"}\r\n0\r\nX-Trailer: 1\r\n\r\n' + post())
    assert (await peer.response()).status == 202
    assert (await peer.response()).status == 202
    assert await server.accepted() == 2


async def test_expect_100_continue_is_answered_before_the_body(server):
    peer = await server.connect()
    await peer.send(HEAD + b"Expect: 100-continue\r\nContent-Length: 19\r\n\r\n")
    assert (await peer.response()).status == 100
    assert (await peer.exchange(ENTRY)).status == 202


async def test_expect_100_continue_for_a_body_we_do_not_take_is_refused_before_the_body(server):
    peer = await server.connect()
    await peer.send(HEAD + b"Content-Encoding: br\r\nExpect: 100-continue\r\nContent-Length: 19\r\n\r\n")
    assert (await peer.response()).status == 415
    assert await peer.ended()


async def test_an_unknown_expectation_is_417(server):
    response = await server.post(ENTRY, {"Expect": "200-ok"})
    assert response.error == (417, "the only Expect we know is '100-continue'")


async def test_connection_close_is_honoured(server):
    peer = await server.connect()
    response = await peer.exchange(post(extra=b"Connection: close\r\n"))
    assert (response.status, response.headers["connection"]) == (202, "close")
    assert await peer.ended()


async def test_http_1_0_is_answered_and_closed(server):
    peer = await server.connect()
    response = await peer.exchange(b"GET /health HTTP/1.0\r\n\r\n")
    assert response.status == 200
    assert await peer.ended()


async def test_a_wish_to_upgrade_is_ignored(server):
    peer = await server.connect()
    upgrade = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    await peer.send(upgrade + post())
    assert (await peer.response()).status == 200
    assert (await peer.response()).status == 202


async def test_the_body_of_a_request_with_a_wish_to_upgrade_is_a_body_and_not_the_next_request(server):
    peer = await server.connect()
    hidden = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    await peer.send(post(hidden, b"Connection: Upgrade\r\nUpgrade: h2c\r\n") + post())
    assert [(await peer.response()).status for _ in range(2)] == [400, 202]


async def test_head_gives_the_length_without_the_body(server):
    response = await server.post(b"", method="HEAD", path="/health")
    assert (response.status, response.headers["content-length"], response.body) == (200, "18", b"")


async def test_options_and_wrong_methods_say_what_is_allowed(server):
    response = await server.post(b"", method="OPTIONS")
    assert (response.status, response.headers["allow"]) == (204, "OPTIONS, POST")
    response = await server.post(b"", method="GET")
    assert response.headers["allow"] == "OPTIONS, POST"
    assert response.error == (405, "this path takes OPTIONS, POST; the api answers searches")


async def test_an_unknown_path_is_404_after_its_body_was_read(server):
    peer = await server.connect()
    response = await peer.exchange(post().replace(b"/api/logs", b"/api/nope"))
    assert response.error == (404, "no such path; logs go to POST /api/logs, the api answers searches")
    assert (await peer.exchange(post())).status == 202


async def test_the_query_and_an_absolute_url_do_not_hide_the_path(server):
    assert (await server.post(ENTRY, path="/api/logs?x=1")).status == 202
    assert (await server.post(ENTRY, path="http://example.org/api/logs")).status == 202
    assert (await server.post(ENTRY, path="/%61pi/logs")).status == 404


async def test_curl_without_a_content_type_of_its_own_is_read_as_json(server):
    assert (await server.post(ENTRY, {"Content-Type": "application/x-www-form-urlencoded"})).status == 202


async def test_an_unknown_content_type_is_415_and_says_what_is_read(server):
    response = await server.post(ENTRY, {"Content-Type": "image/png"})
    assert response.error == (
        415,
        "content type 'image/png' is not one we read; send application/json, application/x-ndjson or application/x-protobuf",
    )
    assert response.json["error"]["field"] == "Content-Type"
    response = await server.post(ENTRY, {"Content-Type": "application/json; charset=latin-1"})
    assert response.error == (415, "bodies are read as UTF-8 only")
    assert (await server.post(ENTRY, {"Content-Type": 'Application/JSON; charset="UTF-8"'})).status == 202


async def test_the_probes_answer(server):
    assert (await server.post(b"", method="GET", path="/health")).json == {"status": "alive"}
    ready = await server.post(b"", method="GET", path="/ready")
    assert (ready.status, ready.json["ready"], ready.json["durability"]) == (200, True, "relaxed")
    metrics = await server.post(b"", method="GET", path="/metrics")
    assert (metrics.body, metrics.headers["content-type"]) == (b"zero_up 1\n", "text/plain; version=0.0.4; charset=utf-8")


async def test_an_error_of_our_own_is_a_500_that_gives_nothing_away(serving):
    class Broken(type((await serving()).buffer)):
        async def append(self, appends):
            raise RuntimeError("secret")

    from zero.infrastructure.memory import ManualClock

    server = await serving(buffer=Broken(ManualClock()))
    response = await server.post(ENTRY)
    assert response.status == 500
    assert "secret" not in json.dumps(response.json)
