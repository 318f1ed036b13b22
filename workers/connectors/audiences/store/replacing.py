"""Replacing all members of an audience, whoever is in it: how far that is, and what the platform has afterwards.

ASKED    somebody has said so; calls that are on their way are waited for
BEGUN    all members are told anew, and nothing that was told before counts any more
ENDING   the platform takes out whom it was not told since
NOT_DONE it does not: all members are told, and nobody else is taken out
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from workers.connectors.audiences.store.audiences import DELETED, NEW, lock
from workers.connectors.audiences.store.calls import HELD, expire
from workers.connectors.audiences.store.pieces import may_take_long
from workers.connectors.audiences.store.tables import (
    GONE,
    REFUSED,
    STALE,
    STUCK,
    THERE,
    UNSURE,
    audiences,
    calls,
    identifiers,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from workers.connectors.audiences.store.audiences import Audience

ASKED, BEGUN, ENDING, NOT_DONE = "asked", "begun", "ending", "refused"
"""`ads_audience.replaces`; "" for an audience that is not being replaced."""


def members(connection: Connection, audience: int, most: int) -> int:
    """How many identifiers somebody holds whom the platform takes, counted up to `most`."""
    mine = sa.select(identifiers.c.id).where(identifiers.c.audience == audience, HELD, identifiers.c.there != REFUSED)
    return connection.execute(sa.select(sa.func.count()).select_from(mine.limit(most).subquery())).scalar_one()


def ask(connection: Connection, connector: str, segment: str | None, now_ms: int, most: int) -> tuple[int, set[str]]:
    """All audiences, of one segment or of all, are to be replaced: how many, and segments with more than `most`.

    None is where one is too large. An audience that is not there yet has nobody to be taken out.
    """
    mine = [audiences.c.connector == connector, audiences.c.state.not_in((NEW, DELETED)), audiences.c.leaving == ""]
    mine += [audiences.c.segment == segment] if segment is not None else []
    asked = sa.select(audiences.c.id, audiences.c.segment).where(*mine).order_by(audiences.c.id).with_for_update()
    found = connection.execute(asked).all()
    too_large = {each.segment for each in found if members(connection, each.id, most + 1) > most}
    if not too_large:
        idle = audiences.update().where(*mine, audiences.c.replaces.in_(("", NOT_DONE)))
        connection.execute(idle.values(replaces=ASKED))
        connection.execute(audiences.update().where(*mine).values(due_ms=now_ms))
    return len(found), too_large


def begin(connection: Connection, audience: int, handle: str, now_ms: int) -> None:
    """From now on everybody is told anew.

    handle  what the platform's calls need to know of it
    """
    may_take_long(connection)
    lock(connection, audience)
    expire(connection, audience, now_ms + 1)
    _note(connection, audience, replaces=BEGUN, replaced=handle, replace_ms=now_ms, first_owed_ms=now_ms)


def begin_list(connection: Connection, audience: Audience, now_ms: int) -> None:
    """The same where another list takes the place of this one, which goes at the end with whoever is in it."""
    may_take_long(connection)
    lock(connection, audience.id)
    mine = identifiers.update().where(identifiers.c.audience == audience.id)
    connection.execute(mine.where(identifiers.c.there != REFUSED).values(there=GONE, owed=HELD))
    connection.execute(mine.where(identifiers.c.there == REFUSED).values(sent_ms=0))
    unheard = sa.and_(calls.c.audience == audience.id, calls.c.state == "unknown")
    connection.execute(calls.update().where(unheard).values(poll_ms=0))
    anew = {"state": NEW, "remote": "", "told_name": "", "generation": audiences.c.generation + 1}
    said = {"replaces": BEGUN, "replaced": audience.remote, "replace_ms": now_ms, "first_owed_ms": now_ms}
    _note(connection, audience.id, **anew, **said)


def part(connection: Connection, audience: Audience) -> int:
    """How many parts of a replacement are done."""
    mine = (calls.c.audience == audience.id, calls.c.action == "replace", calls.c.state == "done")
    asked = sa.select(sa.func.count()).select_from(calls).where(*mine, calls.c.made_ms >= audience.replace_ms)
    return connection.execute(asked).scalar_one()


def finish(connection: Connection, audience: Audience, now_ms: int) -> None:
    """The platform has those whom it was told since it began, and nobody else.

    Who was told by a call of which nobody heard since may be there as well: what is known of them stays.
    """
    may_take_long(connection)
    unheard = (calls.c.audience == audience.id, calls.c.state == "unknown", calls.c.made_ms >= audience.replace_ms)
    if connection.execute(sa.select(calls.c.id).where(*unheard).limit(1)).first() is None:
        mine = (identifiers.c.audience == audience.id, identifiers.c.call.is_(None))
        before = (identifiers.c.sent_ms < audience.replace_ms, identifiers.c.there.in_((THERE, UNSURE, STALE, STUCK)))
        gone = identifiers.update().where(*mine, *before).values(there=GONE, owed=HELD, sent_ms=now_ms)
        connection.execute(gone)
        refused = (identifiers.c.audience == audience.id, identifiers.c.there == REFUSED)
        connection.execute(identifiers.update().where(*refused).values(sent_ms=0))
    end(connection, audience.id, "")


def end(connection: Connection, audience: int, how: str) -> None:
    """It is over: "", or NOT_DONE."""
    _note(connection, audience, replaces=how, replaced="", replace_ms=0)


def step_back(connection: Connection, audience: int, action: str) -> None:
    """A call of it came to nothing: all is told anew, or the end of it asked for once more."""
    back = {"replace": ASKED, "finish": BEGUN}.get(action)
    if back is not None:
        mine = (audiences.c.id == audience, audiences.c.replaces.in_((BEGUN, ENDING)))
        connection.execute(audiences.update().where(*mine).values(replaces=back))


def took_a_part(connection: Connection, audience: int) -> None:
    """Some of those who were told are not there, and nobody knows who: nobody may be taken out for not being told."""
    mine = (audiences.c.id == audience, audiences.c.replaces == BEGUN)
    connection.execute(audiences.update().where(*mine).values(replaces=NOT_DONE, replaced="", replace_ms=0))


def is_not_done(connection: Connection, audience: int) -> bool:
    """Whether the platform has not done it, and nobody has asked again."""
    asked = sa.select(audiences.c.replaces).where(audiences.c.id == audience)
    return connection.execute(asked).scalar() == NOT_DONE


def settle_for_less(connection: Connection, audience: int) -> None:
    """Where the platform has not done it, nobody waits for it any more."""
    mine = (audiences.c.id == audience, audiences.c.replaces == NOT_DONE)
    connection.execute(audiences.update().where(*mine).values(replaces=""))


def _note(connection: Connection, audience: int, **values: object) -> None:
    connection.execute(audiences.update().where(audiences.c.id == audience).values(values))
