"""A run whose source or target cannot be read, or that cannot write to this host's disk: tried again, and given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.errors import ErrorClass, SettingsError, TargetError
from workers.lanes.runs import LONGEST_LOOK_MS
from workers.log import RESYNC_WAITS, tell
from workers.resync.folder import StrangeFolder
from workers.resync.keys_on_disk import remove
from workers.resync.planning import UnlistedTarget
from workers.resync.profiles import UnfitSource
from workers.resync.work import stop

if TYPE_CHECKING:
    from workers.resync.work import Work

MOST_TRIES = 5
"""Failures one after the other, after which a run that has changed nothing gives up."""


def fail(work: Work, error: Exception) -> None:
    """Tried again, with the lane at its mark; a run that has changed nothing gives up in the end."""
    tries, why = work.run.tries + 1, _told(error)
    lasting = isinstance(error, (UnfitSource, SettingsError)) or (
        isinstance(error, TargetError) and error.error_class in {ErrorClass.HOLD, ErrorClass.ISOLATE}
    )
    if not work.has_cleared and (lasting or tries >= MOST_TRIES):
        work.keep()
        remove(work.folder)
        stop(work, "failed", f"{why}{_ending(work, error, tries)}")
        return
    run, delay_ms = work.run, min(1000 * 2**tries, LONGEST_LOOK_MS)
    tell(
        RESYNC_WAITS,
        integration=run.integration,
        segment=run.segment,
        run=run.id,
        tries=tries,
        retry_in_s=delay_ms / 1000,
    )
    work.runs.look(run.id, delay_ms, {"tries": tries, "why": why})


def _ending(work: Work, error: Exception, tries: int) -> str:
    """What has come of it, and what to do, where a side could not be read."""
    if not isinstance(error, TargetError):
        return ""
    often = f"; tried {tries} times" if tries > 1 else ""
    changed = "its segment is flagged" if work.run.told else "nothing was changed"
    return f"{often}; {changed}: ask again once that is mended"


def _told(error: Exception) -> str:
    if isinstance(error, TargetError):
        side = "target" if isinstance(error, UnlistedTarget) else "source"
        return f"the {side} could not be read: {error}"
    if isinstance(error, OSError) and not isinstance(error, StrangeFolder):
        return f"the reader's own disk: {type(error).__name__}"
    return str(error)
