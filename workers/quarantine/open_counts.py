"""How many entries of the quarantine are open, as scripts know it (rule 31).

Scripts count what they add, and cannot know what a person's command or a clear took away: so now and then the number
is set right by the ledger. Whatever is added meanwhile is counted twice at worst, until the next time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.lanes.answers import entries_of, members_of
from workers.quarantine import entries as quarantine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.ledger.database import Ledger

EVERY_SECONDS: Final = 10.0

LOOK: Final = """
local found = { redis.call('GET', KEYS[1]) or '', redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1) }
for i = 3, #KEYS do found[i] = redis.call('HGET', KEYS[i], 'quarantined') end
return found
"""

# A full Redis refuses HINCRBY, except after another write in the same script: DEL, which it allows.
CORRECT: Final = """
redis.call('DEL', KEYS[1])
-- Another process has corrected what we looked at, or we have, and the answer was lost.
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then return 0 end
redis.call('INCR', KEYS[2])
for i = 3, #KEYS do
  if redis.call('HEXISTS', KEYS[i], 'quarantined') == 1 then
    redis.call('HINCRBY', KEYS[i], 'quarantined', ARGV[i - 1])
  end
end
return 1
"""


@dataclass(frozen=True, slots=True)
class _Look:
    """What scripts had counted, per hash, when the outcomes stream ended at this id, after so many corrections."""

    corrections: bytes
    counts: Mapping[str, int]
    owners: Mapping[str, str | None]
    last_id: bytes


class OpenCounts:
    """Sets the numbers right, for one process of one installation.

    `before` is called before the outcomes stream is drained, `after` when it was.
    """

    def __init__(self, redis: Redis, keys: Keys, ledger: Ledger) -> None:
        self._redis = redis
        self._keys = keys
        self._ledger = ledger
        self._corrections = keys.corrections
        self._next = 0.0
        self._look: _Look | None = None

    def before(self) -> None:
        """Notes what is counted now, where it is time for it. redis.RedisError."""
        self._look = None
        if time.monotonic() < self._next:
            return
        integrations = members_of(self._redis, self._keys.integrations)
        owners: dict[str, str | None] = {self._keys.integration(key): key for key in integrations}
        owners[self._keys.intake] = None
        # A script, since a full Redis refuses whatever stands between MULTI and EXEC, even reading.
        corrections, newest, *found = self._redis.eval(
            LOOK, len(owners) + 2, self._corrections, self._keys.outcomes, *owners
        )
        counts = {name: int(count) for name, count in zip(owners, found, strict=True) if count}
        if any(counts.values()):
            self._look = _Look(corrections, counts, owners, newest[0][0] if newest else b"0-0")

    def after(self) -> None:
        """Corrects, if all that had been counted is in the ledger by now. redis.RedisError, LedgerError."""
        look, self._look = self._look, None
        if look is None or self._is_pending(look.last_id):
            return
        self._next = time.monotonic() + EVERY_SECONDS
        in_ledger = quarantine.count_open(self._ledger)
        deltas = {name: in_ledger.get(look.owners[name], 0) - count for name, count in look.counts.items()}
        wrong = {name: delta for name, delta in deltas.items() if delta}
        if wrong:
            keys = (self._keys.nothing, self._corrections, *wrong)
            self._redis.eval(CORRECT, len(keys), *keys, look.corrections, *wrong.values())

    def _is_pending(self, last_id: bytes) -> bool:
        return bool(entries_of(self._redis, self._keys.outcomes, 1, last=last_id.decode()))
