"""How many lanes go together."""

from __future__ import annotations

from workers.delivery.together import LANES_AT_MOST, PACE_SECONDS, Pace

FAST, SLOW = PACE_SECONDS / 10, PACE_SECONDS * 2


def test_more_lanes_go_together_while_that_is_fast() -> None:
    pace = Pace()
    found = []
    for _ in range(8):
        found.append(pace.most)
        pace.took(FAST)
    assert found == [1, 2, 4, 8, 16, 32, LANES_AT_MOST, LANES_AT_MOST]


def test_lanes_of_a_slow_target_go_one_by_one() -> None:
    """Others could serve them meanwhile."""
    pace = Pace()
    pace.took(SLOW)
    assert pace.most == 1
    for _ in range(4):
        pace.took(FAST)
    assert pace.most == 16
    pace.took(SLOW)
    assert pace.most == 8
    pace.took(PACE_SECONDS * 0.75)
    assert pace.most == 8


def test_as_many_as_failed_together_are_served_one_by_one() -> None:
    pace = Pace()
    for _ in range(3):
        pace.took(FAST)
    pace.failed(8)
    for _ in range(8):
        assert pace.most == 1
        pace.took(FAST)
    assert pace.most == 2
