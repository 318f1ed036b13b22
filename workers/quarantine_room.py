"""How many entries of the quarantine are open, as scripts know it (RULES.md 31).

Scripts count what they add, and cannot know what a person's command or a clear took away: so now and then the number
is set right by the ledger. Whatever is added meanwhile is counted twice at worst, until the next time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workers import quarantine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis import Redis

    from workers.keys import Keys
    from workers.ledger import Ledger

EVERY_SECONDS: Final = 10.0

# A full Redis refuses HINCRBY, except after another write in the same script: DEL, which it allows.
CORRECT: Final = """
redis.call('DEL', KEYS[1])
for i = 2, #KEYS do
  if redis.call('HEXISTS', KEYS[i], 'quarantined') == 1 then
    redis.call('HINCRBY', KEYS[i], 'quarantined', ARGV[i - 1])
  end
end
"""


@dataclass(frozen=True, slots=True)
class _Look:
    """What scripts had counted, per hash, when the outcomes stream ended at this id."""

    counts: Mapping[str, int]
    owners: Mapping[str, str | None]
    last_id: bytes


class QuarantineRoom:
    """Sets the numbers right, for one process of one installation.

    `before` is called before the outcomes stream is drained, `after` when it was.
    """

    def __init__(self, redis: Redis, keys: Keys, ledger: Ledger) -> None:
        self._redis = redis
        self._keys = keys
        self._ledger = ledger
        self._next = 0.0
        self._look: _Look | None = None

    def before(self) -> None:
        """Notes what is counted now, where it is time for it. redis.RedisError."""
        if time.monotonic() < self._next:
            return
        integrations: Any = self._redis.smembers(self._keys.integrations)
        owners: dict[str, str | None] = {self._keys.integration(key.decode()): key.decode() for key in integrations}
        owners[self._keys.intake] = None
        pipe = self._redis.pipeline(transaction=True)
        for name in owners:
            pipe.hget(name, "quarantined")
        pipe.xrevrange(self._keys.outcomes, count=1)
        *found, newest = pipe.execute()
        counts = {name: int(count) for name, count in zip(owners, found, strict=True) if count}
        if any(counts.values()):
            self._look = _Look(counts, owners, newest[0][0] if newest else b"0-0")

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
            nothing = f"{self._keys.namespace}:nothing"
            self._redis.eval(CORRECT, len(wrong) + 1, nothing, *wrong, *wrong.values())

    def _is_pending(self, last_id: bytes) -> bool:
        oldest: Any = self._redis.xrange(self._keys.outcomes, max=last_id.decode(), count=1)
        return bool(oldest)
