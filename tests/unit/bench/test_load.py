"""What the load generators print is read."""

import pytest

load = pytest.importorskip("bench.load", reason="the benchmarks live in a clone")

WRK = """\
Running 2s test @ http://127.0.0.1:1/api/logs
  1 threads and 64 connections
  28311 requests in 2.01s, 4.43MB read
RESULT accepted=28300 refused=11 micros=2010000 p50=1800 p99=3500 p999=9001 errors=2
"""
H2LOAD = """\
finished in 3.01s, 14110.00 req/s, 2.22MB/s
requests: 28220 total, 28220 started, 28220 done, 28200 succeeded, 25 failed, 5 errored, 0 timeout
status codes: 28200 2xx, 0 3xx, 8 4xx, 12 5xx
"""


def test_the_line_of_our_script_is_found_among_what_wrk_prints():
    sent = load.parse_wrk(WRK)
    assert (sent.accepted, sent.refused, sent.errors, sent.seconds) == (28300, 11, 2, 2.01)
    assert sent.latency == {"p50_ms": 1.8, "p99_ms": 3.5, "p999_ms": 9.001}
    assert round(sent.per_second) == 14080


def test_wrk_without_a_result_is_an_error_that_shows_what_it_printed():
    with pytest.raises(RuntimeError, match="unable to connect"):
        load.parse_wrk("unable to connect to 127.0.0.1:1")


def test_h2load_counts_by_status_and_its_log_gives_the_latencies():
    log = "".join(f"179539046412{number:04}\t202\t{number * 1000}\n" for number in range(1, 1001))
    sent = load.parse_h2load(H2LOAD, log, 2)
    assert (sent.accepted, sent.refused, sent.errors) == (28200, 20, 5)
    assert sent.latency == {"p50_ms": 501.0, "p99_ms": 991.0, "p999_ms": 1000.0}
    assert sent.per_second == 14100


def test_h2load_without_a_result_is_an_error():
    with pytest.raises(RuntimeError, match="no result"):
        load.parse_h2load("", "", 1)


@pytest.mark.parametrize(
    ("values", "share", "found"), [([], 0.5, 0.0), ([7], 0.999, 7), ([1, 2, 3, 4], 0.5, 3), ([1, 2], 1, 2)]
)
def test_percentiles_are_values_that_were_seen(values, share, found):
    assert load.percentile(values, share) == found


def test_a_missing_generator_says_how_to_get_it():
    with pytest.raises(RuntimeError, match="apt-get install nobody"):
        load.program("no-such-program", "nobody")
