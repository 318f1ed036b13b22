"""How much a run may have before its mark at a time, beside what its integration owes else (rules 31, 45)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.lanes.answers import field_of
from workers.resync.work import LOW, wait_for_room, wait_until_free

if TYPE_CHECKING:
    from workers.resync.work import Work

WINDOW: Final = 20_000
"""Operations that stand before a mark at the most, about; the reader is woken when they run short (run.lua)."""
AT_ONCE: Final = 5_000
"""Operations that are brought at once."""
LITTLE: Final = 100
"""What part of `max_backlog` goes on at a time where others have filled half of it."""


def room_for(work: Work, before: int) -> int:
    """Operations that may be brought now; below 1 for none.

    An integration that may owe only so much is brought to half of that at the most: at the whole of it all producers
    are stopped, or live events dropped. Where others have filled the half, a little goes on, as what waits behind the
    mark waits for the run's end.

    before  operations that stand before the mark
    """
    room, limit = min(AT_ONCE, WINDOW + 1 - before), work.integration.max_backlog
    if limit is None or room <= 0:
        return room
    beside = min(room, limit // 2 - _owed(work))
    return beside if beside > 0 or before > 0 else max(1, min(room, limit // LITTLE))


def room_or_wait(work: Work, lane: dict[str, str]) -> int:
    """The same; where there is none, the run looks again when there may be."""
    before = int(lane.get("before", "0"))
    room = room_for(work, before)
    if room <= 0:
        (wait_for_room if before > LOW else wait_until_free)(work)
    return room


def gives_way(work: Work, lane: dict[str, str]) -> bool:
    """Whether so much is owed beside what the run has brought that it would not be begun now."""
    limit = work.integration.max_backlog
    return limit is not None and _owed(work) - int(lane.get("before", "0")) > limit / 2


def _owed(work: Work) -> int:
    return int(field_of(work.redis, work.keys.integration(work.run.integration), "backlog") or 0)
