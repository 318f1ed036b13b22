"""A run that is being moved on: what it belongs to, and how its end is said."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from workers.lanes.clock import redis_ms
from workers.lanes.runs import ReadingLost
from workers.resync.ending import RunBooks, end, leaves_need
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from redis import Redis

    from workers.integrations import Integration
    from workers.lanes.keys import Keys
    from workers.lanes.runs import ResyncRuns
    from workers.resync.reaching import TargetWay
    from workers.resync.run import ResyncRun
    from workers.resync.source import Membership
    from workers.settings.sources import AnySource

LONG_MS = 30_000
"""Until the next look at what a delivery wakes the reader for."""
LOW = 5_000
"""Operations before a mark with which the reader is woken to bring more; as in run.lua."""
SHORT_MS = 500
"""Until the next look at what is expected at any moment; whoever brings it about wakes the reader, too."""

LOOK_SECONDS = 1.0
"""Between two looks whether the run that is read for was cancelled."""


@dataclass(frozen=True, slots=True)
class Work:
    """One run, and what it needs.

    settings  of its source
    way       to the segment's rows in the target
    folder    this run's own, on this host
    keep      says that the reader goes on; raises ReadingLost
    followers  the integrations that follow the segment by now
    name      the segment's, if it is known
    """

    run: ResyncRun
    integration: Integration
    settings: AnySource
    way: TargetWay
    source: Membership
    runs: ResyncRuns
    redis: Redis
    keys: Keys
    folder: Path
    keep: Callable[[], None]
    followers: Callable[[], list[Integration]]
    name: str | None

    @property
    def now(self) -> int:
        """Redis's clock, in milliseconds."""
        return redis_ms(self.redis)

    @property
    def books(self) -> RunBooks:
        """Where its end is written down."""
        return RunBooks(self.runs, self.redis, self.keys, self.folder)

    def follows(self) -> bool:
        """Whether the run's integration follows the segment by now."""
        return any(each.key == self.run.integration for each in self.followers())

    def lane(self) -> dict[str, str]:
        """The lane's hash."""
        return self.runs.lane(self.run.integration, self.run.segment)

    def mark_of(self, lane: dict[str, str]) -> str:
        """The sequence of this run's mark in its lane, or ""."""
        return lane.get("mark", "") if lane.get("run") == self.run.id else ""

    def mode(self) -> str:
        """How it makes the target equal: by difference, by clearing it first, or by telling all again."""
        if self.integration.fields is not None:
            return "diff"
        if self.integration.members is not None:
            return "diff" if names_by_key(self.integration) else "resend"
        # A clear that was held up on its way would come after the members, where no lock keeps it from that.
        return "replace" if QueryKind.CLEAR in self.integration.queries and self.way.locks else "resend"

    def digest(self) -> str:
        """Of all that a plan depends on: another one makes it worthless (rule 49)."""
        made = self.integration
        members = made.members.digest if made.members is not None else ""
        return _digest(made.digest, made.connector, self.way.place, members, self.settings.digest)

    def removing_digest(self) -> str:
        """Of all that says which rows a run removes, but for its source: of another one nobody has seen any removal."""
        made = self.integration
        queries = [made.members, made.queries.get(QueryKind.REMOVE), made.queries.get(QueryKind.CLEAR)]
        return _digest(self.way.place, *made.key_fields, *("" if each is None else each.digest for each in queries))

    def clearing_digest(self) -> str:
        """Of where a segment's rows are taken out, and by which query."""
        clear = self.integration.queries.get(QueryKind.CLEAR)
        return _digest(self.way.place, "" if clear is None else clear.digest)

    @property
    def has_cleared(self) -> bool:
        """Whether the run has taken the segment's rows out, and would leave them out where it gave up.

        Of another target, or by another query, whose rows these would be nobody has said: they are not gone yet. Where
        a run that an older version has begun has cleared nothing is said: its table would stay empty if it gave up.
        """
        run = self.run
        if run.mode != "replace":
            return False
        return run.told > 0 if run.cleared is None else run.cleared == self.clearing_digest()

    def refused(self, mark: str) -> int:
        """Entries of the quarantine that came of what was told under a mark."""
        key = self.keys.open(self.run.integration, self.run.segment)
        found = cast("list[bytes]", self.redis.hvals(key))
        return sum(value.decode().partition(" ")[2].startswith(mark[:20]) for value in found)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def is_free(lane: dict[str, str]) -> bool:
    """Whether nothing stands before the mark, and nobody delivers what did."""
    return int(lane.get("before", "0")) <= 0 and "owner" not in lane


def wait_until_free(work: Work, ms: int = LONG_MS) -> None:
    """Looks again when what stands before the mark is delivered, or so much later.

    Whoever delivers wakes the reader, and may have done so after the lane was looked at and before this is noted: the
    lane would stand for all that time. So it is looked at once more.
    """
    work.runs.look(work.run.id, ms)
    if is_free(work.lane()):
        work.runs.look(work.run.id, 0)


def wait_for_room(work: Work) -> None:
    """The same, where so much stands before the mark that nothing is added to it."""
    work.runs.look(work.run.id, LONG_MS)
    if int(work.lane().get("before", "0")) <= LOW:
        work.runs.look(work.run.id, 0)


def while_wanted(work: Work) -> Callable[[], None]:
    """`work.keep` for a reading, which may take long: it ends where somebody has cancelled the run meanwhile."""
    looked = time.monotonic()

    def keep() -> None:
        nonlocal looked
        work.keep()
        if time.monotonic() - looked < LOOK_SECONDS:
            return
        looked = time.monotonic()
        if work.redis.hexists(work.keys.run(work.run.id), "cancelled"):
            work.runs.look(work.run.id, 0)
            raise ReadingLost("the run is over: it was cancelled")

    return keep


def names_by_key(integration: Integration) -> bool:
    """Whether a row can be removed by its key alone."""
    return set(integration.queries[QueryKind.REMOVE].identifying) <= set(integration.key_fields)


Said = Mapping[str, int | str]


def stop(work: Work, outcome: str, why: str, fields: Said = MappingProxyType({})) -> None:
    """Ends a run that cannot go on, once nobody delivers under its mark; a half done one leaves its segment flagged."""
    lane = work.lane()
    if work.mark_of(lane):
        said = {"state": "stopping", "outcome": outcome, "why": why, **fields}
        if not is_free(lane) or work.runs.leave(work.run.id, SHORT_MS, said) != "ok":
            work.runs.look(work.run.id, SHORT_MS, said)
            return
    finish(work, outcome, why, fields, flag=leaves_need(work.run))


def finish(
    work: Work,
    outcome: str,
    why: str,
    fields: Said = MappingProxyType({}),
    *,
    flag: bool = False,
    unflag_to: str = "",
) -> None:
    """Writes down how a run ended.

    fields  of the run that are known only now
    flag, unflag_to  as in ResyncRuns.end; what is followed no more needs nothing, whatever it was told
    """
    work.keep()
    end(work.books, work.run, outcome, why, fields, flag=flag and work.follows(), unflag_to=unflag_to)


def told_keyless(rows: int) -> str:
    """What is said of rows of a target whose key is null or empty; "" where there are none."""
    if not rows:
        return ""
    return f"rows of the target with a null or an empty key: {rows:,}; no member's, and only you can delete them"


def shown_text(shown: dict[str, list[str]]) -> str:
    """Keys that differ, as a run keeps them to be shown."""
    return json.dumps(shown)


def lacking(run: ResyncRun, integration: Integration | None, source: AnySource | None, database: str) -> str:
    """Why there can be no such run."""
    if integration is None:
        return f"{run.integration!r} is not applied"
    if source is None:
        return f"there is no [sources.{database}] to read the segment from"
    return f"connector {integration.connector!r} is not applied"
