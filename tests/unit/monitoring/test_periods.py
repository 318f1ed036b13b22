"""Times as people type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from workers.errors import WrongUsage
from workers.monitoring.periods import moment, zone_of

NOW = datetime(2026, 11, 21, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("30s", NOW - timedelta(seconds=30)),
        ("15 m", NOW - timedelta(minutes=15)),
        ("24h", NOW - timedelta(days=1)),
        ("7d", NOW - timedelta(days=7)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("1d 12h", NOW - timedelta(hours=36)),
        ("today", datetime(2026, 11, 21, tzinfo=UTC)),
        ("yesterday", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2w", NOW - timedelta(weeks=2)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T12:00", datetime(2026, 11, 20, 12, tzinfo=UTC)),
        ("2026-11-20 12:00:30+02:00", datetime(2026, 11, 20, 10, 0, 30, tzinfo=UTC)),
    ],
)
def test_ages_dates_and_times(text: str, expected: datetime) -> None:
    assert moment(text, "--since", NOW) == expected


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "1h ", "h", "-1h", "1", "1y", "2026-13-01", "٣h", "9999999d", "2026-11-20T", "\0"]
)
def test_anything_else_is_refused_with_the_option_and_what_was_expected(text: str) -> None:
    with pytest.raises(WrongUsage, match=r"--since .* is no time; expected an age"):
        moment(text, "--since", NOW)


@pytest.mark.parametrize(
    "text", ["0001-01-01", "9999-12-31", "9999-12-31T23:59Z", "999999d", "999999w 9h", "739940d", "999999w 1s"]
)
def test_a_day_that_not_every_zone_can_show_is_out_of_range(text: str) -> None:
    with pytest.raises(WrongUsage, match="is out of range; expected a day from 0001-01-02 to 9999-12-30"):
        moment(text, "--since", NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yesterday", datetime(2026, 11, 20, 15, tzinfo=UTC)),  # it is the 22nd in Tokyo
        ("2026-11-20", datetime(2026, 11, 19, 15, tzinfo=UTC)),
        ("2026-11-20T12:00", datetime(2026, 11, 20, 3, tzinfo=UTC)),
        ("2026-11-20T12:00Z", datetime(2026, 11, 20, 12, tzinfo=UTC)),
        ("2026-11-20 12:00-05:00", datetime(2026, 11, 20, 17, tzinfo=UTC)),
        ("1h", NOW - timedelta(hours=1)),
    ],
)
def test_days_and_times_without_a_zone_are_of_the_zone_that_is_named(text: str, expected: datetime) -> None:
    assert moment(text, "--since", NOW, zone_of("Asia/Tokyo")) == expected


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(WrongUsage, match="--tz 'Mars/Olympus' is no time zone"):
        zone_of("Mars/Olympus")
