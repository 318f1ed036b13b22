"""What was begun on a platform and is not real: what nothing leads to goes; what is gone is begun once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.connectors.audiences.planning import CONFIRMED_AFTER_MS, LONGEST_WAIT_MS
from workers.connectors.audiences.store import calls, failing, work
from workers.connectors.audiences.store.audiences import NEW, remotes
from workers.connectors.audiences.store.work import Resting
from workers.connectors.audiences.wire import SETTLED_MS, CallFailed, Fault

if TYPE_CHECKING:
    from workers.connectors.audiences.one_login import Login
    from workers.connectors.audiences.store.audiences import Audience

CLOCKS_DIFFER_MS: Final = 300_000
"""Milliseconds that a platform's clock may be away from ours, and a call may take."""


def take_back(login: Login, audience: Audience, now_ms: int) -> Resting:
    """Deletes what was begun in the time of such a call and never made real. CallFailed.

    A call is over when its audience is owned no more, however much later somebody learns of that.
    """
    with login.store.reading() as connection:
        found = calls.perhaps_begun(connection, audience.id, now_ms - CONFIRMED_AFTER_MS)
        ours = remotes(connection, login.connector)
    for call in found:
        over_ms = min(call.ended_ms, call.made_ms + work.OWNED_MS)
        login.wire.take_back(call.made_ms - CLOCKS_DIFFER_MS, over_ms + CLOCKS_DIFFER_MS, ours)
        with login.store.changing() as connection:
            calls.looked_at(connection, call.id, 0, seen=False)
    return Resting(now_ms)


def begin_once_more(login: Login, audience: Audience, failed: CallFailed, now_ms: int) -> Resting:
    """Of what was begun and is gone before it was real: nobody aims at it. CallFailed for any other failure.

    Where it is there all the same, and its platform lagged, it goes as what nobody heard of does. Each time it waits
    longer: a platform that keeps nothing of it would have all its people over and over, and none of its calls for
    others.
    """
    with login.store.reading() as connection:
        times: int = 2 ** min(failing.begun_in_vain(connection, audience.id), 10)
    if failed.fault is not Fault.GONE or now_ms < audience.written_ms + min(LONGEST_WAIT_MS, SETTLED_MS * times):
        raise failed
    with login.store.changing() as connection:
        if work.is_mine(connection, audience.id, login.owner):
            for call in calls.open_calls(connection, audience.id):
                calls.end(connection, call.id, "unknown", now_ms, failed.code, failed.reason)
                calls.unheard(connection, call.id, now_ms, 0)
            work.note(connection, audience.id, state=NEW, remote="")
    return Resting(now_ms)
