import pytest

from zero.domain.instant import format_instant, parse_instant

NOW_NS = 1_795_341_600_123_456_789


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("now", NOW_NS),
        ("-1h", NOW_NS - 3_600 * 10**9),
        ("now-15m", NOW_NS - 900 * 10**9),
        ("-250ms", NOW_NS - 250 * 10**6),
        ("-2w", NOW_NS - 14 * 86_400 * 10**9),
        ("2026-11-22T10:00:00Z", 1_795_341_600 * 10**9),
        ("2026-11-22T10:00:00.000000001Z", 1_795_341_600 * 10**9 + 1),
        ("2026-11-22T15:30:00+05:30", 1_795_341_600 * 10**9),
        ("2026-11-22T05:00:00-0500", 1_795_341_600 * 10**9),
        ("2026-11-22t10:00:00z", 1_795_341_600 * 10**9),
        ("2026-11-22T15:30:00 05:30", 1_795_341_600 * 10**9),
        ("2026-11-22T15:30:00.5 0530", 1_795_341_600 * 10**9 + 500_000_000),
        ("2026-11-22 10:00", 1_795_341_600 * 10**9),
        ("2026-11-22", 1_795_305_600 * 10**9),
        ("1795341600", 1_795_341_600 * 10**9),
        ("1795341600.5", 1_795_341_600 * 10**9 + 500_000_000),
        ("1795341600123", 1_795_341_600_123 * 10**6),
        ("1795341600123456", 1_795_341_600_123_456 * 10**3),
        ("1795341600123456789", 1_795_341_600_123_456_789),
        ("0", 0),
    ],
)
def test_a_time_is_read_in_every_form_people_write(text: str, expected_ns: int) -> None:
    assert parse_instant(text, NOW_NS) == expected_ns


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-13-01", "2026-02-30T00:00:00Z", "25:00", "1969-12-31T23:59:59Z", "2300-01-01", "9" * 19,
     "-99999999w", "1h", "+1h",
     "2026-11-22 0530", "2026-11-22T10:00:00+24:00", "2026-11-22T10:00:00-01:60", "2026-11-22 10:00 05:30Z",
     "2026-11-22T10:00:00Z; DROP", "\uff11\uff12", "1e400"],
)  # fmt: skip
def test_a_text_that_is_no_time_of_ours_is_refused_with_a_message(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a time|does not|that exists|outside"):
        parse_instant(text, NOW_NS)


def test_a_formatted_time_has_nine_digits_and_reads_back() -> None:
    assert format_instant(NOW_NS) == "2026-11-22T10:00:00.123456789Z"
    assert parse_instant(format_instant(NOW_NS), 0) == NOW_NS
