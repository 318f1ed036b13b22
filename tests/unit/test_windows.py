"""When a window is open, on days that clocks are changed on, too: against the zone's clocks, minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.windows import DailyWindow

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns")
MINUTE = timedelta(minutes=1)


def read(text: str, zone: str = "UTC") -> DailyWindow:
    window = DailyWindow.read(text, zone)
    assert window is not None
    return window


def ms(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000


def shown_open(window: DailyWindow, at: datetime) -> bool:
    """What the clocks of its zone show says whether it is open."""
    local = at.astimezone(ZoneInfo(window.zone))
    minute = local.hour * 60 + local.minute
    if window.first < window.last:
        return window.first <= minute < window.last
    return minute >= window.first or minute < window.last


def test_what_stands_in_the_file_is_read_with_its_zone() -> None:
    assert DailyWindow.read("22:00-06:00", "UTC") == DailyWindow(22 * 60, 6 * 60, "UTC")
    assert DailyWindow.read("22:00 - 06:00 Europe/Berlin", "UTC") == DailyWindow(22 * 60, 6 * 60, "Europe/Berlin")
    assert read("09:30-17:00").words == "09:30-17:00 UTC"
    assert read(read("22:00-06:00 Asia/Kolkata").words) == read("22:00-06:00 Asia/Kolkata")


@pytest.mark.parametrize("text", ["22-06", "24:00-06:00", "22:00", "22:00-22:00", "22:60-06:00", "10pm-6am", ""])
def test_what_is_no_window_is_none(text: str) -> None:
    assert DailyWindow.read(text, "UTC") is None


def test_the_night_in_which_clocks_go_forward_and_the_one_in_which_they_go_back() -> None:
    night = read("02:30-04:00 Europe/Berlin")
    # 02:30 is not on that day: it begins when the clocks have been put forward.
    assert night.opens_ms(ms("2026-03-29T00:00Z")) == ms("2026-03-29T01:00Z")
    assert night.clock(ms("2026-03-29T01:00Z")) == "03:00"
    # 02:30 is twice on that day: it begins with the first, and is closed while it is 02:00 to 02:30 again.
    assert night.opens_ms(ms("2026-10-25T00:00Z")) == ms("2026-10-25T00:30Z")
    assert night.opens_ms(ms("2026-10-25T01:00Z")) == ms("2026-10-25T01:30Z")
    late = read("22:00-06:00 Europe/Berlin")
    assert late.opens_ms(ms("2026-03-29T04:00Z")) == ms("2026-03-29T20:00Z")
    assert late.opened_ms(ms("2026-03-29T03:59Z")) == ms("2026-03-28T21:00Z")
    assert late.opened_ms(ms("2026-10-25T04:00Z")) == ms("2026-10-24T20:00Z")
    assert late.opened_ms(ms("2026-10-25T05:00Z")) is None


def test_changes_of_the_years_to_come_are_told_to_scripts() -> None:
    told = read("22:00-06:00 Europe/Berlin").for_scripts(ms("2026-11-28T00:00Z"))
    assert told.startswith("1320 360 60 ")
    assert len(told.split()) >= 3 + 4
    assert f" {ms('2027-03-28T01:00Z'):.0f}:120" in told
    assert read("22:00-06:00").for_scripts(ms("2026-11-28T00:00Z")) == "1320 360 0"


@example("Europe/Berlin", 12 * 60, 60, 87 * 1440 - 600)
@example("Europe/Berlin", 12 * 60, 60, 297 * 1440 - 600)
@given(
    st.sampled_from(ZONES),
    st.integers(0, 1439),
    st.integers(1, 1439),
    st.one_of(
        st.integers(0, 700 * 1440),
        # Around days on which clocks are changed somewhere.
        *(st.integers(day * 1440, (day + 3) * 1440) for day in (66, 86, 92, 275, 296, 303)),
    ),
)
def test_a_window_is_open_when_the_zone_s_clocks_say_so(zone: str, first: int, length: int, at: int) -> None:
    window, now = DailyWindow(first, (first + length) % 1440, zone), datetime(2026, 1, 1, tzinfo=UTC) + at * MINUTE
    opens = window.opens_ms(now.timestamp() * 1000)
    found = datetime.fromtimestamp(opens / 1000, UTC)
    assert shown_open(window, found)
    assert (found == now) == shown_open(window, now)
    step = max(MINUTE, (found - now) / 50)
    assert not any(shown_open(window, now + step * n) for n in range(50) if now + step * n < found)
    assert found == now or not shown_open(window, found - MINUTE)
    opened = window.opened_ms(now.timestamp() * 1000)
    assert (opened is not None) == shown_open(window, now)
    if opened is not None:
        begun = datetime.fromtimestamp(opened / 1000, UTC)
        assert shown_open(window, begun)
        assert begun <= now
        assert not shown_open(window, begun - MINUTE)
