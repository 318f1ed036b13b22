"""`batch` of an integration, and what bounds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from workers.errors import Mistake
from workers.integrations import DEFAULT_MAX_QUARANTINE, DEFAULT_TIMEOUT_MS, OnEnter, OnLeave, Tolerance, WhenFull
from workers.settings.timeouts import LONGEST, SHORTEST

if TYPE_CHECKING:
    from workers.settings.table import TomlTable

LARGEST_BATCH = 10_000
"""Profiles in a batch: larger ones gain nothing, and their statements outgrow what servers take."""
MOST_BACKLOG = 10**12
"""Operations; far beyond what a Redis can hold."""
MOST_QUARANTINE = 10**9
"""Entries; far beyond what anybody would read."""
SHORTEST_LAG, LONGEST_LAG = 1.0, 7 * 86_400.0
"""Seconds: the range of max_lag."""
_TOLERANCES: tuple[Tolerance, ...] = ("data", "none")
_WHEN_FULL: tuple[WhenFull, ...] = ("block", "drop")
_ON_ENTER: tuple[OnEnter, ...] = ("flag", "resync")
_ON_LEAVE: tuple[OnLeave, ...] = ("keep", "clear")
SHORTEST_VERIFY, LONGEST_VERIFY = 3_600.0, 365 * 86_400.0
"""Seconds: the range of verify; each look reads a whole segment from both sides."""


class BatchLimits(NamedTuple):
    """As in Integration."""

    batched: bool = False
    batch_size: int = 1
    timeout_ms: int = 0


def read_batch(table: TomlTable, warnings: list[Mistake]) -> BatchLimits:
    """`batch`; left out, profiles go one at a time."""
    if "batch" not in table:
        table.take("batch")
        what = "is left out: profiles go one at a time; many more go with batch = { size = 1000 }"
        warnings.append(Mistake(table.at("batch"), what))
        return BatchLimits()
    batch = table.table("batch")
    size = batch.whole("size", None, 1, LARGEST_BATCH)
    seconds = batch.seconds("timeout", DEFAULT_TIMEOUT_MS / 1000, SHORTEST, LONGEST)
    batch.close()
    return BatchLimits(batched=True, batch_size=size, timeout_ms=round(seconds * 1000))


class Limits(NamedTuple):
    """As in Integration."""

    tolerance: Tolerance
    max_backlog: int | None
    when_full: WhenFull
    max_quarantine: int
    max_lag: float | None
    on_enter: OnEnter
    on_leave: OnLeave
    verify: float | None


def read_limits(table: TomlTable) -> Limits:
    """What an integration may owe, and what becomes of what cannot be delivered."""
    backlog = table.whole("max_backlog", 0, 1, MOST_BACKLOG)
    return Limits(
        table.choice("tolerance", _TOLERANCES),
        backlog or None,
        table.choice("when_full", _WHEN_FULL),
        table.whole("max_quarantine", DEFAULT_MAX_QUARANTINE, 1, MOST_QUARANTINE),
        table.seconds("max_lag", 0.0, SHORTEST_LAG, LONGEST_LAG) or None,
        table.choice("on_enter", _ON_ENTER),
        table.choice("on_leave", _ON_LEAVE),
        table.seconds("verify", 0.0, SHORTEST_VERIFY, LONGEST_VERIFY) or None,
    )
