"""What a full quarantine has no room for: of a resync's run it is only counted (rule 31).

What was pushed waits until there is room. What a run tells is the source's, and can be told again: it must not keep its
lane standing at a mark that nothing can pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.events.sequence import TEXT_LENGTH
from workers.lanes.answers import field_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workers.delivery.turn import Turn
    from workers.lanes import Lanes

MARK_LENGTH = TEXT_LENGTH - 7
"""Of a sequence, what all operations that stand under one mark have of it."""


def only_counted(lanes: Lanes, turn: Turn, refused: Iterable[str]) -> frozenset[str]:
    """Sequences of those refused operations that get no entry. redis.RedisError."""
    found = frozenset(refused)
    if not turn.no_room or not found:
        return frozenset()
    mark = field_of(lanes.redis, lanes.keys.lane(turn.lease.integration, turn.lease.segment), "mark")
    if not mark:
        return frozenset()
    return frozenset(sequence for sequence in found if sequence.startswith(mark[:MARK_LENGTH]))
