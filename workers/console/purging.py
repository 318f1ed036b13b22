"""Deleting for good what the quarantine has of entries that were resolved, as `segsync quarantine purge`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workers.errors import WrongUsage
from workers.monitoring.periods import moment
from workers.quarantine import entries as quarantine

if TYPE_CHECKING:
    from workers.ledger.database import Ledger


@dataclass(frozen=True, slots=True)
class Purged:
    """How many entries were deleted: those that were resolved before that time."""

    entries: int
    before: datetime


def purge(ledger: Ledger, older_than: str) -> Purged:
    """Deletes what was resolved before an age ("30d") or a time; open entries and those on their way stay.

    WrongUsage for what is neither; LedgerError.
    """
    before = _before(older_than)
    return Purged(quarantine.purge(ledger, before), before)


def told_purge(older_than: str) -> str:
    """What is purged, for the audit log, as the command has it there; what was said, where that is no time."""
    try:
        return f"before {_before(older_than):%F %T}"
    except WrongUsage:
        return older_than[:60]


def _before(older_than: str) -> datetime:
    return moment(older_than, "older_than", datetime.now(UTC))
