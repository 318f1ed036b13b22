"""What is owed to audiences is sent: the page to read first behind an ad connector's door.

    take the due audience that was served longest ago       store/work.py
    bury the calls of whoever died at it; look at the calls that are on their way    looking.py
    begin it, rename it, add, remove, replace, or end it    one call, written down before it is made (calling.py)
    leave it, due when there is something to do again

One look makes one call at most, so that a login's audiences take turns. What an answer leads to is in `endings.py`.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from workers import failpoints
from workers.connectors.audiences.calling import make, write_down
from workers.connectors.audiences.endings import AGAIN_MS, Endings
from workers.connectors.audiences.leftovers import begin_once_more, take_back
from workers.connectors.audiences.looking import heard_of, look_at_calls
from workers.connectors.audiences.planning import SOMEONE, AudienceStep, plan
from workers.connectors.audiences.replacements import begin, finish_list
from workers.connectors.audiences.store import calls, failing, removals, replacing, work
from workers.connectors.audiences.store.audiences import BEGUN, DELETED, LIVE, NEW
from workers.connectors.audiences.store.pieces import may_take_long
from workers.connectors.audiences.store.work import Resting
from workers.connectors.audiences.wire import CallFailed, Fault
from workers.errors import ErrorClass, TargetError
from workers.failpoints import reach

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from workers.connectors.audiences.one_login import Login
    from workers.connectors.audiences.store.audiences import Audience

HOUR_MS: Final = 3_600_000
"""Milliseconds of an hour."""
DAY_MS: Final = 24 * HOUR_MS
"""Milliseconds of a day."""
OWNED_MS: Final = work.OWNED_MS
"""Milliseconds that an audience is owned for one look."""
STILL_THERE: Final = "ads still there"
"""The code of removals that the platform does not do."""
NOT_REPLACED: Final = "ads not replaced"
"""The code of a replacement that the platform does not do."""
LOOK_TWICE_MS: Final = 600_000
"""Milliseconds between two looks for what was perhaps created: listings lag."""
_ADDING: Final = (AudienceStep.ADD, AudienceStep.CREATE, AudienceStep.REPLACE)
"""What may not use up the part of the budget that is kept for removals."""


_WITH_ROWS: Final = (*_ADDING, AudienceStep.REMOVE)
"""Calls that are written down before they are made."""


def _not_replaced(audience: Audience) -> str:
    again = f"`segsync audiences {audience.connector} --replace` tries again, `--resend` lets it be"
    return f"its members are told, but the platform did not replace all: nobody else was taken out; {again}"


class Rounds:
    """Sends what is owed to the audiences of one login."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._endings = Endings(login.store, login.platform, login.budget, login.clock)
        self._refused = Counter[bool]()  # audiences that wait for the budget, by whether they remove

    def work(self, seconds: float) -> int | None:
        """Looks at due audiences for about so long; when the next one is due (Unix ms), None for never.

        Raises TargetError where the store, or the login itself, needs someone.
        """
        ends = time.monotonic() + seconds
        while (audience := self._take()) is not None:
            self._look(audience)
            if time.monotonic() > ends:
                break
        with self._login.store.reading() as connection:
            return work.next_due(connection, self._login.connector)

    def _take(self) -> Audience | None:
        now = self._login.clock()
        with self._login.store.changing() as connection:
            found = work.take_next(connection, self._login.connector, self._login.owner, now, now + OWNED_MS)
            if found is None:
                return None
            for call in calls.open_calls(connection, found.id):
                if call.state == "calling":
                    # Its owner's time is over, so nothing of it can arrive any more; what it came to nobody heard.
                    calls.unheard(connection, call.id, now, self._login.platform.lands_within * HOUR_MS)
                    replacing.step_back(connection, found.id, call.action)
                    if call.action == AudienceStep.CREATE.value and self._login.platform.confirms:
                        # What was perhaps begun is not real, and nobody will ever see it.
                        work.note(connection, found.id, state=NEW)
            self._remind(connection, found, now)
            return found

    def _remind(self, connection: Connection, audience: Audience, now: int) -> None:
        """Owed again is what the platform may not have any more, though it was told.

        Once a call of which nobody heard is surely over, what was told since. And once a day members whom the platform
        would forget, long before it does, and removals that it does not do; who has left is forgotten.
        """
        if audience.state == LIVE:
            calls.land(connection, audience.id, now)
        if audience.reminded_ms + DAY_MS > now:
            return
        may_take_long(connection)
        days = self._login.platform.members_expire
        if days:
            calls.expire(connection, audience.id, now - days * DAY_MS * 4 // 5)
        removals.try_again(connection, audience.id)
        calls.tidy(connection, audience.id)  # who left before they were told, while others wait for their call
        calls.forget(connection, audience.id, now - DAY_MS)
        work.note(connection, audience.id, reminded_ms=now)

    def _look(self, audience: Audience) -> None:
        try:
            rest = self._step(audience)
        except CallFailed as failed:
            if failed.fault is Fault.UNHEARD:
                # It may arrive yet. It is owned on, as if its process had ended: so nothing can overtake the call.
                self._keep(audience, failed)
                return
            rest = self._endings.failed(audience, failed)
        except TargetError as error:
            again = self._login.clock() + AGAIN_MS
            waits = SOMEONE if error.error_class is ErrorClass.HOLD else "the platform"
            self._leave(audience, Resting(again, waits, error.code, error.reason, failed=True))
            raise
        self._leave(audience, rest)

    def _keep(self, audience: Audience, failed: CallFailed) -> None:
        until = self._login.clock() + max(OWNED_MS, self._endings.again_ms(audience), failed.wait_ms)
        with self._login.store.changing() as connection:
            mine = work.still_mine(connection, audience.id, self._login.owner, until)
            if mine is not None:
                work.unheard(connection, audience.id, failed.code, failed.reason)
                why = failing.for_a_day(connection, mine, self._login.clock())
                said = {"waits": SOMEONE if why else "the platform", "code": failed.code}
                said["reason"] = why.reason if why else failed.reason
                work.note(connection, audience.id, failures=mine.failures + 1, **said)

    def _leave(self, audience: Audience, rest: Resting) -> None:
        with self._login.store.changing() as connection:
            if rest.waits == "budget" and audience.state != BEGUN:  # which waits for a call, and for no look
                rest = rest.until(calls.next_poll_ms(connection, audience.id))
            if rest.waits != SOMEONE and (number := removals.stuck(connection, audience.id)):
                # What else it waits for ends by itself.
                said = f"{number} that left may still be there: the platform does not take them out; tried every day"
                rest = rest._replace(waits=SOMEONE, code=rest.code or STILL_THERE, reason=said)
            elif rest.waits != SOMEONE and replacing.is_not_done(connection, audience.id):
                rest = rest._replace(waits=SOMEONE, code=rest.code or NOT_REPLACED, reason=_not_replaced(audience))
            elif rest.waits != SOMEONE and (why := failing.for_a_day(connection, audience, self._login.clock())):
                rest = rest._replace(waits=SOMEONE, code=why.code, reason=why.reason)
            elif not rest.code and (why := failing.unheard_look(connection, audience, self._login.clock())):
                rest = rest._replace(code=why.code, reason=why.reason)
            work.release(connection, audience, self._login.owner, rest)

    def _step(self, audience: Audience) -> Resting:
        """One call at most."""
        look_at_calls(self._login, self._endings, audience)
        with self._login.store.changing() as connection:
            now = self._login.clock()
            fresh = work.still_mine(connection, audience.id, self._login.owner, now + OWNED_MS)
            if fresh is None:
                return Resting(None)
            if fresh.state == NEW:
                removals.owe_none(connection, audience.id)
            if not calls.owes_a_call(connection, audience.id):
                may_take_long(connection)
                calls.tidy(connection, audience.id)
            owes = calls.owes_anything(connection, audience.id)
            if owes != bool(fresh.first_owed_ms):
                # It owes again what it had told: to members who would be forgotten, after a call that failed late. Or
                # all that it owed came to nothing, and what comes next has its own time to wait for more.
                work.note(connection, audience.id, first_owed_ms=now if owes else 0)
                fresh = replace(fresh, first_owed_ms=now if owes else 0)
            sharing = work.live_audiences(connection, self._login.connector)
            step = plan(connection, fresh, self._login.platform, sharing, now)
        if isinstance(step, Resting):
            return step
        if step is AudienceStep.BEGIN_REPLACING:  # which costs no write
            return self._do(fresh, step)
        wait = self._take_a_call(removes=step not in _ADDING)
        if wait and self._may_remove_instead(step) and self._owes_removals(fresh):
            step, wait = AudienceStep.REMOVE, min(wait, self._take_a_call(removes=True))
        if wait:
            return Resting(now + wait, "budget", "", "the platform's limit of calls is used up")
        return self._do(fresh, step)

    def _take_a_call(self, *, removes: bool) -> int:
        """Milliseconds to wait, behind those who were refused in this round; 0: it may be made."""
        wait = self._login.budget.take(removes=removes, ahead=self._refused[removes])
        self._refused[removes] += bool(wait)
        return wait

    def _may_remove_instead(self, step: AudienceStep) -> bool:
        """Within a session that replaces members no other call is taken."""
        replaces = step is AudienceStep.REPLACE and self._login.platform.replaces == "call"
        return step is AudienceStep.ADD or replaces

    def _owes_removals(self, audience: Audience) -> bool:
        """Whether somebody is to be taken out, for whom there may be a call left where none is for adding."""
        with self._login.store.reading() as connection:
            return bool(calls.owed(connection, audience.id, 1).removes)

    def _do(self, audience: Audience, step: AudienceStep) -> Resting:
        """A call with rows is written down; of what comes of any other step since when it fails is kept."""
        now = self._login.clock()
        if step in _WITH_ROWS or (step is AudienceStep.FINISH and self._login.platform.replaces != "list"):
            return self._send(audience, step, now)
        with heard_of(self._login, audience, step.value):
            return self._do_without_rows(audience, step, now)

    def _do_without_rows(self, audience: Audience, step: AudienceStep, now: int) -> Resting:
        if step is AudienceStep.BEGIN_REPLACING:
            return begin(self._login, audience, now)
        if step is AudienceStep.CONFIRM:
            return self._confirm(audience, now)
        if step is AudienceStep.SEARCH:
            return self._search(audience, now)
        if step in (AudienceStep.TAKE_BACK, AudienceStep.FINISH):
            return (take_back if step is AudienceStep.TAKE_BACK else finish_list)(self._login, audience, now)
        if step is AudienceStep.RENAME:
            self._noted(audience, Resting(now), told_name="")  # from here on nobody knows it, until it is answered
            reach(failpoints.BEFORE_RENAME)
            self._login.wire.rename(audience)
            reach(failpoints.AFTER_RENAME)
            return self._noted(audience, Resting(now), told_name=audience.title)
        reach(failpoints.BEFORE_DELETE)
        if audience.remote:
            self._login.wire.delete(audience)
        reach(failpoints.AFTER_DELETE)
        with self._login.store.changing() as connection:
            calls.all_gone(connection, audience.id)
        return self._noted(audience, Resting(now), state=DELETED)

    def _noted(self, audience: Audience, rest: Resting, **values: object) -> Resting:
        with self._login.store.changing() as connection:
            if work.is_mine(connection, audience.id, self._login.owner):  # and was not begun anew meanwhile
                work.note(connection, audience.id, **values)
        return rest

    def _send(self, audience: Audience, step: AudienceStep, now: int) -> Resting:
        """Adds, removes or replaces rows, or begins the audience, with its first rows where the platform wants some."""
        written = write_down(self._login, audience, step, now)
        if written is None:
            return Resting(now)
        reach(failpoints.BEFORE_CALL)
        try:
            answered = make(self._login, audience, step, written)
        except CallFailed as failed:
            if failed.fault is Fault.UNHEARD:
                raise
            return self._endings.call_failed(audience, written.call, written.rows, failed, step)
        except TargetError as error:
            # There was no token for it: it was not made, or refused for the token's sake.
            undone = CallFailed(Fault.UNDONE, error.code, error.reason)
            self._endings.call_failed(audience, written.call, written.rows, undone, step)
            raise
        reach(failpoints.AFTER_CALL)
        return self._endings.answered(audience, written.call, written.rows, answered, step)

    def _confirm(self, audience: Audience, now: int) -> Resting:
        """Makes real what was begun; an answer that was lost is looked for before it is asked again."""
        if any(each.real for each in self._login.wire.find(audience)):
            return self._noted(audience, Resting(now), state=LIVE, told_name="")  # perhaps under an earlier name
        reach(failpoints.BEFORE_CALL)
        try:
            self._login.wire.confirm(audience)
        except CallFailed as failed:
            return begin_once_more(self._login, audience, failed, now)
        reach(failpoints.AFTER_CALL)
        return self._noted(audience, Resting(now), state=LIVE, told_name=audience.title)

    def _search(self, audience: Audience, now: int) -> Resting:
        """An audience that was perhaps created, under whatever name, is looked for twice; of two the older is kept."""
        found = sorted((each for each in self._login.wire.find(audience) if each.real), key=lambda each: each.created)
        if found:
            return self._noted(audience, Resting(now), state=LIVE, remote=found[0].remote, told_name="")
        with self._login.store.changing() as connection:
            if audience.written_ms + LOOK_TWICE_MS <= now and work.is_mine(connection, audience.id, self._login.owner):
                work.note(connection, audience.id, state=NEW)
                return Resting(now)
        return Resting(audience.written_ms + LOOK_TWICE_MS, "a second look", "", "its creation was not answered")
