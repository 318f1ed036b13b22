"""A turn begins with what a claim was given, and may end with giving it back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from workers.delivery.batch import BatchPolicy
from workers.delivery.batching import Buffer
from workers.delivery.settlement import UNDONE, unpack_aside
from workers.delivery.turn import Turn
from workers.lanes.messages import Release

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.delivery.leases import Lease
    from workers.delivery.orderings import Orderings
    from workers.integrations import Integration
    from workers.lanes import Claimed

TURN_SECONDS = 1.0
"""How long one lane is served before others get their turn."""


class Turns:
    """Begins the turns of one connector's lanes."""

    def __init__(self, integrations: Mapping[str, Integration], orderings: Orderings) -> None:
        self._integrations = integrations
        self._orderings = orderings

    def integration(self, claimed: Claimed) -> Integration:
        """Whose lane it is."""
        return self._integrations[claimed.integration]

    def begin(self, claimed: Claimed, lease: Lease) -> Turn:
        """The turn of a lane that was claimed. Raises UnreadableChunk and redis.RedisError."""
        turn = Turn(
            self._orderings.settled(self.integration(claimed), lease),
            lease,
            Buffer(claimed.done, claimed.to, claimed.clear, claimed.chunks, claimed.passed_over),
            ends=time.monotonic() + TURN_SECONDS,
            attempts=claimed.attempts,
            limit=claimed.limit,
            suspect=claimed.suspect,
            passed=claimed.passed - {UNDONE},
            tried_to=claimed.tried_to,
            undone=UNDONE in claimed.passed or not claimed.tried_to,
            probing=claimed.probing,
            open=claimed.open,
            no_room=claimed.no_room,
        )
        turn.set_aside(unpack_aside(claimed.aside))
        return turn


def policy_of(turn: Turn) -> BatchPolicy:
    """How its batches are cut."""
    return BatchPolicy(turn.integration.batch_size, turn.integration.key_fields, turn.integration.ordering)


def given_back(lease: Lease, turn: Turn | None) -> Release:
    """A lane that nobody could be told of: as untried where nothing can have been tried."""
    if turn is None:
        return Release(lease.integration, lease.segment, lease.claim)
    return Release(
        lease.integration,
        lease.segment,
        lease.claim,
        "failed",
        attempts=turn.attempts + 1,
        limit=turn.limit,
        suspect=turn.suspect,
        passed=turn.passed,
    )
