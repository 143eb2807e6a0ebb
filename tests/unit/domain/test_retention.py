import pytest
from hypothesis import given
from hypothesis import strategies as st

from zero.domain.errors import ConfigurationError
from zero.domain.retention import FLOOR_DAYS, Cut, Retention, first_day_within, parse_tenants

TODAY = 20_000
COUNTS = st.dictionaries(st.integers(TODAY - 60, TODAY), st.integers(1, 1_000_000), min_size=1)


def test_tenants_and_their_days_are_written_in_one_line() -> None:
    assert parse_tenants(" acme=7, be.ta = 90 ,") == {"acme": 7, "be.ta": 90}
    assert parse_tenants("") == {}


@pytest.mark.parametrize("text", ["acme", "acme=", "=7", "acme=x", "acme=-1", "a=1,a=2", "acme=7 beta=9", "a=b=1"])
def test_what_names_no_days_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_tenants(text)


@pytest.mark.parametrize(("days", "tenants"), [(0, {}), (3651, {}), (30, {"acme": 0}), (30, {"acme": 4000})])
def test_days_have_bounds(days: int, tenants: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        Retention(days, tenants)


def test_a_cut_says_for_each_tenant_what_is_the_first_day_kept() -> None:
    retention = Retention(30, {"acme": 7, "beta": 90})
    cut = retention.cut(TODAY)
    assert [cut.of(tenant) for tenant in ("acme", "beta", "other")] == [TODAY - 7, TODAY - 90, TODAY - 30]
    assert (cut.everyone, retention.days_max, retention.differs) == (TODAY - 90, 90, True)
    by_size = cut.at_least(TODAY - 10)
    assert [by_size.of(tenant) for tenant in ("acme", "beta", "other")] == [TODAY - 7, TODAY - 10, TODAY - 10]
    assert not Retention(30, {"acme": 30}).differs


def test_two_cuts_joined_keep_what_both_keep() -> None:
    joined = Cut(10, {"a": 30}).joined(Cut(20, {"b": 5}))
    assert [joined.of(tenant) for tenant in ("a", "b", "c")] == [30, 10, 20]


@given(COUNTS, st.floats(0.01, 0.999))
def test_the_oldest_days_go_until_the_rest_fits_and_the_newest_always_stay(counts: dict[int, int], share: float) -> None:
    first = first_day_within(counts.items(), share, TODAY)
    floor = TODAY - FLOOR_DAYS + 1
    kept = sum(count for day, count in counts.items() if day >= first)
    assert first <= floor
    assert kept <= share * sum(counts.values()) or not [day for day in counts if first <= day < floor]
    if first:
        assert min(counts) < first
        smaller = [day for day in counts if day < first]
        assert kept + counts[max(smaller)] > share * sum(counts.values()), "no day goes that would have fitted"
