import gzip

import pytest

from zero.client.receipt import Receipt
from zero.client.uploader import Refused, Unreachable, Uploader, UploaderOptions


@pytest.fixture
def send(door):
    slept, senders = [], []

    def make(**options):
        senders.append(Uploader(UploaderOptions(door.url, **options), slept.append))
        senders[-1].slept = slept
        return senders[-1]

    yield make
    for sender in senders:
        sender.close()


OK = (202, {}, {"accepted": 2, "rejected": 0, "batch_id": "1", "errors": []})


def test_a_batch_is_one_request_of_ndjson_with_a_key_of_its_own(door, send):
    door.answers = [OK, OK]
    sender = send()
    assert sender.send([b"{}", b"{}"]).accepted == 2
    sender.send([b"{}"])
    paths, headers, bodies = zip(*door.asked, strict=True)
    assert paths == ("/api/logs",) * 2
    assert bodies[0] == b"{}\n{}"
    assert headers[0]["Content-Type"] == "application/x-ndjson"
    assert len({header["Idempotency-Key"] for header in headers}) == 2


@pytest.mark.parametrize("status", [429, 502, 503, 504, 0])
def test_a_retry_has_the_same_key_and_waits_as_told(door, send, status):
    door.answers = [(status, {"Retry-After": "7"}, {}), OK]
    sender = send()
    assert sender.send([b"{}", b"{}"]).accepted == 2
    assert len({header["Idempotency-Key"] for _, header, _ in door.asked}) == 1
    assert sender.retries == 1
    assert sender.slept == [7.0] if status else sender.slept[0] <= 0.1


def test_pauses_grow_with_jitter_up_to_their_bound(send):
    sender = send(pause_seconds=0.1, pause_seconds_max=1.0)
    pauses = [sender._pause(attempt) for attempt in range(40)]
    assert all(0.05 <= pause <= 1.0 for pause in pauses)
    assert all(pause >= 0.5 for pause in pauses[4:])
    assert len(set(pauses[10:])) > 5


def test_rejected_entries_come_back_with_their_index(door, send):
    door.answers = [(202, {}, {"accepted": 1, "rejected": 1, "errors": [{"index": 1, "error": "no message"}]})]
    receipt = send().send([b"{}", b"{}"])
    assert (receipt.accepted, receipt.rejected, receipt.errors) == (1, 1, [(1, "no message")])


def test_a_batch_refused_as_a_whole_counts_as_rejected(door, send):
    door.answers = [(400, {}, {"error": {"code": "invalid_input", "message": "unreadable"}})]
    receipt = send().send([b"x", b"y"])
    assert (receipt.accepted, receipt.rejected, receipt.errors) == (0, 2, [(0, "unreadable")])


@pytest.mark.parametrize("status", [401, 403, 413, 415, 500])
def test_an_answer_that_no_retry_can_help_is_raised_at_once(door, send, status):
    door.answers = [(status, {}, {"error": {"message": "not you"}})]
    with pytest.raises(Refused, match=f"HTTP {status}: not you"):
        send().send([b"{}"])
    assert len(door.asked) == 1


def test_a_door_that_never_answers_is_given_up_in_bounded_time():
    sender = Uploader(UploaderOptions("http://127.0.0.1:9", retry_seconds_max=0.3, pause_seconds=0.01))
    with pytest.raises(Unreachable, match=r"within 0\.3 s: ConnectionRefusedError"):
        sender.send([b"{}"])


def test_a_compressed_body_says_so(door, send):
    door.answers = [OK]
    send(compress=True).send([b"{}", b"{}"])
    _, headers, body = door.asked[0]
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == b"{}\n{}"


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:4318", "http://"])
def test_an_address_that_is_no_http_url_is_refused(url):
    with pytest.raises(ValueError, match="expected a URL"):
        Uploader(UploaderOptions(url))


def encode(records):
    """Leave out what is bad, as the codec would."""
    errors = [(index, "bad") for index, record in enumerate(records) if b"bad" in record]
    good = [record for record in records if b"bad" not in record]
    return b"".join(good), Receipt(len(good), len(errors), errors)


def test_encoded_batches_go_out_as_protobuf_and_errors_name_the_records(door, send):
    door.answers = [(202, {}, {"accepted": 1, "rejected": 1, "errors": [{"index": 1, "error": "worse"}]})]
    receipt = send(encode=encode).send([b"bad", b"a", b"bad", b"b"])
    assert receipt == Receipt(1, 3, [(0, "bad"), (2, "bad"), (3, "worse")])
    ((_, headers, body),) = door.asked
    assert (headers["Content-Type"], body) == ("application/x-protobuf", b"ab")


def test_a_batch_of_which_nothing_is_good_is_not_sent(door, send):
    assert send(encode=encode).send([b"bad"]) == Receipt(0, 1, [(0, "bad")])
    assert door.asked == []
