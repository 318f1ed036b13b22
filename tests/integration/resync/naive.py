"""What one would build by mistake: each of these takes a rule of resyncs out of the code, and the histories see it.

A function here changes the product under a test's monkeypatch; `theme` of `NAIVE` is where it goes wrong soonest.
"""

from __future__ import annotations

import json
import random
from itertools import islice
from typing import TYPE_CHECKING, Any

from tests.integration.resync.history import Changed, source_is
from workers.events.event import Kind
from workers.lanes.chunks import unpack
from workers.lanes.runs import ResyncRuns
from workers.resync import changing, comparing
from workers.resync.planning import Planner, spooled
from workers.resync.source import Members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from workers.resync.source import Id, Membership
    from workers.resync.work import Work

    Mutation = Callable[[pytest.MonkeyPatch], None]

PAGE = 1


def _all(source: Membership) -> list[Any]:
    return list(source.everything())


def _behind(pages: list[Any], after: Id | None) -> Iterator[Members]:
    for page in pages:
        for at, row in zip(page.ids, page.rows, strict=True):
            if after is None or at > after:
                yield Members([at], [row], page.shaper)


def read_before_the_mark(patch: pytest.MonkeyPatch) -> None:
    """A file that was written when somebody asked for the run."""
    kept: dict[str, list[Any]] = {}

    def change(work: Work) -> Changed:
        if work.run.id not in kept:
            kept[work.run.id] = _all(work.source)
        return Changed(work.source, lambda after: _behind(kept[work.run.id], after))

    source_is(patch, change)


def slices_at_the_first_mark(patch: pytest.MonkeyPatch) -> None:
    """What was read to be compared is told behind marks that came later."""
    kept: dict[str, list[Any]] = {}

    def change(work: Work) -> Changed:
        def pages(after: Id | None) -> Iterator[Members]:
            if work.run.phase == "plan" and work.run.state == "marked":
                kept[work.run.id] = _all(work.source)
            return _behind(kept.get(work.run.id, []), after)

        return Changed(work.source, pages)

    source_is(patch, change)


def cut_off_is_the_end(patch: pytest.MonkeyPatch) -> None:
    """What breaks off, as sources do now and then, is believed."""
    chance = random.Random(1)

    def change(work: Work) -> Changed:
        def pages(after: Id | None) -> Iterator[Members]:
            found = work.source.everything() if after is None else work.source.members(after)
            for page in _behind(list(found), None):
                if chance.random() < 0.1:
                    return
                yield page

        return Changed(work.source, pages)

    source_is(patch, change)


def pages_by_number(patch: pytest.MonkeyPatch) -> None:
    """LIMIT … OFFSET …: who leaves meanwhile moves all that come behind."""
    told: dict[str, int] = {}

    def change(work: Work) -> Changed:
        def pages(after: Id | None) -> Iterator[Members]:
            at = 0 if after is None else told.get(work.run.id, 0)
            while page := list(_behind(_all(work.source), None))[at : at + PAGE]:
                at += len(page)
                told[work.run.id] = at
                yield Members([one.ids[0] for one in page], [one.rows[0] for one in page], page[0].shaper)

        return Changed(work.source, pages)

    source_is(patch, change)


def resumed_by_count(patch: pytest.MonkeyPatch) -> None:
    """A reader goes on behind as many members as were told: who left meanwhile moves another one past that place."""

    def change(work: Work) -> Changed:
        def pages(after: Id | None) -> Iterator[Members]:
            return islice(_behind(_all(work.source), None), 0 if after is None else work.run.added, None)

        return Changed(work.source, pages)

    source_is(patch, change)


def replica_is_late(patch: pytest.MonkeyPatch) -> None:
    """A replica that is further behind than `delay` says, and has no `fresh`."""
    chance, kept = random.Random(1), dict[str, list[Any]]()

    def change(work: Work) -> Changed:
        if work.run.segment not in kept or chance.random() < 0.1:
            kept[work.run.segment] = _all(work.source)
        return Changed(work.source, lambda after: _behind(kept[work.run.segment], after))

    source_is(patch, change)


def no_barrier(patch: pytest.MonkeyPatch) -> None:
    """What was read is pushed as anything else is, behind what came while it was read."""
    part = ResyncRuns.part

    def pushed(self: ResyncRuns, run: str, next_ms: int | None, fields: Any, chunks: Any) -> bool:
        redis, keys = self._lanes.redis, self._lanes.keys
        segment = self.read(run)["segment"]
        for operation in (each for chunk in chunks for each in unpack(chunk)[1]):
            event = {"type": Kind(operation.kind).label, "segment": {"id": segment}}
            profiles = {"profiles": [{"_id": "0", **json.loads(operation.body)}]} if operation.body else {}
            redis.xadd(keys.events, {"event": json.dumps(event | profiles)})
        return part(self, run, next_ms, fields, [])

    patch.setattr(ResyncRuns, "part", pushed)


def adds_first(patch: pytest.MonkeyPatch) -> None:
    """Members are told, and then strays go: with those that the target takes for the same row."""

    def bring(work: Work, mark: str, lane: dict[str, str]) -> None:
        if work.run.phase == "plan":
            changing.bring_members(work, mark, lane)
        else:
            changing.bring_removals(work, mark, lane)

    patch.setattr("workers.resync.reader.bring_removals", bring)


def old_plan_later(patch: pytest.MonkeyPatch) -> None:
    """What needed somebody's word is carried out when that comes, as it was found then."""
    kept: dict[str, tuple[bytes, bytes]] = {}
    plan, doubts = Planner.plan, comparing._doubts

    def doubting(work: Work, found: Any, *rest: Any) -> list[str]:
        reasons = doubts(work, found, *rest)
        if reasons:
            kept[work.run.segment] = (found.strays_file.read_bytes(), spooled(work.folder).read_bytes())
        return reasons

    def planning(self: Planner, source: Any, folder: Any) -> Any:
        found = plan(self, source, folder)
        if self._segment in kept:
            strays, members = kept[self._segment]
            found.strays_file.write_bytes(strays)
            spooled(folder).write_bytes(members)
            found.strays, found.members = strays.count(b"\n"), members.count(b"\n")
        return found

    patch.setattr(comparing, "_doubts", doubting)
    patch.setattr(Planner, "plan", planning)


def entries_stay_open(patch: pytest.MonkeyPatch) -> None:
    """What was refused before the run may be retried after it."""
    leave = ResyncRuns.leave

    def leaving(self: ResyncRuns, run: str, next_ms: int | None, fields: Any, superseded: str = "") -> str:
        return leave(self, run, next_ms, fields, superseded and "")

    patch.setattr(ResyncRuns, "leave", leaving)


def flag_is_taken_back_too_early(patch: pytest.MonkeyPatch) -> None:
    """Whatever raised it, also what was dropped behind the mark."""
    end = ResyncRuns.end

    def ending(self: ResyncRuns, run: str, fields: Any, *, unflag_to: str = "", **more: Any) -> None:
        end(self, run, fields, unflag_to=unflag_to and "9" * 27, **more)

    patch.setattr(ResyncRuns, "end", ending)


NAIVE: dict[str, tuple[str, Mutation]] = {
    "adds first": ("few", adds_first),
    "slices under the first mark": ("pages", slices_at_the_first_mark),
    "read before the mark": ("pages", read_before_the_mark),
    "a cut-off read taken for the end": ("one statement", cut_off_is_the_end),
    "an old plan carried out later": ("few", old_plan_later),
    "a flag taken back too early": ("drops", flag_is_taken_back_too_early),
    "open entries retried later": ("pages", entries_stay_open),
    "pages by number": ("leaving", pages_by_number),
    "resumed by count": ("leaving", resumed_by_count),
    "a replica that is late": ("pages", replica_is_late),
    "no barrier": ("few", no_barrier),
    "slices under the first mark, once cleared": ("replace", slices_at_the_first_mark),
}
