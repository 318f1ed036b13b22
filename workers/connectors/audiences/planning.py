"""What an audience needs next, if anything: one step, or a rest. Reads the store, and changes nothing."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from workers.connectors.audiences.store import calls, replacing
from workers.connectors.audiences.store.audiences import BEGUN, CREATING, DELETED, LIVE, NEW
from workers.connectors.audiences.store.work import Resting

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from workers.connectors.audiences.records import Platform
    from workers.connectors.audiences.store.audiences import Audience

SOMEONE: Final = "someone"
"""What an audience waits for that a person must mend."""
CONFIRMED_AFTER_MS: Final = 3_600_000
"""Milliseconds after which nobody makes real any more what they have begun."""
LONGEST_WAIT_MS: Final = 86_400_000
"""Milliseconds that a change too small for the platform waits for more: then it is padded."""


class AudienceStep(Enum):
    """One call."""

    CREATE = "create"
    CONFIRM = "confirm"
    SEARCH = "search"
    RENAME = "rename"
    ADD = "add"
    REMOVE = "remove"
    BEGIN_REPLACING = "begin replacing"
    REPLACE = "replace"
    FINISH = "finish"
    TAKE_BACK = "take back"
    DELETE = "delete"


def plan(
    connection: Connection, audience: Audience, platform: Platform, sharing: int, now_ms: int
) -> AudienceStep | Resting:
    """The next step; `sharing` audiences share the login's budget.

    What was begun is made real before anything is added; a call that is on its way is waited for where the platform
    tells of its audience only, and not of each call. Each is looked at once a day, whatever it waits for, and sooner
    where a call is to be asked for.
    """
    if audience.state in (BEGUN, CREATING, DELETED):
        return _first_of_all(connection, audience, platform, now_ms)
    pending = [call for call in calls.open_calls(connection, audience.id) if call.state == "pending"]
    next_poll = min((call.poll_ms for call in pending), default=None)
    if pending and platform.one_call_at_a_time:
        return Resting(next_poll, "the platform")
    if platform.confirms and calls.perhaps_begun(connection, audience.id, now_ms - CONFIRMED_AFTER_MS):
        return AudienceStep.TAKE_BACK
    step = _replacement(connection, audience, platform, next_poll)
    if step is None:
        step = _with_nothing_in_its_way(connection, audience, platform, sharing, now_ms)
        if not pending and _may_finish(connection, audience, platform, step):
            return AudienceStep.FINISH
    if step is None or step == Resting(None):
        lands = calls.lands_ms(connection, audience.id)
        later = min(at for at in (now_ms + LONGEST_WAIT_MS, lands) if at)
        return Resting(next_poll or later, "the platform" if pending else "")
    return step.until(next_poll) if isinstance(step, Resting) else step


def _first_of_all(
    connection: Connection, audience: Audience, platform: Platform, now_ms: int
) -> AudienceStep | Resting:
    """Of one that is not yet real, or not any more.

    What was perhaps begun for one that was deleted goes, too, once nobody makes it real any more.
    """
    if audience.state != DELETED:
        return AudienceStep.CONFIRM if audience.state == BEGUN else AudienceStep.SEARCH
    begun = calls.perhaps_begun(connection, audience.id, now_ms) if platform.confirms else []
    if not begun:
        return Resting(None)
    at = min(each.ended_ms for each in begun) + CONFIRMED_AFTER_MS
    return AudienceStep.TAKE_BACK if at <= now_ms else Resting(at)


def _replacement(
    connection: Connection, audience: Audience, platform: Platform, next_poll: int | None
) -> AudienceStep | Resting | None:
    """What a replacement needs before anything else; None where usual calls go on."""
    how = platform.replaces
    if audience.state != LIVE or audience.leaving:
        return None
    if audience.replaces == replacing.ASKED:
        if next_poll is not None:
            return Resting(next_poll, "the platform")  # a call that ends later would bring back whom it takes out
        least = {"list": platform.first_rows, "rest": 0}.get(how, 1)
        found = replacing.members(connection, audience.id, platform.replace_most + 1)
        return AudienceStep.BEGIN_REPLACING if least <= found <= platform.replace_most else None
    if audience.replaces != replacing.BEGUN or how in ("rest", "list"):
        return None
    return AudienceStep.REPLACE


def _may_finish(
    connection: Connection, audience: Audience, platform: Platform, step: AudienceStep | Resting | None
) -> bool:
    """Whether all are told anew, so that the rest, or the list before, may go.

    Where the other list cannot be begun, since too many have left meanwhile, the list before goes all the same.
    """
    if audience.replaces != replacing.BEGUN or isinstance(step, AudienceStep):
        return False
    if platform.replaces == "rest":
        return step is None or step == Resting(None)
    few = calls.owed(connection, audience.id, platform.later_rows + 1).adds < max(1, platform.later_rows)
    return platform.replaces == "list" and (few or audience.state == NEW)


def _with_nothing_in_its_way(
    connection: Connection, audience: Audience, platform: Platform, sharing: int, now_ms: int
) -> AudienceStep | Resting | None:
    """None where nothing is owed."""
    owed = calls.owed(connection, audience.id, platform.fills_a_call(audience.list))
    if audience.leaving and not (owed.removes and audience.failures and audience.waits == SOMEONE):
        # One that cannot go, as it is in use, is emptied. Where only an answer was lost, it may be gone.
        return AudienceStep.DELETE
    if audience.state == NEW:
        return _begin(owed.adds, platform, now_ms)
    change = _change(audience, owed, platform, sharing, now_ms) if owed.adds or owed.removes else None
    if audience.told_name != audience.title and not audience.leaving and not isinstance(change, AudienceStep):
        return AudienceStep.RENAME  # a name that the platform refuses stands in nobody's way
    return change


def _begin(adds: int, platform: Platform, now_ms: int) -> AudienceStep | Resting:
    if not adds:
        return Resting(None)
    if adds < platform.first_rows:
        return Resting(now_ms + LONGEST_WAIT_MS, f"data ({adds} of {platform.first_rows})")
    return AudienceStep.CREATE


def _change(
    audience: Audience, owed: calls.OwedNow, platform: Platform, sharing: int, now_ms: int
) -> AudienceStep | Resting:
    """What does not fill a call waits for its turn among those that share the budget."""
    at = audience.written_ms + pace_ms(platform, sharing)
    full = owed.adds >= platform.fills_a_call(audience.list) or owed.removes >= platform.largest_call
    # Who is told again follows at once: with a turn of their own they would wait for all who leave meanwhile.
    behind = platform.whole_rows and audience.last_call == AudienceStep.REMOVE.value and not owed.removes
    if not full and not behind and at > now_ms:
        return Resting(at, "its turn")
    waited = audience.first_owed_ms and audience.first_owed_ms + LONGEST_WAIT_MS <= now_ms
    steps = {AudienceStep.ADD: owed.adds, AudienceStep.REMOVE: owed.removes}
    for step in _in_order(platform, audience.last_call):
        if steps[step] and (waited or steps[step] >= platform.later_rows):
            return step
    return Resting(audience.first_owed_ms + LONGEST_WAIT_MS, f"data ({max(owed)} of {platform.later_rows})")


def _in_order(platform: Platform, last: str) -> tuple[AudienceStep, AudienceStep]:
    """Adds and removals in turns, or one of them would wait for as long as there are others.

    Where a row stands for a person, removals first, since who is told again must stay; adds follow within its turn.
    """
    if platform.whole_rows or last in (AudienceStep.ADD.value, AudienceStep.CREATE.value):
        return AudienceStep.REMOVE, AudienceStep.ADD
    return AudienceStep.ADD, AudienceStep.REMOVE


def pace_ms(platform: Platform, sharing: int) -> int:
    """Milliseconds between two writes of one audience, so that the budget lasts for all of them."""
    slowest = max((1000 * window.seconds / (0.8 * window.writes) for window in platform.budget), default=0.0)
    return round(slowest * max(1, sharing))
