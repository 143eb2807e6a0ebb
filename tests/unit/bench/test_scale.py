"""The capacity model: it recovers what made its points, grows with the rate, and its page has its figures."""

import itertools

import pytest

scale = pytest.importorskip("bench.scale", reason="the benchmarks live in a clone")


@pytest.mark.parametrize(("a", "b"), [(1.5, 26.0), (0.0, 3.0), (4.0, 0.0)])
def test_the_fit_recovers_the_cost_that_made_its_points(a, b):
    found = scale.fit([(n, a + b / n) for n in (1, 10, 100, 500, 1000)])
    assert (found.a, found.b) == (pytest.approx(a, abs=1e-9), pytest.approx(b, abs=1e-9))
    assert found.off < 1e-9


def test_no_part_of_a_cost_is_negative_and_the_worst_error_is_told():
    falling, rising = scale.fit([(1, 9.0), (10, 0.8), (100, 0.01)]), scale.fit([(1, 1.0), (10, 2.0), (100, 2.0)])
    assert falling.a == 0
    assert rising.b == 0
    assert rising.off > 0.2


@pytest.mark.parametrize("form", scale.STAGES)
def test_ten_times_the_rate_needs_about_ten_times_the_machines(form):
    model = scale.Model.read(form)
    for count in (model.ingests, model.primaries, model.shards, model.stores):
        needed = [count(rate) for rate in scale.RATES]
        assert all(few <= many <= 10 * few for few, many in itertools.pairwise(needed)), needed
        assert needed[-1] >= 5 * needed[-2]


def test_the_page_has_the_tables_of_the_results():
    assert scale.tables() in scale.PAGE.read_text(encoding="utf-8"), "run zero bench scale"
