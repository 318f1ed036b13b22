"""The audiences of a store: found or begun, locked, named, emptied, and due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from workers.connectors.audiences.store.pieces import may_take_long, pieces_of_holdings, pieces_of_identifiers
from workers.connectors.audiences.store.tables import GONE, audiences, calls, holdings, identifiers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy import Connection, Row

NEW, BEGUN, CREATING, LIVE, DELETED = "new", "begun", "creating", "live", "deleted"
"""States of an audience; see `tables.audiences`."""


@dataclass(frozen=True, slots=True)
class Audience:
    """One remote list of one segment, as the store has it; see `tables.audiences`."""

    id: int
    connector: str
    integration: str
    segment: str
    list: str
    generation: int
    name: str
    told_name: str
    remote: str
    state: str
    waits: str
    leaving: str
    written_ms: int
    first_owed_ms: int
    reminded_ms: int
    failures: int
    replaces: str
    replaced: str
    replace_ms: int
    last_call: str
    unanswered: str

    @classmethod
    def of(cls, row: Row[Any]) -> Audience:
        """From a row of `audiences`."""
        return cls(**{name: getattr(row, name) for name in cls.__slots__})

    @property
    def title(self) -> str:
        """What people see on the platform: the segment's name, or its number where its name is empty or blank."""
        return self.name.strip() or f"segment {self.segment}"

    @property
    def mark(self) -> str:
        """Ours alone, and the same for ever: by it an audience is found again whose creation was not answered."""
        return self._mark(self.generation)

    @property
    def mark_before(self) -> str:
        """The mark of the list whose place it takes."""
        return self._mark(self.generation - 1)

    def _mark(self, generation: int) -> str:
        return f"segsync {self.connector}/{self.integration}/{self.segment}/{self.list}#{generation}"


def open_audiences(
    connection: Connection, place: tuple[str, str, str], lists: Collection[str], name: str, now_ms: int
) -> dict[str, Audience]:
    """The audiences of a segment by list, locked until the transaction ends; those missing of `lists` are begun.

    place  connector, integration, segment
    """
    connector, integration, segment = place
    mine = (
        audiences.c.connector == connector,
        audiences.c.integration == integration,
        audiences.c.segment == segment,
    )
    newest: dict[str, int] = {}
    found: dict[str, Audience] = {}
    for row in connection.execute(sa.select(audiences).where(*mine).order_by(audiences.c.id).with_for_update()):
        newest[row.list] = max(newest.get(row.list, 0), row.generation)
        if not row.leaving and row.state != DELETED:
            found[row.list] = Audience.of(row)
    missing = [one for one in sorted(lists) if one not in found]
    for each in missing:
        of_list = {"list": each, "generation": newest.get(each, 0) + 1}
        values = {"connector": connector, "integration": integration, "segment": segment, "name": name, "state": NEW}
        connection.execute(audiences.insert().values(_EMPTY | values | of_list | {"served_ms": now_ms}))
        this = (audiences.c[column] == value for column, value in of_list.items())
        found[each] = Audience.of(connection.execute(sa.select(audiences).where(*mine, *this)).one())
    return found


_WORDS = ("code", "reason", "waits", "leaving", "replaces", "replaced", "last_call", "unanswered")
_TEXTS = ("told_name", "remote", "owner", *_WORDS)
_TIMES = ("owned_until_ms", "written_ms", "first_owed_ms", "reminded_ms", "replace_ms")
_COUNTS = ("failures", "accepted", "applied", "rejected", "unknown_removed", "left_out")
_EMPTY: dict[str, Any] = dict.fromkeys(_TEXTS, "") | dict.fromkeys((*_TIMES, *_COUNTS), 0)


def lock(connection: Connection, audience: int) -> None:
    """Nobody else changes its members until the transaction ends."""
    connection.execute(sa.select(audiences.c.id).where(audiences.c.id == audience).with_for_update())


def rename(connection: Connection, audience: int, name: str, now_ms: int) -> None:
    """It is called so from now on; the platform is told when it is looked at."""
    connection.execute(audiences.update().where(audiences.c.id == audience).values(name=name, due_ms=_sooner(now_ms)))


def owe(connection: Connection, audience: int, now_ms: int, *, unknown: int = 0, left_out: int = 0) -> None:
    """Something is owed to it: it is due, unless it waits for a later time anyhow, and then whoever looks decides."""
    first = sa.case((audiences.c.first_owed_ms == 0, now_ms), else_=audiences.c.first_owed_ms)
    values: dict[str, Any] = {"due_ms": _sooner(now_ms), "first_owed_ms": first}
    values["unknown_removed"] = audiences.c.unknown_removed + unknown
    values["left_out"] = audiences.c.left_out + left_out
    connection.execute(audiences.update().where(audiences.c.id == audience).values(values))


def forget_members(
    connection: Connection,
    audience: int,
    now_ms: int,
    *,
    leaving: str = "",
    goes_on: Callable[[], None] | None = None,
) -> int:
    """Nobody holds anything of it any more; returns how many holdings went.

    leaving  "delete": and the audience itself is to go
    goes_on  is called after each piece of it
    """
    gone = 0
    for piece in pieces_of_holdings(connection, audience):
        gone += connection.execute(holdings.delete().where(piece)).rowcount
        if goes_on is not None:
            goes_on()
    owed = sa.or_(identifiers.c.there != GONE, identifiers.c.call.is_not(None))
    for piece in pieces_of_identifiers(connection, audience):
        connection.execute(identifiers.update().where(piece, identifiers.c.owed != owed).values(owed=owed))
        if goes_on is not None:
            goes_on()
    owe(connection, audience, now_ms)
    if leaving:
        connection.execute(audiences.update().where(audiences.c.id == audience).values(leaving=leaving))
    return gone


def _sooner(now_ms: int) -> sa.ColumnElement[int]:
    """Due now: whoever looks decides what it waits for."""
    return sa.case((audiences.c.due_ms < now_ms, audiences.c.due_ms), else_=now_ms)


def oldest_live(connection: Connection, connector: str, most: int) -> list[Audience]:
    """The audiences that the platform has had for longest."""
    mine = (audiences.c.connector == connector, audiences.c.state == LIVE, audiences.c.remote != "")
    asked = sa.select(audiences).where(*mine).order_by(audiences.c.id).limit(most)
    return [Audience.of(row) for row in connection.execute(asked)]


def remotes(connection: Connection, connector: str) -> set[str]:
    """The platform's ids of all audiences of a connector."""
    asked = sa.select(audiences.c.remote).where(audiences.c.connector == connector, audiences.c.remote != "")
    return set(connection.execute(asked).scalars())


def begin_anew(connection: Connection, connector: str, now_ms: int) -> int:
    """All audiences are begun once more, under marks of their own, in another account; returns how many.

    What the old account has of them stays there: nobody can reach it. Calls that are on their way come to nothing.
    """
    may_take_long(connection)
    mine = sa.and_(audiences.c.connector == connector, audiences.c.state != DELETED)
    asked = sa.select(audiences.c.id, audiences.c.leaving).where(mine).order_by(audiences.c.id).with_for_update()
    found = 0
    for id_, leaving in connection.execute(asked).all():
        over = sa.and_(calls.c.audience == id_, calls.c.state.in_(("calling", "pending")))
        connection.execute(calls.update().where(over).values(state="undone", ended_ms=now_ms))
        held = sa.exists().where(holdings.c.identifier == identifiers.c.id).correlate(identifiers)
        of_it = identifiers.c.audience == id_
        connection.execute(identifiers.delete().where(of_it, ~held))
        connection.execute(identifiers.update().where(of_it).values(there=GONE, owed=True, call=None))
        texts = dict.fromkeys((*_TEXTS, "leaving"), "") | {"state": DELETED if leaving else NEW}
        numbers = dict.fromkeys((*_TIMES, "failures"), 0) | {"due_ms": now_ms, "first_owed_ms": now_ms}
        anew = {} if leaving else {"generation": audiences.c.generation + 1}
        connection.execute(audiences.update().where(audiences.c.id == id_).values(texts | numbers | anew))
        found += not leaving
    return found


def empty_audiences(connection: Connection, connector: str, integration: str, now_ms: int) -> int:
    """Everybody leaves the audiences of an integration; returns how many it has."""
    mine = (audiences.c.connector == connector, audiences.c.integration == integration, audiences.c.state != DELETED)
    found = connection.execute(sa.select(audiences.c.id).where(*mine).order_by(audiences.c.id).with_for_update())
    ids = list(found.scalars())
    for each in ids:
        forget_members(connection, each, now_ms)
    return len(ids)
