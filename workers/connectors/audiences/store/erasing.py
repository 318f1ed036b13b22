"""Taking a person out of a store: who holds what was asked for, and what is left of them afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa

from workers.connectors.audiences.store import calls, members
from workers.connectors.audiences.store.audiences import lock, owe
from workers.connectors.audiences.store.pieces import may_take_long
from workers.connectors.audiences.store.tables import GONE, STALE, audiences, holdings, identifiers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from sqlalchemy import Connection

    from workers.connectors.audiences.store.members import Kept
    from workers.connectors.identifiers import Identifier


_HELD = sa.exists().where(holdings.c.identifier == identifiers.c.id).correlate(identifiers)


_AT_ONCE: Final = 400
"""Values in one IN: SQLite's older limit is 999 parameters in all."""


class Holder(NamedTuple):
    """One profile in one audience.

    integration  whose audience it is, and by whose `key` the profile is named
    """

    audience: int
    profile: str
    integration: str


class LeftBehind(NamedTuple):
    """Identifiers that nobody holds any more, and that the store still has.

    anybody  that wait for the platform, or for a call of which nobody heard: nothing says whose they were
    theirs   with a value that was asked for, also those that only wait to be forgotten
    """

    anybody: int
    theirs: int


def find_holders(connection: Connection, connector: str, names: Collection[str], kept: Collection[Kept]) -> set[Holder]:
    """Who is named so by the whole key, as the store has it, and who holds one of these identifiers."""
    one = _holders_of(connector).distinct()
    found: set[Holder] = set()
    for name in names:
        found |= {Holder(*row) for row in connection.execute(one.where(holdings.c.profile == name))}
    for each in kept:
        same = (identifiers.c.kind == each.kind, identifiers.c.value == each.value)
        has = one.join(identifiers, identifiers.c.id == holdings.c.identifier).where(*same)
        found |= {Holder(*row) for row in connection.execute(has)}
    return found


def find_sent_along(
    connection: Connection, connector: str, sent: Collection[Identifier], opened: Callable[[bytes], Mapping[str, str]]
) -> set[Holder]:
    """Who was sent with one of these beside an identifier: all that is sealed is opened, since only a whole has a mark.

    opened  what stands in a holding, by kind
    """
    wanted = {(each.kind, each.value) for each in sent}
    if not wanted:
        return set()
    asked = _holders_of(connector).add_columns(holdings.c.companions).where(holdings.c.companions.is_not(None))
    every = connection.execution_options(yield_per=1_000).execute(asked)
    return {Holder(*row[:-1]) for row in every if not wanted.isdisjoint(opened(row.companions).items())}


def widen(connection: Connection, connector: str, found: Collection[Holder]) -> set[Holder]:
    """With the same profiles in all lists and segments of their integrations.

    A value leads to one list, and to the segments to which it was sent; whose it is has more, and there other values.
    """
    names: dict[str, set[str]] = {}
    for each in found:
        names.setdefault(each.integration, set()).add(each.profile)
    wide = set(found)
    for integration, its in names.items():
        asked = _holders_of(connector).where(audiences.c.integration == integration).distinct()
        every = sorted(its)
        for at in range(0, len(every), _AT_ONCE):
            some = asked.where(holdings.c.profile.in_(every[at : at + _AT_ONCE]))
            wide |= {Holder(*row) for row in connection.execute(some)}
    return wide


def find_leaving(connection: Connection, connector: str, kept: Collection[Kept]) -> LeftBehind:
    """What is left of those who hold nothing any more; of `kept` also what is only to be forgotten."""
    may_take_long(connection)
    found = connection.execute(_audiences_of(connector)).scalars().all()
    anybody = sum(_leaving(connection, audience) for audience in found)
    theirs = 0
    for each in kept:
        same = (identifiers.c.kind == each.kind, identifiers.c.value == each.value, ~_HELD)
        asked = sa.select(sa.func.count()).select_from(identifiers)
        mine = identifiers.c.audience.in_(_audiences_of(connector))
        theirs += connection.execute(asked.where(mine, *same)).scalar_one()
    return LeftBehind(anybody, theirs)


def erase(connection: Connection, holders: Collection[Holder], now_ms: int, *, whole_rows: bool) -> None:
    """They hold nothing any more, and what the platform has of them is owed its removal."""
    for audience in sorted({each.audience for each in holders}):
        lock(connection, audience)
        nothing = {each.profile: members.Holds((), None) for each in holders if each.audience == audience}
        if members.write(connection, audience, nothing, {}, whole_rows=whole_rows).touched:
            owe(connection, audience, now_ms)


def sweep(connection: Connection, connector: str, now_ms: int) -> int:
    """Deletes at once what only says that somebody was there; returns the identifiers that wait.

    They wait for their removal, or for a call of which nobody heard: it may put back who has left since.
    """
    may_take_long(connection)
    leaving = 0
    for audience in connection.execute(_audiences_of(connector).order_by(audiences.c.id)).scalars().all():
        lock(connection, audience)
        calls.tidy(connection, audience)
        calls.forget(connection, audience, now_ms + 1)
        leaving += _leaving(connection, audience)
    return leaving


def _holders_of(connector: str) -> sa.Select[Any]:
    """Its columns are those of a Holder."""
    of = holdings.join(audiences, audiences.c.id == holdings.c.audience)
    columns = (holdings.c.audience, holdings.c.profile, audiences.c.integration)
    return sa.select(*columns).select_from(of).where(audiences.c.connector == connector)


def _audiences_of(connector: str) -> sa.Select[Any]:
    return sa.select(audiences.c.id).where(audiences.c.connector == connector)


def _leaving(connection: Connection, audience: int) -> int:
    there = sa.or_(identifiers.c.there != GONE, identifiers.c.call.is_not(None))
    unheard = calls.unheard_since(connection, audience)
    if unheard is not None:
        there = sa.or_(there, identifiers.c.sent_ms >= unheard)
    # What others hold, too, stands in the row of somebody who lost it.
    left = sa.or_(sa.and_(there, ~_HELD), identifiers.c.there == STALE)
    asked = sa.select(sa.func.count()).select_from(identifiers)
    return connection.execute(asked.where(identifiers.c.audience == audience, left)).scalar_one()
