"""Which ledger an installation writes to, and which installation a ledger belongs to.

Every ledger has a random id. The first one that is written to stands in Redis from then on, and another is refused: two
hosts with a SQLite file each would have half of the quarantine and of the statistics, and neither would know. A copy of
a ledger has its id, too: so whoever writes counts, in the ledger first and then in Redis, and a ledger that is behind
what Redis has counted lacks something. It is an older copy, or was restored from a backup, and is refused as well.

The other way round a ledger knows the installations that write to it: one of another random id under the same name
means that Redis was emptied or replaced, and with it what was known of segments.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, update
from sqlalchemy.dialects import sqlite

from workers.ledger.errors import LedgerError, OtherLedger
from workers.ledger.known import known
from workers.ledger.tables import identity, installations

if TYPE_CHECKING:
    from redis import Redis
    from sqlalchemy import Connection

    from workers.lanes.keys import Keys
    from workers.ledger.database import Ledger
    from workers.ledger.known import KnownLedger

# The DEL lets a full Redis run what follows (rule 5).
_CLAIM: Final = """
redis.call('DEL', KEYS[2])
if redis.call('HSETNX', KEYS[1], 'id', ARGV[1]) == 1 then
  redis.call('HSET', KEYS[1], 'place', ARGV[2], 'host', ARGV[3])
end
local accepted = redis.call('HDEL', KEYS[1], 'accepted') == 1
if ARGV[4] == '1' and not accepted then redis.call('HSET', KEYS[1], 'emptied', redis.call('TIME')[1]) end
"""
_ACCEPT: Final = """
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'accepted', 1, unpack(ARGV))
"""
_COUNT: Final = """
redis.call('DEL', KEYS[2])
local counted = tonumber(redis.call('HGET', KEYS[1], 'counted') or 0)
if redis.call('HGET', KEYS[1], 'id') == ARGV[1] and counted < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'counted', ARGV[2])
end
"""
COUNT_EVERY_SECONDS: Final = 10.0
"""So long may two copies of a ledger be written to before one of them is noticed."""


def ready(redis: Redis, keys: Keys, ledger: Ledger) -> None:
    """Brings its schema up to date, where it is the one that this installation writes to.

    Nothing is made where a ledger is known: an empty one in its place is refused as it is. As `recognise`.
    """
    found = known(redis, keys)
    if found is not None and ledger.schema() is None:
        raise _other(found, ledger)
    ledger.upgrade()
    recognise(redis, keys, ledger)


def recognise(redis: Redis, keys: Keys, ledger: Ledger) -> None:
    """OtherLedger for one that this installation does not write to; LedgerError, redis.RedisError."""
    found = known(redis, keys)  # before the ledger is asked, which is always counted up first
    if found is None:
        return
    if found.id != id_of(ledger):
        raise _other(found, ledger)
    if _counted(ledger, keys.namespace) < found.counted:
        wrong = "it lacks what was written since: it is an older copy of the ledger, or was restored from a backup"
        raise OtherLedger(ledger.place, f"{wrong}; {_EXPECTED}")


_EXPECTED: Final = (
    "expected one ledger for all hosts, in [ledger] of every file. If it is meant to be this one from now on: "
    "`segsync apply --accept` on this host"
)


def _other(found: KnownLedger, ledger: Ledger) -> OtherLedger:
    """What is in the place of the one that is known. A path says nothing on another host, a server's name does."""
    if found.place != ledger.place or (ledger.dialect == "sqlite" and found.host != socket.gethostname()):
        wrong = f"it is not the one that this installation writes to ({found.place} on {found.host})"
        return OtherLedger(ledger.place, f"{wrong}; {_EXPECTED}")
    return OtherLedger(
        ledger.place,
        "the one that this installation writes to is gone, and in its place is nothing, or an empty or new one: it "
        "was removed, or its disk is not mounted. Expected to be put back, or its backup; `segsync apply --accept` "
        "gives up what was in it",
    )


def count(redis: Redis, keys: Keys, ledger: Ledger) -> None:
    """After something was written: copies of the ledger lack it from now on. LedgerError, redis.RedisError."""
    found = known(redis, keys)
    if found is None:
        return
    counted = _count_up(ledger, keys.namespace, found.counted)
    redis.eval(_COUNT, 2, keys.ledger, keys.nothing, found.id, counted)


def claim(redis: Redis, keys: Keys, ledger: Ledger, installation: str) -> None:
    """Before the first write of a process: from now on this is the ledger. As `recognise`."""
    recognise(redis, keys, ledger)
    emptied = _note_installation(ledger, keys.namespace, installation)
    names = (keys.ledger, keys.nothing)
    redis.eval(_CLAIM, 2, *names, id_of(ledger), ledger.place, socket.gethostname(), int(emptied))
    recognise(redis, keys, ledger)  # another may have come first


def is_claimed(redis: Redis, keys: Keys) -> bool:
    """Whether a ledger is known: none is any more once another was accepted. redis.RedisError."""
    return bool(redis.hexists(keys.ledger, "id"))


def is_unnoticed(redis: Redis, keys: Keys, ledger: Ledger, installation: str) -> bool:
    """Whether this Redis was emptied and nothing was written to the ledger since. LedgerError, redis.RedisError."""
    if redis.exists(keys.ledger):
        return False
    mine = installations.c.namespace == keys.namespace
    with ledger.reading() as connection:
        before = connection.execute(select(installations.c.installation).where(mine)).scalar()
    return before not in {None, "", installation}


def accept(redis: Redis, keys: Keys, ledger: Ledger) -> None:
    """What is there now is meant to be so: this ledger and no other, where another was known.

    Where it was Redis that became another one, the ledger is the same. One that is away cannot be asked who it is:
    then the next one that is written to is taken. redis.RedisError.
    """
    found = known(redis, keys)
    pinned: dict[str, str | int] = {}
    if found is not None and found.emptied is not None:
        pinned = {"id": found.id, "place": found.place, "host": found.host, "counted": found.counted}
    elif found is not None:
        with suppress(LedgerError):
            ledger.upgrade()
            counted = _count_up(ledger, keys.namespace, found.counted)
            pinned = {"id": id_of(ledger), "place": ledger.place, "host": socket.gethostname(), "counted": counted}
    redis.eval(_ACCEPT, 2, keys.ledger, keys.nothing, *(part for pair in pinned.items() for part in pair))


def id_of(ledger: Ledger) -> str:
    """The ledger's own id. LedgerError."""
    with ledger.reading() as connection:
        return str(connection.execute(select(identity.c.id)).scalar_one())


def _note_installation(ledger: Ledger, namespace: str, installation: str) -> bool:
    """Notes who writes; whether it was another installation under this name before."""
    mine = installations.c.namespace == namespace
    with ledger.reading() as connection:
        before = connection.execute(select(installations.c.installation).where(mine)).scalar()
    if before == installation:
        return False
    with ledger.changing() as connection:
        _begin(connection, namespace)
        connection.execute(update(installations).where(mine).values(installation=installation))
    return bool(before)


def _counted(ledger: Ledger, namespace: str) -> int:
    with ledger.reading() as connection:
        found = connection.execute(select(installations.c.counted).where(installations.c.namespace == namespace))
        return int(found.scalar() or 0)


def _count_up(ledger: Ledger, namespace: str, least: int) -> int:
    """The ledger's next count, above `least`."""
    mine = installations.c.namespace == namespace
    with ledger.changing() as connection:
        _begin(connection, namespace)
        before = connection.execute(select(installations.c.counted).where(mine).with_for_update()).scalar()
        counted = max(least, before or 0) + 1
        connection.execute(update(installations).where(mine).values(counted=counted))
    return counted


def _begin(connection: Connection, namespace: str) -> None:
    """A row for the name, which another process may write at the same moment."""
    if connection.dialect.name == "sqlite":
        sqlite_row = sqlite.insert(installations).values(namespace=namespace, installation="")
        connection.execute(sqlite_row.on_conflict_do_nothing())
        return
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - with all its drivers: no other ledger waits for them

    row = postgresql.insert(installations).values(namespace=namespace, installation="")
    connection.execute(row.on_conflict_do_nothing())
