"""Which ledger an installation writes to, and which installation a ledger belongs to.

Every ledger has a random id. The first one that is written to stands in Redis from then on, and another is refused: two
hosts with a SQLite file each would have half of the quarantine and of the statistics, and neither would know. The other
way round a ledger knows the installations that write to it: one of another random id under the same name means that
Redis was emptied or replaced, and with it what was known of segments.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, insert, select

from workers.ledger.errors import OtherLedger
from workers.ledger.tables import identity, installations

if TYPE_CHECKING:
    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.ledger.database import Ledger

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
redis.call('HSET', KEYS[1], 'accepted', 1)
"""


@dataclass(frozen=True, slots=True)
class KnownLedger:
    """The ledger that an installation knows.

    place, host  of whoever wrote to it first
    emptied      Unix seconds when it was found that this Redis is another one than before; None where it is not
    """

    id: str
    place: str
    host: str
    emptied: int | None


def known(redis: Redis, keys: Keys) -> KnownLedger | None:
    """The ledger that was written to; None before the first. redis.RedisError."""
    fields: Any = redis.hgetall(keys.ledger)
    if b"id" not in fields:
        return None
    text = {name.decode(): value.decode() for name, value in fields.items()}
    emptied = int(text["emptied"]) if "emptied" in text else None
    return KnownLedger(text["id"], text.get("place", ""), text.get("host", ""), emptied)


def recognise(redis: Redis, keys: Keys, ledger: Ledger) -> None:
    """OtherLedger for one that this installation does not write to; LedgerError, redis.RedisError."""
    found = known(redis, keys)
    if found is not None and found.id != id_of(ledger):
        raise OtherLedger(
            ledger.place,
            f"it is not the one that this installation writes to ({found.place} on {found.host}); expected one ledger "
            "for all hosts, in [ledger] of every file. If it is meant to be another from now on: "
            "`segsync apply --accept`",
        )


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
    return before not in {None, installation}


def accept(redis: Redis, keys: Keys) -> None:
    """What is there now is meant to be so: the next ledger that is written to is taken, whatever was known."""
    redis.eval(_ACCEPT, 2, keys.ledger, keys.nothing)


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
        connection.execute(delete(installations).where(mine))
        connection.execute(insert(installations).values(namespace=namespace, installation=installation))
    return before is not None
