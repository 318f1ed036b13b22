"""How a run's end is written down: for the ledger, for `status`, and on this host's disk, which forgets it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from workers.lanes.answers import text_of
from workers.lanes.clock import redis_ms
from workers.lanes.runs import BY_ENTERING
from workers.log import RESYNC_ENDED, RESYNC_FAILED, tell
from workers.outcomes import Resynced, encode, new_uid
from workers.resync.keys_on_disk import remove, remove_drafts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.lanes.runs import ResyncRuns
    from workers.resync.run import ResyncRun


class RunBooks(NamedTuple):
    """Where a run's end is written down.

    folder  the run's own, on this host
    """

    runs: ResyncRuns
    redis: Redis
    keys: Keys
    folder: Path


def end(
    books: RunBooks,
    run: ResyncRun,
    outcome: str,
    why: str,
    fields: Mapping[str, int | str],
    *,
    flag: bool,
    unflag_to: str,
) -> None:
    """Ends a run for good. ReadingLost, redis.RedisError.

    fields  of the run that are known only now
    flag, unflag_to  as in ResyncRuns.end
    """
    known: dict[str, Any] = {name: value for name, value in fields.items() if name != "shown"}
    now = redis_ms(books.redis)
    _forget(books.folder)
    # Before the end itself: whoever dies in between leaves a run that is ended again, and not one that nobody tells of.
    note_for_status(books.redis, books.keys, run, outcome, now)
    record = encode(_record(replace(run, **known), outcome, why, now))
    # It is remembered for days: not with what may be long, nor with somebody's `_id`.
    said = {**fields, "outcome": outcome, "why": why, "seen": "", "after": ""}
    books.runs.end(run.id, said, flag=flag, unflag_to=unflag_to, record=record)
    if outcome == "failed":
        tell(RESYNC_FAILED, integration=run.integration, segment=run.segment, run=run.id)
    else:
        tell(RESYNC_ENDED, integration=run.integration, segment=run.segment, run=run.id, outcome=outcome)


def leaves_need(run: ResyncRun) -> bool:
    """Whether a segment needs a resync where its run ends before it is done.

    It has changed something; or it was asked for on entering, when the segment would else have been flagged.
    """
    return run.told > 0 or run.by == BY_ENTERING


def note_for_status(redis: Redis, keys: Keys, run: ResyncRun, outcome: str, now: int) -> None:
    """A run that fails is told by `status` until one of the same segment has read both sides; since the first did."""
    lane = f"{run.integration}:{run.segment}"
    if outcome == "failed" and not run.again:
        since = (text_of(redis.hget(keys.runs_failing, lane)) or str(now)).partition(" ")[0]
        redis.hset(keys.runs_failing, lane, f"{since} {run.id}")
    elif outcome not in ("failed", "cancelled"):
        redis.hdel(keys.runs_failing, lane)


def _record(run: ResyncRun, outcome: str, why: str, now: int) -> Resynced:
    return Resynced(
        uid=new_uid(),
        run=run.id,
        integration=run.integration,
        segment=run.segment,
        kind=run.kind,
        mode=run.mode,
        by=run.by,
        asked_ms=run.asked,
        ended_ms=now,
        members=run.members,
        rows=run.rows,
        added=run.added,
        removed=run.removed,
        kept=run.spelled,
        unusable=run.unusable,
        quarantined=run.quarantined,
        outcome=outcome,
        reason=why,
    )


def _forget(folder: Path) -> None:
    """Removes what was read, which holds keys and profiles; what cannot be removed stays."""
    remove(folder)
    remove_drafts(folder)
    with suppress(OSError):
        folder.with_name(f"{folder.name}-looked").unlink()
