"""What an answer leads to, and what a failure leads to: the table of a call's endings."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from workers.connectors.audiences.planning import SOMEONE, AudienceStep
from workers.connectors.audiences.store import calls, refusals, removals, replacing, work
from workers.connectors.audiences.store.audiences import BEGUN, CREATING, LIVE, NEW, lock
from workers.connectors.audiences.store.work import Resting
from workers.connectors.audiences.wire import SETTLED_MS, CallFailed, Fault
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from workers.connectors.audiences.budgets import Budget
    from workers.connectors.audiences.records import Platform
    from workers.connectors.audiences.store.audiences import Audience
    from workers.connectors.audiences.store.calls import OpenCall
    from workers.connectors.audiences.store.database import Store
    from workers.connectors.audiences.store.rows import SentRow
    from workers.connectors.audiences.wire import Answered, CallProgress

FIRST_LOOK_MS: Final = 60_000
"""Milliseconds until a call that was accepted is asked for."""
LONGEST_LOOK_MS: Final = 1_800_000
"""Milliseconds between two such looks."""
AGAIN_MS: Final = 30_000
"""Milliseconds until the second try of what failed; twice as long each time."""
LONGEST_AGAIN_MS: Final = 3_600_000
"""Milliseconds between two tries, however many failed."""
NEEDS_LOOK_MS: Final = 900_000
"""Milliseconds between two tries of what someone must mend."""
LOST_AFTER_MS: Final = 172_800_000
"""Milliseconds after which a call that the platform never ends is taken for failed: two days."""


class Endings:
    """Writes down what came of calls."""

    def __init__(self, store: Store, platform: Platform, budget: Budget, clock: Callable[[], int]) -> None:
        self._store = store
        self._platform = platform
        self._budget = budget
        self._clock = clock

    def answered(
        self, audience: Audience, call: int, rows: Sequence[SentRow], answered: Answered, step: AudienceStep
    ) -> Resting:
        """The platform has accepted a call, and perhaps done it already."""
        now = self._clock()
        if answered.rest_ms:
            self._budget.block(answered.rest_ms)
        with self._writing(audience) as connection:
            if not calls.is_calling(connection, call):
                return Resting(now)  # given up meanwhile: whoever did that has taken it for unheard
            _refuse(connection, call, rows, answered.refused, step)
            refused = len(answered.refused) + answered.rejected
            taken = _identifiers(rows, set(range(len(rows))) - set(answered.refused))
            work.count(connection, audience.id, accepted=len(taken), rejected=refused)
            if step is AudienceStep.CREATE:
                state = LIVE if answered.live else BEGUN
                told = audience.title if answered.live else ""
                work.note(connection, audience.id, remote=answered.remote, state=state, told_name=told)
            if answered.applied and answered.rejected and step is AudienceStep.REMOVE:
                self._came_to_nothing(connection, audience, (call, step.value), answered.rejected)
                return Resting(now)
            if answered.applied:
                applied = calls.end(connection, call, "done", now, rejected=answered.rejected)
                work.count(connection, audience.id, applied=applied)
                if answered.replaced:
                    replacing.finish(connection, audience, now)
                self._settle(connection, audience)
                return Resting(now)
            calls.accepted(connection, call, answered.handle, now + FIRST_LOOK_MS)
            if step is AudienceStep.FINISH:
                work.note(connection, audience.id, replaces=replacing.ENDING)
        return Resting(now)

    @contextmanager
    def _writing(self, audience: Audience) -> Iterator[Connection]:
        """A change of what is known of its members: its row is locked first, as by whoever delivers to it."""
        with self._store.changing() as connection:
            lock(connection, audience.id)
            yield connection

    def _settle(self, connection: Connection, audience: Audience) -> None:
        if not calls.owes_anything(connection, audience.id):
            work.note(connection, audience.id, first_owed_ms=0)

    def polled(self, audience: Audience, call: OpenCall, progress: CallProgress, now: int) -> None:
        """A look at a call that is on its way."""
        heard = not progress.again_ms  # else nothing is known of it: it may be done, and is not lost
        seen = call.seen or (progress.state == "working" and heard)
        # What only tells how the audience is may tell how it was: its listing lags.
        may_lag = progress.of_audience or self._platform.one_call_at_a_time
        tells = seen or now - call.made_ms >= SETTLED_MS or not may_lag
        in_part = call.action == AudienceStep.REMOVE.value and progress.rejected > 0
        with self._writing(audience) as connection:
            if progress.state == "done" and tells and not in_part:
                applied = calls.end(connection, call.id, "done", now, progress.code, rejected=progress.rejected)
                work.count(connection, audience.id, applied=applied, rejected=progress.rejected)
                if call.action in (AudienceStep.REPLACE.value, AudienceStep.FINISH.value):
                    replacing.finish(connection, audience, now)
                elif progress.rejected:
                    replacing.took_a_part(connection, audience.id)
                self._settle(connection, audience)
            elif (progress.state in ("failed", "done") and tells) or (now - call.made_ms >= LOST_AFTER_MS and heard):
                what = (call.id, call.action)
                self._came_to_nothing(connection, audience, what, progress.rejected, progress.code)
            else:
                wait = max(progress.again_ms, min(LONGEST_LOOK_MS, FIRST_LOOK_MS * 2 ** min(call.polls, 10)))
                calls.looked_at(connection, call.id, now + wait, seen=seen)

    def _came_to_nothing(
        self, connection: Connection, audience: Audience, call: tuple[int, str], rejected: int, code: str = ""
    ) -> None:
        """A call, by id and action, that was accepted and is not done, or a removal that was done in part.

        It is owed again, later each time; a removal is given up in the end, and then tried once a day.
        """
        id_, action = call
        times = removals.failures_in_a_row(connection, audience.id, action)
        if action == AudienceStep.REMOVE.value and times + 1 >= removals.MOST_IN_A_ROW:
            removals.give_up(connection, id_)
        replacing.step_back(connection, audience.id, action)
        now, reason = self._clock(), "the platform did a part of it" if rejected else "the platform failed to apply it"
        calls.end(connection, id_, "failed", now, code or "ads failed late", reason, rejected=rejected)
        wait = min(LONGEST_AGAIN_MS, AGAIN_MS * 2 ** min(times, 10)) if times else 0
        work.note(connection, audience.id, written_ms=now + wait)

    def call_failed(
        self, audience: Audience, call: int, rows: Sequence[SentRow], failed: CallFailed, step: AudienceStep
    ) -> Resting:
        """A call that surely changed nothing: its identifiers are owed again, but for those refused by name."""
        now = self._clock()
        if failed.fault is Fault.ROWS:
            # What was made up to fill a call may be named, too, and is nobody's.
            failed.rows = {index: code for index, code in failed.rows.items() if index < len(rows)}
            failed.fault = failed.fault if failed.rows else Fault.REFUSED
        with self._writing(audience) as connection:
            if not calls.is_calling(connection, call):
                return Resting(now)
            if failed.fault is Fault.ROWS:
                _refuse(connection, call, rows, failed.rows, step)
                work.count(connection, audience.id, rejected=len(failed.rows))
            calls.end(connection, call, "undone", now, failed.code, failed.reason)
            if step is AudienceStep.CREATE and failed.fault is Fault.EXISTS:
                # An earlier call made it, and its listing lags: it is looked for, and then created once more.
                work.note(connection, audience.id, state=CREATING)
                often = removals.failures_in_a_row(connection, audience.id, step.value) >= removals.MOST_IN_A_ROW
                waits = SOMEONE if often else "a second look"
                return Resting(now + NEEDS_LOOK_MS, waits, failed.code, failed.reason)
            if step is AudienceStep.CREATE:
                work.note(connection, audience.id, state=NEW)
            if step in (AudienceStep.REPLACE, AudienceStep.FINISH) and failed.fault is not Fault.BUDGET:
                _not_replaced(connection, audience, failed, step)
        return self.failed(audience, failed)

    def again_ms(self, audience: Audience) -> int:
        """Milliseconds until what failed is tried again: longer each time."""
        times: int = 2 ** min(audience.failures, 10)
        return min(LONGEST_AGAIN_MS, AGAIN_MS * times)

    def failed(self, audience: Audience, failed: CallFailed) -> Resting:
        """When an audience is tried again after a failure; TargetError where the whole login needs someone."""
        now = self._clock()
        again = self.again_ms(audience)
        match failed.fault:
            case Fault.BUDGET:
                self._budget.block(failed.wait_ms or 60_000)
                return Resting(now + (failed.wait_ms or 60_000), "budget", failed.code, failed.reason)
            case Fault.ROWS:
                return Resting(now, "", failed.code, failed.reason)
            case Fault.LOGIN:
                reason = f"{failed.reason}; {self._platform.remedy(audience.connector)}"
                raise TargetError(ErrorClass.HOLD, failed.code, reason, level=HoldLevel.CONNECTOR)
            case Fault.GONE | Fault.REFUSED | Fault.IN_USE | Fault.EXISTS:
                return Resting(now + max(NEEDS_LOOK_MS, again), SOMEONE, failed.code, failed.reason, failed=True)
            case _:
                return Resting(
                    now + max(again, failed.wait_ms), "the platform", failed.code, failed.reason, failed=True
                )


def _refuse(
    connection: Connection, call: int, rows: Sequence[SentRow], refused: Mapping[int, str], step: AudienceStep
) -> None:
    """What the platform names: who cannot come in stays out, and who cannot be taken out may be there."""
    if step is AudienceStep.REMOVE:
        removals.give_up(connection, call, _identifiers(rows, refused))
    else:
        codes = {each: code for index, code in refused.items() for each in rows[index].identifiers}
        refusals.refuse(connection, call, codes)


def _not_replaced(connection: Connection, audience: Audience, failed: CallFailed, step: AudienceStep) -> None:
    """A refusal would come again; whatever else it is, it may pass."""
    if failed.fault in (Fault.REFUSED, Fault.ROWS):
        replacing.end(connection, audience.id, replacing.NOT_DONE)
    else:
        replacing.step_back(connection, audience.id, step.value)


def _identifiers(rows: Sequence[SentRow], refused: Iterable[int]) -> set[int]:
    return {each for index in refused for each in rows[index].identifiers}
