"""The reader: moves runs on, one step at a time, and never waits for a delivery (rules 45 to 49).

    waiting ── mark sent ──▶ marked ── reached, source read, judged ──▶ removing ──▶ adding ──▶ ended
                               ▲                                           │           │
                               └───────────── between (the lane goes on) ◀─┴───────────┘

A step is short, but for the reading of a source and a target. Whatever ends the process, another one goes on from what
Redis holds of the run; what was on this one's disk is made anew.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from redis import RedisError

from workers.errors import SegsyncError, SettingsError, TargetError
from workers.events.sequence import TEXT_LENGTH
from workers.lanes.answers import text_of
from workers.lanes.clock import redis_ms
from workers.lanes.runs import LONGEST_LOOK_MS, ReadingLost, ResyncRuns
from workers.lanes.store import LEASE_MS
from workers.resync.answering import ANSWERED, answers_of, is_answered
from workers.resync.changing import bring_members, bring_removals
from workers.resync.comparing import begin, compare
from workers.resync.ending import RunBooks, end, leaves_need
from workers.resync.failing import fail
from workers.resync.folder import make_private
from workers.resync.freshness import SENDING_MS, check_session, is_waited_for
from workers.resync.keys_on_disk import remove
from workers.resync.patience import granted
from workers.resync.places import Apart, place_of
from workers.resync.profiles import UnfitSource
from workers.resync.readiness import (
    cannot_be_compared,
    followers,
    has_changed,
    in_the_way,
    may_be_on_its_way,
    note_stalled,
)
from workers.resync.run import ResyncRun
from workers.resync.work import Work, finish, is_free, lacking, stop, wait_until_free
from workers.routing.routes import restore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workers.lanes import Lanes
    from workers.lanes.lease import Held
    from workers.resync.feed import FeedSource
    from workers.resync.places import Outcome, Places
    from workers.resync.reaching import Reach
    from workers.settings import Settings

LATER_MS = 5_000
"""Until a run that cannot begin looks again whether it may."""
LOST_MS = LONGEST_LOOK_MS
"""After so long a mark that is neither in the intake nor in its lane was lost with Redis's last second."""
KEPT_SECONDS = 0.2
"""Until Redis is asked again whether the lease is ours: each step asks, too, before it changes a thing."""


class ResyncReader:
    """Reads for resyncs in the name of one lease.

    folder  where runs keep what they have read, each in a folder of its own
    apart   the run that is to be read at a place of its own, once the lease is left
    """

    def __init__(
        self, lanes: Lanes, held: Held, settings: Settings, doors: Reach, folder: Path, places: Places
    ) -> None:
        self._lanes = lanes
        self._held = held
        self._settings = settings
        self._doors = doors
        self._folder = folder
        self._places = places
        self.apart: Apart | None = None
        self._runs = ResyncRuns(lanes, held.owner)
        self._kept = -KEPT_SECONDS

    def turn(self, seconds: float) -> int:
        """Moves on what is due, for about so long; returns the steps taken. redis.RedisError, Stale, ReadingLost."""
        ends, steps = time.monotonic() + seconds, 0
        while due := self._due():
            for run in due:
                self._step(run)
                steps += 1
                if self.apart is not None or time.monotonic() >= ends:
                    return steps
        return steps

    def conclude(self, name: str, place: str, outcome: Outcome) -> None:
        """Goes on with a run that was read at this place, if it is still the same. As `turn`."""
        run = ResyncRun.read(self._runs.read(name))
        if run is None or run.place != place:
            return
        self._runs.look(name, 0, {"place": ""})
        if run.state != "marked" or run.cancelled or (work := self._work(run)) is None:
            return
        if mark := work.mark_of(work.lane()):
            self._guarded(work, lambda: self._begin(work, mark, outcome))

    def _begin(self, work: Work, mark: str, outcome: Outcome) -> None:
        if isinstance(outcome, Exception):
            raise outcome
        begin(work, mark, outcome)

    def _due(self) -> list[str]:
        now = redis_ms(self._lanes.redis)
        return self._runs.due(now) or self._runs.may_begin(now)

    def _step(self, name: str) -> None:
        run = ResyncRun.read(self._runs.read(name))
        try:
            if run is None or run.state == "ended":
                self._runs.look(name, None)  # which removes it
            elif (work := self._work(run)) is not None:
                self._move_on(work)
        except ReadingLost as lost:
            if "over" not in str(lost):
                raise

    def _work(self, run: ResyncRun) -> Work | None:
        """What the run needs; None where it cannot be had, and the run was ended for it."""
        integration = self._settings.integrations.get(run.integration)
        known = text_of(self._lanes.redis.hget(self._lanes.keys.segments, run.segment))
        segment = restore(run.segment, known.encode()) if known else None
        database = (segment.database if segment else None) or self._settings.default_database
        answered = self._is_answered(run)
        settings = ANSWERED if answered else self._settings.sources.get(database)
        connector = self._settings.connectors.get(integration.connector) if integration else None
        if integration is None or settings is None or connector is None:
            self._give_up(run, lacking(run, integration, settings, database))
            return None
        way = self._doors.way_to(connector, run.integration, run.segment)
        work = Work(
            run=run,
            integration=integration,
            settings=settings,
            way=way,
            source=self._answers(run)
            if answered
            else self._doors.members_of(settings, run.segment, lambda age: check_session(work, age)),
            runs=self._runs,
            redis=self._lanes.redis,
            keys=self._lanes.keys,
            folder=self._folder / run.id,
            keep=partial(self._keep, granted(settings)),
            followers=partial(followers, self._lanes.redis, self._lanes.keys, self._settings, run.segment),
            name=segment.name if segment else None,
        )
        return work

    def _is_answered(self, run: ResyncRun) -> bool:
        """Until a run's first mark is sent, whoever answers at that time; afterwards the same (rule 46)."""
        if run.phase == "plan" and run.state in {"waiting", "between"}:
            return is_answered(self._lanes.redis, self._lanes.keys, run.segment)
        return run.answered == "1"

    def _answers(self, run: ResyncRun) -> FeedSource:
        return answers_of(self._lanes.redis, self._lanes.keys, run.id, run.segment, self._keep)

    def _give_up(self, run: ResyncRun, why: str) -> None:
        lane = self._runs.lane(run.integration, run.segment)
        said = {"why": why, "stalled": "1", "windowed": ""}  # nobody may ever deliver what stands before its mark
        if lane.get("run") == run.id and self._runs.leave(run.id, LATER_MS, said) != "ok":
            self._runs.look(run.id, LATER_MS, said)
            return
        books = RunBooks(self._runs, self._lanes.redis, self._lanes.keys, self._folder / run.id)
        end(books, run, "failed", why, {}, flag=leaves_need(run), unflag_to="")

    def _keep(self, granted_seconds: float = 0.0) -> None:
        """Something came: the lease may go on. ReadingLost where another reads by now, which is asked now and then."""
        now = time.monotonic()
        self._held.began = now + granted_seconds
        if now - self._kept < KEPT_SECONDS:
            return
        self._kept = now
        if not self._lanes.keep_lease(self._held.name, self._held.owner):
            raise ReadingLost("another process reads for resyncs")

    def _move_on(self, work: Work) -> None:
        run = work.run
        note_stalled(work)
        if run.cancelled and run.state != "stopping":
            stop(work, "cancelled", f"by {run.cancelled}")
        elif run.state == "stopping":
            stop(work, run.outcome, run.why)
        elif run.place and self._places.is_taken(run.place):
            self._runs.look(run.id, LATER_MS)
        elif run.marked > work.now + SENDING_MS:  # the clock was set back: how long it is since, nothing tells
            known = {"marked": work.now, "reached": min(run.reached, work.now), "late": 0, "ahead_at": 0}
            self._runs.look(run.id, 0, known)
        elif has_changed(work):
            self._begin_anew(work)
        elif run.state in {"waiting", "between"}:
            self._send_mark(work)
        else:
            self._at_mark(work)

    def _begin_anew(self, work: Work) -> None:
        """The configuration has changed under the run (rule 49)."""
        lane = work.lane()
        if work.mark_of(lane) and (not is_free(lane) or self._runs.leave(work.run.id, LATER_MS, {}) != "ok"):
            self._runs.look(work.run.id, LATER_MS)
            return
        remove(work.folder)
        self._runs.look(work.run.id, 0, {"state": "between", "phase": "plan", "first": "", "looks": 0, "ahead": 0})

    def _send_mark(self, work: Work) -> None:
        """Sends the mark through the intake, if the lane is likely to come to it (rule 45)."""
        run = work.run
        if not work.follows():  # and may never be again: it would keep its place from others
            finish(work, "failed", f"{run.integration} does not follow segment {run.segment}")
            work.redis.hdel(work.keys.runs_failing, f"{run.integration}:{run.segment}")  # which nobody can mend
            return
        if run.verifies and (why := cannot_be_compared(work.integration)):
            finish(work, "failed", why)
            return
        if why := in_the_way(work):
            self._runs.look(run.id, LATER_MS, {"why": why})
            return
        answered = "1" if work.settings is ANSWERED else ""
        said = {"state": "marked", "marked": work.now, "digest": work.digest(), "why": ""}
        said |= {"mode": work.mode(), "index": 0, "reached": 0, "late": 0, "answered": answered}
        self._runs.mark(run.id, run.integration, run.segment, said)

    def _at_mark(self, work: Work) -> None:
        lane = work.lane()
        mark = work.mark_of(lane)
        if not mark:
            self._look_for_mark(work)
            return
        self._guarded(work, lambda: self._under_mark(work, mark, lane))

    def _under_mark(self, work: Work, mark: str, lane: dict[str, str]) -> None:
        make_private(self._folder)
        if work.run.state == "marked":
            self._reached(work, mark, lane)
        elif work.run.state == "removing":
            bring_removals(work, mark, lane)
        else:
            bring_members(work, mark, lane)

    def _guarded(self, work: Work, act: Callable[[], None]) -> None:
        """Does it; what cannot be read is the run's own failure."""
        try:
            act()
        except (TargetError, UnfitSource, SettingsError, OSError) as error:
            fail(work, error)
        except (SegsyncError, RedisError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - data that nobody has thought of must not stop all other runs
            fail(work, UnfitSource(f"what was read raised {type(error).__name__}"))

    def _look_for_mark(self, work: Work) -> None:
        """It is on its way; or lost with Redis's last second, or with a lane that somebody dropped: then another."""
        if work.now - work.run.marked < LOST_MS or may_be_on_its_way(work):
            self._runs.look(work.run.id, LATER_MS)
            if work.mark_of(work.lane()):  # it has come in between, and whoever brought it has woken nobody else
                self._runs.look(work.run.id, 0)
        else:
            self._send_mark(work)

    def _reached(self, work: Work, mark: str, lane: dict[str, str]) -> None:
        if not is_free(lane):
            self._runs.look(work.run.id, None, {"why": "what came in before is being delivered"})
            wait_until_free(work, LATER_MS)
            return
        if is_waited_for(work, mark, LATER_MS):
            return
        first = work.run.first or mark[: TEXT_LENGTH - 7] + "0" * 7
        said = {"first": first, "reached": work.now, "why": "", "mode": work.mode(), "place": ""}
        self._runs.look(work.run.id, LOST_MS, {**said, "digest": work.digest()})
        if work.run.phase == "plan":
            self._plan(self._reread(work), mark)
        else:
            self._runs.look(work.run.id, 0, {"state": "adding"})

    def _plan(self, work: Work, mark: str) -> None:
        """Here and now; or at a place of its own, where the source has one that is free."""
        held = self._places.take(work.settings)
        if held is None:
            self._begin(work, mark, compare(work))
            return
        self._runs.look(work.run.id, LEASE_MS, {"place": place_of(held)})
        self.apart = Apart(work, held)

    def _reread(self, work: Work) -> Work:
        return self._work(ResyncRun.read(self._runs.read(work.run.id)) or work.run) or work
