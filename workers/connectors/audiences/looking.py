"""Looks at calls that are on their way, and what is kept of those that the platform does not answer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from workers.connectors.audiences.endings import FIRST_LOOK_MS, LOST_AFTER_MS
from workers.connectors.audiences.store import calls, unanswered
from workers.connectors.audiences.store.audiences import BEGUN
from workers.connectors.audiences.wire import CallFailed, CallProgress, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.connectors.audiences.endings import Endings
    from workers.connectors.audiences.one_login import Login
    from workers.connectors.audiences.store.audiences import Audience
    from workers.connectors.audiences.store.calls import OpenCall

LIMITS: Final = (Fault.LOOKS, Fault.BUDGET)
"""What says nothing of what was asked for: too many calls."""
_NO_ANSWER: Final = (*LIMITS, Fault.UNDONE, Fault.UNHEARD)


def look_at_calls(login: Login, endings: Endings, audience: Audience) -> None:
    """At those that the platform has accepted, where it is time. CallFailed."""
    if audience.state == BEGUN:
        return
    with login.store.reading() as connection:
        pending = [call for call in calls.open_calls(connection, audience.id) if call.state == "pending"]
    for call in pending:
        now = login.clock()
        if call.poll_ms <= now:
            endings.polled(audience, call, _ask(login, audience, call, now), now)


def _ask(login: Login, audience: Audience, call: OpenCall, now: int) -> CallProgress:
    """How a call is doing; one that the platform refuses to tell of for days is lost, and waits no longer.

    A look that came to nothing says nothing of its call, and keeps no change waiting.
    """
    try:
        with heard_of(login, audience, str(call.id)):
            return login.wire.poll(audience, call)
    except CallFailed as failed:
        if failed.fault in LIMITS or failed.fault is Fault.UNDONE:
            return CallProgress("working", again_ms=failed.wait_ms or FIRST_LOOK_MS)
        if failed.fault is Fault.GONE and audience.leaving:
            return CallProgress("failed", code=failed.code)  # it is what is wanted; whether so, its deletion tells
        if failed.fault not in (Fault.GONE, Fault.REFUSED) or now - call.made_ms < LOST_AFTER_MS:
            raise
        return CallProgress("failed", code=failed.code)


@contextmanager
def heard_of(login: Login, audience: Audience, what: str) -> Iterator[None]:
    """Keeps since when something is asked and not answered, by a call's number or a step's name."""
    try:
        yield
    except CallFailed as failed:
        if failed.fault in _NO_ANSWER:
            now = login.clock()
            said = unanswered.Unanswered(now, now, failed.code, failed.reason, failed.fault in LIMITS)
            with login.store.changing() as connection:
                unanswered.note(connection, audience.id, what, said)
        raise
    if audience.unanswered:
        with login.store.changing() as connection:
            unanswered.answered(connection, audience.id, what, login.clock())
