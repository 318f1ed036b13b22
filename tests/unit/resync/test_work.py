"""A run that waits for a delivery: whoever delivers may have woken the reader before it had noted that it waits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from workers.resync.work import LONG_MS, LOW, wait_for_room, wait_until_free

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.resync.work import Work


@pytest.mark.parametrize(
    ("wait", "lane", "woken"),
    [
        (wait_until_free, {"before": "0"}, True),
        (wait_until_free, {"before": "1"}, False),
        (wait_until_free, {"before": "0", "owner": "somebody"}, False),
        (wait_for_room, {"before": str(LOW)}, True),
        (wait_for_room, {"before": str(LOW + 1)}, False),
    ],
)
def test_what_was_delivered_in_between_is_seen(wait: Callable[[Work], None], lane: dict[str, str], woken: bool) -> None:
    """Else its lane would stand for half a minute, and nothing told why."""
    looks: list[int] = []
    runs = SimpleNamespace(look=lambda _, ms: looks.append(ms))
    work: Any = SimpleNamespace(
        run=SimpleNamespace(id="1"), runs=runs, lane=lambda: lane if looks else {"before": "9999"}
    )
    wait(cast("Work", work))
    assert looks == ([LONG_MS, 0] if woken else [LONG_MS])
