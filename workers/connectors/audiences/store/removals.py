"""Removals that come to nothing: who has left may still be there, and is neither forgotten nor asked for without end.

A platform may fail to take somebody out, take out some of a call and not say whom it left, or refuse a value by name
that it has taken before. What such a call was about is owed again; after several in a row it is kept as STUCK, so that
others can leave meanwhile, told of as long as it lasts, and tried once a day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from workers.connectors.audiences.store.tables import (
    GONE,
    STALE,
    STUCK,
    UNSURE,
    calls,
    holdings,
    identifiers,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

MOST_IN_A_ROW: Final = 6
"""Calls of one kind that come to nothing, one after the other, before a person is told."""

_HELD: Final = sa.exists().where(holdings.c.identifier == identifiers.c.id).correlate(identifiers)
_STUCK: Final = identifiers.c.there == sa.literal_column(str(STUCK))  # as the index has it
_CHUNK: Final = 400


def failures_in_a_row(connection: Connection, audience: int, action: str) -> int:
    """How many of its calls of this kind have come to nothing since the last one that was done."""
    mine = (calls.c.audience == audience, calls.c.action == action)
    last = sa.select(sa.func.coalesce(sa.func.max(calls.c.id), 0)).where(*mine, calls.c.state == "done")
    since = (*mine, calls.c.id > last.scalar_subquery(), calls.c.state.in_(("failed", "undone")))
    return connection.execute(sa.select(sa.func.count()).select_from(calls).where(*since)).scalar_one()


def give_up(connection: Connection, call: int, some: Collection[int] | None = None) -> None:
    """What a removal is about is STUCK, and part of no call; `some`: these identifiers of it alone.

    Whom somebody holds again meanwhile is to be there, and is owed as such.
    """
    ids = [None] if some is None else [sorted(some)[at : at + _CHUNK] for at in range(0, len(some), _CHUNK)]
    for each in ids:
        mine = (identifiers.c.call == call, *(() if each is None else (identifiers.c.id.in_(each),)))
        connection.execute(identifiers.update().where(*mine, _HELD).values(call=None, there=UNSURE, owed=True))
        connection.execute(identifiers.update().where(*mine).values(call=None, there=STUCK, owed=False))


def stuck(connection: Connection, audience: int) -> int:
    """How many identifiers of an audience are."""
    mine = (identifiers.c.audience == audience, _STUCK)
    return connection.execute(sa.select(sa.func.count()).select_from(identifiers).where(*mine)).scalar_one()


def try_again(connection: Connection, audience: int) -> int:
    """They are owed their removal once more; returns how many."""
    mine = (identifiers.c.audience == audience, _STUCK, identifiers.c.call.is_(None))
    return connection.execute(identifiers.update().where(*mine).values(there=UNSURE, owed=True)).rowcount


def owe_none(connection: Connection, audience: int) -> None:
    """It is not real, whatever was begun for it and not heard of: nobody is in it who could be taken out."""
    free = (identifiers.c.owed, identifiers.c.call.is_(None))
    mine = identifiers.update().where(identifiers.c.audience == audience, *free)
    connection.execute(mine.where(identifiers.c.there.in_((UNSURE, STALE))).values(there=GONE))
