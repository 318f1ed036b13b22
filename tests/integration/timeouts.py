"""What waits for its batch to fill up gets as old as the tests' batches may get, however long that takes here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.waiting import until

if TYPE_CHECKING:
    from workers.lanes.keys import Keys

TIMEOUT_MS = 100
"""The longest timeout of a batch that tests wait for."""


def let_timeouts_pass(client: Any, keys: Keys) -> None:
    """Waits, by Redis' clock, until the newest event of all, routed or not, is older than a batch's timeout.

    A retry time is not waited for.
    """
    if not client.exists(keys.events):
        return
    newest = client.xinfo_stream(keys.events)["last-generated-id"]
    newest_ms = int(newest.partition(b"-")[0])
    until(lambda: _now_ms(client) > newest_ms + TIMEOUT_MS, "the timeouts of all batches")


def _now_ms(client: Any) -> int:
    seconds, micros = client.time()
    return int(seconds) * 1000 + int(micros) // 1000
