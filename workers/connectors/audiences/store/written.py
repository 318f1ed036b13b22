"""Whether a store is the one that was written to last, or an older copy of it.

Each transaction that writes for a connector counts up in the store, and then tells Redis how far that is. A store that
is behind what Redis knows lacks something: it is a copy, or was restored from a backup; so is one of another id, or
without any. Nothing is sent from such a store: who left since it was copied would be told back, and whoever joined
since could not be found any more.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from redis import RedisError
from sqlalchemy import select, update

from workers.connectors.audiences.store.inserting import insert_into
from workers.connectors.audiences.store.tables import written
from workers.errors import ErrorClass, HoldLevel, Phase, TargetError

if TYPE_CHECKING:
    from redis import Redis
    from sqlalchemy import Connection

# The DEL lets a full Redis run what follows (rule 5). Of two that tell, the later count stays.
_TELL: Final = """
-- KEYS  1 the hash of stores  2 a key that is never there
-- ARGV  1 connector  2 the store's id for it  3 how far it has counted  4 '1': whatever was known
redis.call('DEL', KEYS[2])
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known and ARGV[4] ~= '1' then
  local id, counted = string.match(known, '^(%S+) (%d+)$')
  if id ~= ARGV[2] or tonumber(counted) >= tonumber(ARGV[3]) then return end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
"""


class StoreCount(NamedTuple):
    """How much was written for one connector.

    id       random, of the store's row for it
    counted  transactions that have written, and more where a copy was taken for the store
    """

    id: str
    counted: int


NOTHING: Final = StoreCount("", 0)
"""Of a store that was never written to."""


class StoreWatch:
    """What Redis knows of the store of one connector.

    key      of the hash that has it, for all connectors; nothing: a key that is never there
    """

    def __init__(self, redis: Redis, key: str, nothing: str, connector: str) -> None:
        self._redis = redis
        self._keys = (key, nothing)
        self.connector = connector

    def known(self) -> StoreCount:
        """How far it was written; NOTHING where that is not known. redis.RedisError."""
        found: str | bytes | None = self._redis.hget(self._keys[0], self.connector)
        if found is None:
            return NOTHING
        name, counted = (found.decode() if isinstance(found, bytes) else found).split()
        return StoreCount(name, int(counted))

    def tell(self, found: StoreCount) -> None:
        """After a commit. A Redis that is away is told by the next one."""
        with suppress(RedisError):
            self._tell(found, "")

    def accept(self, found: StoreCount) -> None:
        """This is the store from now on, whatever was known. redis.RedisError."""
        self._tell(found, "1")

    def check(self, found: StoreCount, known: StoreCount) -> None:
        """TargetError (HOLD, CONNECTOR) for a store that lacks what was written to the known one.

        known  as Redis said before the store was asked, which is always counted up first
        """
        if known == NOTHING or (found.id == known.id and found.counted >= known.counted):
            return
        what = (
            "it lacks what was written since: it is an older copy, or was restored from a backup"
            if found.id == known.id
            else "it is another than the one that was written to, or an empty or much older one"
        )
        raise TargetError(
            ErrorClass.HOLD,
            "ads store",
            f"the store of {self.connector}'s audiences: {what}. Expected the newest one in its place; if this one is "
            f"meant to be it from now on: `segsync audiences {self.connector} --accept`",
            level=HoldLevel.CONNECTOR,
            phase=Phase.CONNECT,
        )

    def _tell(self, found: StoreCount, anyway: str) -> None:
        self._redis.eval(_TELL, 2, *self._keys, self.connector, found.id, found.counted, anyway)


def read_written(connection: Connection, connector: str) -> StoreCount:
    """How far a store has counted for a connector."""
    asked = select(written.c.id, written.c.counted).where(written.c.connector == connector)
    row = connection.execute(asked).first()
    return NOTHING if row is None else StoreCount(row.id, row.counted)


def count_up(connection: Connection, connector: str, least: int = 0) -> StoreCount:
    """The next count, above `least`. Last in a transaction: others wait for its row until that is committed."""
    mine = written.c.connector == connector
    counted = connection.execute(update(written).where(mine).values(counted=written.c.counted + 1)).rowcount
    if not counted:
        row = {"connector": connector, "id": secrets.token_hex(8), "counted": 1}
        connection.execute(
            insert_into(connection, written)
            .values(row)
            .on_conflict_do_update(index_elements=[written.c.connector], set_={"counted": written.c.counted + 1})
        )
    found = read_written(connection, connector)
    if found.counted > least:
        return found
    connection.execute(update(written).where(mine).values(counted=least + 1))
    return found._replace(counted=least + 1)
