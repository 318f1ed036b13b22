"""Whether Redis has room for what the router writes.

A shared event takes as much room as it has integrations. So a Redis that is full of events would grow on while they
are routed to targets that are away: the router rests then, and goes on as lanes drain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.lanes.answers import members_of

if TYPE_CHECKING:
    from workers.lanes.store import Lanes

BEYOND: Final = 1.05
"""The part of maxmemory up to which the router writes. More than 1: what fills Redis is what it has to move."""
STEP_PART: Final = 0.02
"""The part of maxmemory that one step may take."""
ALWAYS_PART: Final = 0.04
"""The part of maxmemory with which any step may be taken, however much it writes: else a giant would never go."""
LOOK_EVERY_BYTES: Final = 16 * 1024 * 1024
"""What is written between two looks where there is plenty of room."""


class Room:
    """Asks Redis for its room now and then, as it is used up."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._left = 0
        self._free = 0
        self._limit = 0

    def step_bytes(self, most: int) -> int:
        """How much one step should write, at most `most`."""
        return min(most, round(self._limit * STEP_PART)) if self._limit else most

    def look(self) -> None:
        """Asks anew. Raises redis.RedisError."""
        used, self._limit = self._lanes.memory()
        self._free = round(self._limit * BEYOND) - used if self._limit else LOOK_EVERY_BYTES
        # What is written takes more room than its bytes, so that is looked at after each step of this size.
        self._left = min(self.step_bytes(LOOK_EVERY_BYTES), self._free)

    def take(self, size: int) -> bool:
        """Takes so many bytes of it; False if there is not as much. Raises redis.RedisError.

        Where no lane owes anything there is nothing to wait for: what fills Redis is not ours, or is the intake itself.
        """
        if size > self._left:
            self.look()
        if self._limit and self._free < min(size, round(self._limit * ALWAYS_PART)) and self._is_owed():
            return False
        self._free -= size
        self._left -= size
        return True

    def _is_owed(self) -> bool:
        redis, keys = self._lanes.redis, self._lanes.keys
        with redis.pipeline(transaction=False) as pipe:
            for key in members_of(redis, keys.integrations):
                pipe.hget(keys.integration(key), "backlog")
            return any(int(owed or 0) > 0 for owed in pipe.execute())
