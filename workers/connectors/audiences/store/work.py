"""Which audience is next, who is at work on it, and until when.

Whoever is at work on an audience owns it for longer than its call can take. So who finds one whose owner's time is over
knows that the owner's call is over as well, however the owner ended, and that nothing of it can arrive any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa

from workers.connectors.audiences.store import refusals, removals, replacing
from workers.connectors.audiences.store.audiences import DELETED, Audience, owe
from workers.connectors.audiences.store.calls import expire
from workers.connectors.audiences.store.pieces import may_take_long
from workers.connectors.audiences.store.tables import audiences, calls, identifiers

if TYPE_CHECKING:
    from sqlalchemy import Connection


OWNED_MS: Final = 300_000
"""Milliseconds that an audience is owned for one look, and anew for its call: none takes so long (`http.py`)."""


class Resting(NamedTuple):
    """How an audience is left.

    due_ms    when it is to be looked at again; None: when something is owed to it
    waits     what it waits for, in words; "" for nothing
    code, reason  why someone is needed, or what failed last
    failed    whether this look failed
    """

    due_ms: int | None
    waits: str = ""
    code: str = ""
    reason: str = ""
    failed: bool = False

    def until(self, at_ms: int | None) -> Resting:
        """The same, and looked at by then at the latest; None: that is no matter."""
        sooner = at_ms is not None and (self.due_ms is None or at_ms < self.due_ms)
        return self._replace(due_ms=at_ms) if sooner else self


def take_next(connection: Connection, connector: str, owner: str, now_ms: int, until_ms: int) -> Audience | None:
    """The due audience that was served longest ago, owned until then; None where none is due."""
    due = (audiences.c.connector == connector, audiences.c.due_ms <= now_ms, audiences.c.owned_until_ms < now_ms)
    asked = sa.select(audiences).where(*due).order_by(audiences.c.served_ms, audiences.c.id).limit(1)
    row = connection.execute(asked.with_for_update(skip_locked=True)).first()
    if row is None:
        return None
    # Due again when its owner's time is over; what comes meanwhile makes it due at once, and is seen by that.
    mine = {"owner": owner, "owned_until_ms": until_ms, "due_ms": until_ms, "served_ms": now_ms}
    connection.execute(audiences.update().where(audiences.c.id == row.id).values(mine))
    return Audience.of(row)


def still_mine(connection: Connection, audience: int, owner: str, until_ms: int) -> Audience | None:
    """The audience as it is now, locked and owned until then; None where another has it."""
    asked = sa.select(audiences).where(audiences.c.id == audience, audiences.c.owner == owner).with_for_update()
    row = connection.execute(asked).first()
    if row is None:
        return None
    due = sa.case((_NOTHING_CAME, until_ms), else_=audiences.c.due_ms)
    note(connection, audience, owned_until_ms=until_ms, due_ms=due)
    return Audience.of(row)


def is_mine(connection: Connection, audience: int, owner: str) -> bool:
    """Whether nobody else has taken it meanwhile, or begun it anew; locked until the transaction ends."""
    asked = sa.select(audiences.c.owner).where(audiences.c.id == audience).with_for_update()
    return connection.execute(asked).scalar() == owner


_NOTHING_CAME = audiences.c.due_ms == audiences.c.owned_until_ms


def note(connection: Connection, audience: int, **values: Any) -> None:  # noqa: ANN401 - columns of `audiences`
    """Changes columns of an audience."""
    connection.execute(audiences.update().where(audiences.c.id == audience).values(values))


def count(connection: Connection, audience: int, **more: int) -> None:
    """Adds to its counts."""
    added = {name: getattr(audiences.c, name) + number for name, number in more.items() if number}
    if added:
        note(connection, audience, **added)


def unheard(connection: Connection, audience: int, code: str, reason: str) -> None:
    """Why nobody heard of the call that it is at; it is open until nothing of it can arrive any more."""
    mine = (calls.c.audience == audience, calls.c.state == "calling")
    connection.execute(calls.update().where(*mine).values(code=code, reason=reason))


def release(connection: Connection, audience: Audience, owner: str, rest: Resting) -> None:
    """Leaves it. Due at once where something came while it was worked on."""
    values = {
        "owner": "",
        "owned_until_ms": 0,
        "waits": rest.waits,
        "code": rest.code,
        "reason": rest.reason,
        "failures": audience.failures + 1 if rest.failed else 0,
        "due_ms": sa.case((_NOTHING_CAME, rest.due_ms), else_=audiences.c.due_ms),
    }
    mine = (audiences.c.id == audience.id, audiences.c.owner == owner)
    connection.execute(audiences.update().where(*mine).values(values))


def next_due(connection: Connection, connector: str) -> int | None:
    """When the connector's next audience is due; None for never."""
    at = sa.case(
        (audiences.c.due_ms <= audiences.c.owned_until_ms, audiences.c.owned_until_ms + 1), else_=audiences.c.due_ms
    )
    due: int | None = connection.execute(sa.select(sa.func.min(at)).where(audiences.c.connector == connector)).scalar()
    return due


def live_audiences(connection: Connection, connector: str) -> int:
    """How many share the login's budget."""
    mine = (audiences.c.connector == connector, audiences.c.state != DELETED)
    return int(connection.execute(sa.select(sa.func.count()).select_from(audiences).where(*mine)).scalar_one())


def owe_all(connection: Connection, connector: str, segment: str | None, now_ms: int) -> int:
    """All members, of one segment or of all, are owed once more; returns how many identifiers.

    What the platform has refused is among it, and what it has not taken out. Nobody else is taken out by it: who is in
    an audience and not in the store is known to nobody.
    """
    may_take_long(connection)
    mine = (audiences.c.connector == connector, audiences.c.state != DELETED)
    asked = sa.select(audiences.c.id).where(*mine, *([audiences.c.segment == segment] if segment is not None else []))
    found = 0
    for audience in connection.execute(asked.order_by(audiences.c.id).with_for_update()).scalars().all():
        again = expire(connection, audience, now_ms + 1) + removals.try_again(connection, audience)
        again += refusals.try_again(connection, audience)
        replacing.settle_for_less(connection, audience)
        if again:
            owe(connection, audience, now_ms)
        found += again
    return found


class Standing(NamedTuple):
    """How an audience stands, for people."""

    integration: str
    segment: str
    list: str
    name: str
    state: str
    remote: str
    accepted: int
    applied: int
    rejected: int
    unknown_removed: int
    left_out: int
    waits: str
    code: str
    reason: str
    due_ms: int | None
    replaces: str
    members: int
    pending: int
    owed: int


def standings(connection: Connection, connector: str) -> list[Standing]:
    """All audiences of a connector; counts members, so it is no question for each second."""
    one = identifiers.c.audience == audiences.c.id

    def number(*which: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.select(sa.func.count()).select_from(identifiers).where(one, *which).scalar_subquery()

    plain = [getattr(audiences.c, name) for name in Standing._fields[:-3]]
    counts = [
        number(identifiers.c.there == 1),
        number(identifiers.c.call.is_not(None)),
        number(identifiers.c.owed),
    ]
    asked = sa.select(*plain, *counts).where(audiences.c.connector == connector).order_by(audiences.c.id)
    return [Standing(*row) for row in connection.execute(asked)]


class CallStanding(NamedTuple):
    """A call that is not over, or did not end well, for people."""

    integration: str
    segment: str
    list: str
    action: str
    state: str
    handle: str
    rows: int
    made_ms: int
    code: str
    reason: str


def last_calls(connection: Connection, connector: str, most: int) -> list[CallStanding]:
    """The newest of them, at most so many."""
    mine = sa.and_(audiences.c.id == calls.c.audience, audiences.c.connector == connector)
    of_audience = [getattr(audiences.c, name) for name in CallStanding._fields[:3]]
    asked = sa.select(*of_audience, *(getattr(calls.c, name) for name in CallStanding._fields[3:]))
    asked = asked.join_from(calls, audiences, mine).where(calls.c.state != "done")
    return [CallStanding(*row) for row in connection.execute(asked.order_by(calls.c.id.desc()).limit(most))]
