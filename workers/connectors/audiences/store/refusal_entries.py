"""Which entries of the quarantine tell of what a platform refused by name, and how far they are told.

One entry for each identifier; refused once more after a retry, it gets a new one in its place. What is told goes by how
the store is now, so what dies in between is told again, and telling it twice is telling it once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa

from workers.connectors.audiences.store.audiences import lock, owe
from workers.connectors.audiences.store.tables import (
    AS_BEFORE,
    REFUSED,
    THERE,
    audiences,
    holdings,
    identifiers,
    refusals,
)
from workers.outcomes import UNFINISHED, new_uid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import Connection

_CHUNK: Final = 400


class EntryChange(NamedTuple):
    """What is not told yet of one entry.

    entry          its uid; before: those of the entries whose place it takes, with blanks between, as far as not told
    told           what was told of it: "" for nothing
    state          how it is: "open" (refused), "retried" (on its way once more), "delivered", or "superseded" (nobody
                   holds it any more)
    profile        the key of one who holds it; None where nobody does
    kind, code     the platform's words for what it is, and why it is refused; None where the store has forgotten it
    """

    identifier: int
    entry: str
    before: str
    retries: int
    told: str
    state: str
    integration: str
    segment: str
    profile: str | None
    kind: str | None
    code: str | None


_HELD: Final = sa.exists().where(holdings.c.identifier == refusals.c.identifier).correlate(refusals)
_ITS: Final = sa.and_(identifiers.c.id == refusals.c.identifier, identifiers.c.audience == refusals.c.audience)
_STATE: Final = sa.case(
    (sa.or_(identifiers.c.id.is_(None), ~_HELD), "superseded"),
    (identifiers.c.there == REFUSED, "open"),
    (identifiers.c.there == THERE, "delivered"),
    else_="retried",
)


def open_anew(connection: Connection, ids: Sequence[int]) -> None:
    """Each of these identifiers has just been refused: it gets an entry, in the place of one that it has."""
    for some in _chunks(ids):
        asked = sa.select(identifiers.c.id, identifiers.c.audience).where(identifiers.c.id.in_(some))
        audience_of = {row.id: row.audience for row in connection.execute(asked)}
        known = connection.execute(sa.select(refusals).where(refusals.c.identifier.in_(some))).all()
        again = [_following(row) for row in known]
        if again:
            names = ("entry", "told", "before", "retries")
            change = refusals.update().where(refusals.c.identifier == sa.bindparam("of"))
            connection.execute(change.values({name: sa.bindparam(f"b_{name}") for name in names}), again)
        fresh = audience_of.keys() - {row.identifier for row in known}
        if fresh:
            empty = {"told": "", "before": "", "retries": 0}
            rows = [{"identifier": id_, "audience": audience_of[id_], "entry": new_uid(), **empty} for id_ in fresh]
            connection.execute(refusals.insert(), rows)


def _following(row: sa.Row[Any]) -> dict[str, Any]:
    """The entry after this one, which may have been told by now, whatever the row says."""
    before = f"{row.before} {row.entry}".strip()
    return {"of": row.identifier, "b_entry": new_uid(), "b_told": "", "b_before": before, "b_retries": row.retries + 1}


def changes(connection: Connection, connector: str, most: int, without_room: Collection[str]) -> list[EntryChange]:
    """What is not told yet, at most so much.

    without_room  integrations of which no new entry is told now
    """
    # By the identifier alone: with the audience, too, SQLite would look through all of its profiles for the least.
    holder = sa.select(sa.func.min(holdings.c.profile)).where(holdings.c.identifier == refusals.c.identifier)
    # Subqueries and no join: so it is read in the order of its key, and ends at `most`, however many wait.
    its = [
        sa.select(column).where(audiences.c.id == refusals.c.audience).scalar_subquery()
        for column in (audiences.c.integration, audiences.c.segment)
    ]
    of = sa.select(audiences.c.id).where(audiences.c.connector == connector)
    full = of.where(audiences.c.integration.in_(sorted(without_room)))
    waits = sa.and_(refusals.c.told == "", refusals.c.audience.in_(full))
    columns = (refusals.c.identifier, refusals.c.entry, refusals.c.before, refusals.c.retries, refusals.c.told, _STATE)
    asked = sa.select(*columns, *its, holder.scalar_subquery(), identifiers.c.kind, identifiers.c.code)
    asked = asked.select_from(refusals.outerjoin(identifiers, _ITS))
    mine = (refusals.c.audience.in_(of), refusals.c.told != _STATE, *([~waits] if without_room else []))
    found = connection.execute(asked.where(*mine).order_by(refusals.c.identifier).limit(most))
    return [EntryChange(*row) for row in found]


def holders_of(connection: Connection, connector: str, entries: Collection[str]) -> dict[str, str]:
    """By entry the key of one who holds what it is about; nothing for what nobody holds."""
    found: dict[str, str] = {}
    of = refusals.join(audiences, audiences.c.id == refusals.c.audience)
    of = of.join(holdings, holdings.c.identifier == refusals.c.identifier)
    asked = sa.select(refusals.c.entry, sa.func.min(holdings.c.profile).label("profile")).select_from(of)
    asked = asked.group_by(refusals.c.entry)
    for some in _chunks(sorted(entries)):
        mine = (audiences.c.connector == connector, refusals.c.entry.in_(some))
        found |= {row.entry: row.profile for row in connection.execute(asked.where(*mine))}
    return found


def told(connection: Connection, done: Collection[EntryChange]) -> None:
    """These were told; what has changed meanwhile is told next."""
    over = [{"of": each.entry} for each in done if each.state in ("delivered", "superseded")]
    still = [{"of": each.entry, "was": each.told, "is": each.state} for each in done if each.state in UNFINISHED]
    this = refusals.c.entry == sa.bindparam("of")
    if over:
        connection.execute(refusals.delete().where(this), over)
    if still:
        change = refusals.update().where(this, refusals.c.told == sa.bindparam("was"))
        connection.execute(change.values(told=sa.bindparam("is"), before=""), still)


def tell_again(connection: Connection, connector: str, entries: Collection[str], now_ms: int) -> set[str]:
    """What these entries are about is owed once more; returns those of them that are refused and held."""
    found: dict[str, tuple[int, int]] = {}
    for some in _chunks(sorted(entries)):
        asked = sa.select(refusals.c.entry, identifiers.c.id, identifiers.c.audience).select_from(
            refusals.join(identifiers, _ITS).join(audiences, audiences.c.id == refusals.c.audience)
        )
        mine = (audiences.c.connector == connector, refusals.c.entry.in_(some), _STATE == "open")
        found |= {row.entry: (row.id, row.audience) for row in connection.execute(asked.where(*mine))}
    for audience in sorted({audience for _, audience in found.values()}):
        lock(connection, audience)
        ids = [id_ for id_, its in found.values() if its == audience]
        for few in _chunks(ids):
            mine_now = (identifiers.c.id.in_(few), identifiers.c.there == REFUSED, identifiers.c.call.is_(None))
            connection.execute(identifiers.update().where(*mine_now).values(there=AS_BEFORE, owed=True))
        owe(connection, audience, now_ms)
    for names in _chunks(sorted(found)):
        were = refusals.update().where(refusals.c.entry.in_(names), refusals.c.told == "open")
        connection.execute(were.values(told="retried"))
    return set(found)


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[at : at + _CHUNK] for at in range(0, len(items), _CHUNK))
