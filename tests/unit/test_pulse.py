"""How long the pulse rests when a look has failed."""

from __future__ import annotations

from workers.pulse import LONGEST_BACKOFF_SECONDS, pause_after


def test_the_pause_grows_to_its_end_and_stays_there_however_long_it_lasts() -> None:
    assert [pause_after(failures) for failures in range(1, 7)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert pause_after(100_000) == LONGEST_BACKOFF_SECONDS
