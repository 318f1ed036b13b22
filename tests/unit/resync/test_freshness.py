"""Whether a session that is read in has what was pushed before the run's mark."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from workers.errors import TargetError
from workers.resync.freshness import check_session

SENT = 1_700_000_000_000


@pytest.mark.parametrize("takes_ms", [0, 30_000])
def test_data_is_no_newer_for_an_age_that_takes_long_to_be_told(takes_ms: int) -> None:
    """As from a server that is busy: what it has is as old as it was when it was asked, or older."""
    run = SimpleNamespace(ahead=0, ahead_at=0, marked=SENT)
    work: Any = SimpleNamespace(run=run, lane=dict, mark_of=lambda _: f"{SENT}-0", now=SENT + 5_000)

    def age() -> float:
        work.now += takes_ms
        return 4.5

    with pytest.raises(TargetError, match=r"another may have answered, whose data is 0\.5 s too old"):
        check_session(work, age)
    work.now = SENT + 6_000
    check_session(work, age)
