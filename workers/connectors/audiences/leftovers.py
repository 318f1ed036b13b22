"""What a call of which nobody heard may have left on a platform, and nothing leads to: it goes, with its people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.connectors.audiences.planning import CONFIRMED_AFTER_MS
from workers.connectors.audiences.store import calls
from workers.connectors.audiences.store.audiences import remotes
from workers.connectors.audiences.store.work import Resting

if TYPE_CHECKING:
    from workers.connectors.audiences.one_login import Login
    from workers.connectors.audiences.store.audiences import Audience

CLOCKS_DIFFER_MS: Final = 300_000
"""Milliseconds that a platform's clock may be away from ours, and a call may take."""


def take_back(login: Login, audience: Audience, now_ms: int) -> Resting:
    """Deletes what was begun in the time of such a call and never made real. CallFailed."""
    with login.store.reading() as connection:
        found = calls.perhaps_begun(connection, audience.id, now_ms - CONFIRMED_AFTER_MS)
        ours = remotes(connection, login.connector)
    for call in found:
        login.wire.take_back(call.made_ms - CLOCKS_DIFFER_MS, call.ended_ms + CLOCKS_DIFFER_MS, ours)
        with login.store.changing() as connection:
            calls.looked_at(connection, call.id, 0, seen=False)
    return Resting(now_ms)
