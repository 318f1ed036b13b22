"""What a platform takes from nobody, by name: whose it is, why, and how it is told once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import sqlalchemy as sa

from workers.connectors.audiences.store.audiences import DELETED
from workers.connectors.audiences.store.refusal_entries import open_anew
from workers.connectors.audiences.store.tables import AS_BEFORE, GONE, REFUSED, audiences, holdings, identifiers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

_CHUNK: Final = 400


class RefusedMember(NamedTuple):
    """An identifier that somebody holds and the platform does not take.

    profile  its key, as the store has it
    kind     the platform's word for what it is: "email"; the value itself is not told
    code     the platform's, short
    """

    integration: str
    segment: str
    list: str
    profile: str
    kind: str
    code: str


def refuse(connection: Connection, call: int, refused: Mapping[int, str]) -> None:
    """These identifiers, each with a code, the platform takes from nobody: they are part of no call, and not owed.

    Each gets an entry in the quarantine. One that the platform took before is there still, and is taken out when nobody
    holds it any more.
    """
    since = sa.case((identifiers.c.there == GONE, 0), else_=identifiers.c.sent_ms)
    by_code: dict[str, list[int]] = {}
    done: list[int] = []
    for id_ in sorted(refused):
        by_code.setdefault(refused[id_], []).append(id_)
    for code, ids in by_code.items():
        for at in range(0, len(ids), _CHUNK):
            mine = identifiers.update().where(identifiers.c.call == call, identifiers.c.id.in_(ids[at : at + _CHUNK]))
            changed = mine.values(call=None, there=REFUSED, code=code, sent_ms=since).returning(identifiers.c.id)
            done += connection.execute(changed).scalars()
    open_anew(connection, done)


def list_refused(connection: Connection, connector: str, most: int) -> list[RefusedMember]:
    """Those that somebody holds now, at most so many."""
    of = identifiers.join(holdings, holdings.c.identifier == identifiers.c.id)
    of = of.join(audiences, audiences.c.id == identifiers.c.audience)
    of_audience = (audiences.c.integration, audiences.c.segment, audiences.c.list)
    code = sa.func.coalesce(identifiers.c.code, "")
    asked = sa.select(*of_audience, holdings.c.profile, identifiers.c.kind, code).select_from(of)
    mine = (audiences.c.connector == connector, audiences.c.state != DELETED, identifiers.c.there == REFUSED)
    found = connection.execute(asked.where(*mine).order_by(identifiers.c.id, holdings.c.profile).limit(most))
    return [RefusedMember(*row) for row in found]


def try_again(connection: Connection, audience: int) -> int:
    """What somebody holds of an audience's refused is owed once more; returns how many identifiers."""
    held = sa.exists().where(holdings.c.identifier == identifiers.c.id).correlate(identifiers)
    mine = (identifiers.c.audience == audience, identifiers.c.there == REFUSED, identifiers.c.call.is_(None), held)
    return connection.execute(identifiers.update().where(*mine).values(there=AS_BEFORE, owed=True)).rowcount
