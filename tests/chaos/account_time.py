"""Time that goes by for the ad accounts of an installation at work, without waiting for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from workers.connectors.audiences.store.tables import store_metadata
from workers.lanes.bell import ring
from workers.lanes.tending import tend_again

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.fakes.server import FakePlatform
    from workers.connectors.audiences.store.database import Store
    from workers.lanes.keys import Keys

_EARLIER: Final = """
-- KEYS  1 a login's hash (`budgets.py`)  ARGV  1 ms
-- What was counted is further back; a slice is never moved by more, so that nothing is allowed too early.
local all = redis.call('HGETALL', KEYS[1])
redis.call('DEL', KEYS[1])
for at = 1, #all, 2 do
  local field, value = all[at], tonumber(all[at + 1])
  local window, index = string.match(field, '^(%d+):(%d+)$')
  if window then
    local moved = tonumber(index) - math.floor(ARGV[1] / math.floor(tonumber(window) * 1000 / 20))
    redis.call('HINCRBY', KEYS[1], window .. ':' .. string.format('%d', moved), value)
  else
    redis.call('HSET', KEYS[1], field, string.format('%d', value - ARGV[1]))
  end
end
"""


class AccountTime:
    """Of accounts that share one store, each on its fake, by connector.

    Whoever is at work on an audience meanwhile is taken for dead, as a process is that was stopped for so long.
    """

    def __init__(self, redis: Any, keys: Keys, fakes: Mapping[str, FakePlatform]) -> None:
        self._redis = redis
        self._keys = keys
        self._fakes = fakes

    def passes(self, store: Store, seconds: float) -> None:
        """The fakes' clocks go on, all that stands in the store and in budgets is so much older, and all are woken."""
        milliseconds = round(seconds * 1000)
        for fake in self._fakes.values():
            fake.advance(seconds)
        with store.changing() as connection:
            for table in store_metadata.sorted_tables:
                for column in table.c:
                    if column.name.endswith("_ms"):
                        older = {column.name: column - milliseconds}
                        connection.execute(sa.update(table).where(column > 0).values(older))
        for name in self._fakes:
            for key in (self._keys.budget(name), self._keys.looks(name)):
                self._redis.eval(_EARLIER, 1, key, milliseconds)
            tend_again(self._redis, self._keys, name, 0)
        ring(self._redis, self._keys)
