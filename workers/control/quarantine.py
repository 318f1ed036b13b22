"""What people do with entries of the quarantine, with the ledger up to date before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.control.refused_members import retry_members
from workers.quarantine import requeue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.quarantine.entries import EntryDetail, Selection
    from workers.quarantine.requeue import Requeued
    from workers.runtime import Runtime

UP_TO_DATE_SECONDS: Final = 60.0
"""How long outcomes are written down first, so that nobody decides by what is past."""


def retry(runtime: Runtime, which: Selection, by: str, seconds: float = UP_TO_DATE_SECONDS) -> Requeued:
    """Sends entries on their way once more. As `requeue.retry`."""
    runtime.drain_outcomes(seconds)

    def of_accounts(entries: Sequence[EntryDetail], by: str) -> list[str]:
        return retry_members(runtime.applied.settings, runtime.redis, runtime.keys, entries, by)

    done = requeue.retry(runtime.ledger, runtime.lanes, runtime.keys, which, by, of_accounts)
    runtime.drain_outcomes(seconds)
    return done


def drop(runtime: Runtime, which: Selection, by: str, seconds: float = UP_TO_DATE_SECONDS) -> Requeued:
    """Marks entries dropped. As `requeue.drop`."""
    runtime.drain_outcomes(seconds)
    done = requeue.drop(runtime.ledger, runtime.lanes, which, by)
    runtime.drain_outcomes(seconds)
    return done


def words_of(which: Selection) -> str:
    """Which entries they are, for the audit log."""
    if which.ids:
        return ", ".join(map(str, which.ids))
    named = (("", which.integration), ("segment ", which.segment), ("code ", which.code), ("", which.state))
    return ", ".join(f"{what}{value}" for what, value in named if value is not None) or "all"
