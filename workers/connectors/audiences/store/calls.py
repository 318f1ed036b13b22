"""Calls, written down before they are made: which identifiers each is about, and what came of it.

An identifier is part of one call at a time, and waits for its end: platforms that only accept a call may apply two of
them in any order. What is sent is the net: an identifier is added or removed by whether anybody holds it now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import sqlalchemy as sa

from workers.connectors.audiences.store.pieces import may_take_long
from workers.connectors.audiences.store.tables import (
    GONE,
    REFUSED,
    STALE,
    STUCK,
    THERE,
    UNSURE,
    calls,
    holdings,
    identifiers,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import Connection

CALLS_KEPT_MS: Final = 30 * 86_400_000
"""Milliseconds that a call which is over is told of in statistics; it holds nothing of people."""

Ended = Literal["done", "failed", "undone", "unknown"]


class OpenCall(NamedTuple):
    """A call that is not over."""

    id: int
    action: str
    state: str
    handle: str
    rows: int
    made_ms: int
    poll_ms: int
    polls: int
    seen: bool


class OwedNow(NamedTuple):
    """Identifiers that may be sent now, counted up to a limit."""

    adds: int
    removes: int


HELD: Final = sa.exists().where(holdings.c.identifier == identifiers.c.id).correlate(identifiers)
"""Whether anybody holds an identifier."""
_ADDS = sa.and_(HELD, identifiers.c.there.in_((GONE, UNSURE, STUCK)))
_NEVER = sa.and_(identifiers.c.there == REFUSED, identifiers.c.sent_ms == 0)
_PERHAPS_THERE = identifiers.c.there.in_((THERE, UNSURE, STALE, STUCK, REFUSED))
_REMOVES = sa.and_(_PERHAPS_THERE, sa.or_(identifiers.c.there == STALE, sa.not_(HELD)), ~_NEVER)
"""Of what is owed, what a call is due for. By `there` first, which the index has: a look at an audience that is owed
ten million additions must not look through them for somebody who has left."""
_REPLACES = sa.and_(HELD, identifiers.c.there.in_((GONE, UNSURE, STALE, STUCK)))
"""Of whom a replacement is to tell: what is stale needs no removal before."""
_FREE = sa.and_(identifiers.c.owed, identifiers.c.call.is_(None))


def tidy(connection: Connection, audience: int) -> None:
    """What was owed and came to nothing is owed no more: who left came back, or the other way round.

    Looks through all that is owed.
    """
    mine = (identifiers.c.audience == audience, _FREE)
    as_wanted = sa.and_(HELD, identifiers.c.there.in_((THERE, REFUSED)))
    change = identifiers.update().where(*mine)
    connection.execute(change.where(as_wanted).values(owed=False))
    none = sa.or_(identifiers.c.there == GONE, _NEVER)
    connection.execute(change.where(~HELD, none).values(owed=False, there=GONE))


def owes_a_call(connection: Connection, audience: int) -> bool:
    """Whether anybody may be added or removed now; False also where what is owed came to nothing."""
    mine = sa.select(identifiers.c.id).where(identifiers.c.audience == audience, _FREE)
    return any(connection.execute(mine.where(one).limit(1)).first() is not None for one in (_ADDS, _REMOVES))


def owed(connection: Connection, audience: int, most: int) -> OwedNow:
    """How many may be added and removed now, each counted up to `most`."""
    mine = sa.select(identifiers.c.id).where(identifiers.c.audience == audience, _FREE)
    adds, removes = (
        sa.select(sa.func.count()).select_from(mine.where(one).limit(most).subquery()) for one in (_ADDS, _REMOVES)
    )
    return OwedNow(connection.execute(adds).scalar_one(), connection.execute(removes).scalar_one())


def left_to_replace(connection: Connection, audience: int) -> bool:
    """Whether a replacement has yet to tell of somebody."""
    mine = sa.select(identifiers.c.id).where(identifiers.c.audience == audience, _FREE, _REPLACES).limit(1)
    return connection.execute(mine).first() is not None


def owes_anything(connection: Connection, audience: int) -> bool:
    """Whether something is owed, also to what waits for a call's end."""
    asked = sa.select(identifiers.c.id).where(identifiers.c.audience == audience, identifiers.c.owed).limit(1)
    return connection.execute(asked).first() is not None


def begin(connection: Connection, audience: int, action: str, most: int, now_ms: int) -> tuple[int, int]:
    """Writes down a call and what it is about; its id, and how many identifiers.

    action  "remove" takes what nobody holds and what is stale, "add" and "create" the rest, "replace" all that is held
    """
    values = {"audience": audience, "action": action, "state": "calling", "handle": "", "code": "", "reason": ""}
    numbers = {"rows": 0, "rejected": 0, "made_ms": now_ms, "ended_ms": 0, "poll_ms": 0, "polls": 0, "seen": 0}
    call: int = connection.execute(calls.insert().values(values | numbers).returning(calls.c.id)).scalar_one()
    side = {"remove": _REMOVES, "replace": _REPLACES}.get(action, _ADDS)
    some = sa.select(identifiers.c.id).where(identifiers.c.audience == audience, _FREE, side).limit(most)
    change = identifiers.update().where(identifiers.c.id.in_(some)).values(call=call, owed=False)
    rows = connection.execute(change).rowcount
    if action != "remove":
        along = sa.select(holdings.c.companions).where(holdings.c.identifier == identifiers.c.id).limit(1)
        change = identifiers.update().where(identifiers.c.call == call, HELD)
        connection.execute(change.values(companions=along.scalar_subquery()))
    connection.execute(calls.update().where(calls.c.id == call).values(rows=rows))
    return call, rows


def give_back(connection: Connection, call: int, kept: Collection[int]) -> None:
    """Of what a call is about only these identifiers stay; the others are owed on."""
    mine = identifiers.c.call == call
    found = set(connection.execute(sa.select(identifiers.c.id).where(mine)).scalars())
    for some in _chunks(sorted(found.difference(kept))):
        connection.execute(identifiers.update().where(mine, identifiers.c.id.in_(some)).values(call=None, owed=True))
    connection.execute(calls.update().where(calls.c.id == call).values(rows=len(found.intersection(kept))))


def is_calling(connection: Connection, call: int) -> bool:
    """Whether its answer is still waited for; its row stays locked until the transaction ends."""
    asked = sa.select(calls.c.state).where(calls.c.id == call).with_for_update()
    return connection.execute(asked).scalar() == "calling"


def accepted(connection: Connection, call: int, handle: str, poll_ms: int) -> None:
    """The platform has it, and will do it."""
    change = calls.update().where(calls.c.id == call)
    connection.execute(change.values(state="pending", handle=handle, poll_ms=poll_ms))


class Begun(NamedTuple):
    """A call of which nobody heard, and which may have begun an audience that is not real."""

    id: int
    made_ms: int
    ended_ms: int


def perhaps_begun(connection: Connection, audience: int, before_ms: int) -> list[Begun]:
    """Those that were over by then, and that nobody has looked for yet."""
    columns = [getattr(calls.c, name) for name in Begun._fields]
    mine = (calls.c.audience == audience, calls.c.state == "unknown", calls.c.action == "create")
    found = connection.execute(sa.select(*columns).where(*mine, calls.c.polls == 0, calls.c.ended_ms <= before_ms))
    return [Begun(*row) for row in found]


def looked_at(connection: Connection, call: int, poll_ms: int, *, seen: bool) -> None:
    """It is not over yet."""
    change = calls.update().where(calls.c.id == call).values(poll_ms=poll_ms, polls=calls.c.polls + 1)
    connection.execute(change.values(seen=1) if seen else change)


def end(
    connection: Connection, call: int, ended: Ended, now_ms: int, code: str = "", reason: str = "", rejected: int = 0
) -> int:
    """It is over; returns how many identifiers it was about, 0 where it was over before.

    What is not done is owed again, by what is held then; nobody knows what the platform has of it, unless it was
    surely not done.
    """
    values = {"state": ended, "ended_ms": now_ms, "code": code, "reason": reason, "rejected": rejected}
    open_ = calls.c.state.in_(("calling", "pending"))
    row = connection.execute(
        calls.update().where(calls.c.id == call, open_).values(values).returning(calls.c.action)
    ).first()
    if row is None:
        return 0
    mine = identifiers.update().where(identifiers.c.call == call)
    if ended == "done":
        done = mine.values(call=None, sent_ms=now_ms)
        if row.action == "remove":
            # What was stale is still held by others, and owed to them.
            return connection.execute(done.values(there=GONE, owed=sa.or_(identifiers.c.owed, HELD))).rowcount
        again = sa.and_(identifiers.c.owed, identifiers.c.there == UNSURE)  # a removal takes it along, after this
        if row.action == "replace":  # what was stale before is not any more
            again = sa.and_(identifiers.c.owed, identifiers.c.there.in_((UNSURE, STALE)))
            kept = sa.case((again, identifiers.c.there), else_=THERE)
            return connection.execute(done.values(there=kept)).rowcount
        return connection.execute(done.values(there=_unless_stale(sa.case((again, UNSURE), else_=THERE)))).rowcount
    if ended == "undone":
        return connection.execute(mine.values(call=None, owed=True)).rowcount
    return connection.execute(mine.values(call=None, owed=True, there=_unless_stale(UNSURE))).rowcount


def unheard(connection: Connection, call: int, now_ms: int, within_ms: int) -> None:
    """Nobody knows what came of a call, and it may be applied for so many milliseconds yet; `land` looks at it."""
    why = connection.execute(sa.select(calls.c.code, calls.c.reason).where(calls.c.id == call)).one()
    end(connection, call, "unknown", now_ms, why.code or "ads unheard", why.reason or "its process ended in it")
    connection.execute(calls.update().where(calls.c.id == call).values(poll_ms=now_ms + within_ms if within_ms else 0))


def lands_ms(connection: Connection, audience: int) -> int | None:
    """When the last of its calls of which nobody heard is surely over (Unix ms); None where there is none."""
    asked = sa.select(sa.func.max(calls.c.poll_ms)).where(calls.c.audience == audience, calls.c.state == "unknown")
    return connection.execute(asked).scalar() or None


def unheard_since(connection: Connection, audience: int) -> int | None:
    """Since when a call may be under way of which nobody heard (Unix ms); None where `land` has dealt with all."""
    mine = (calls.c.audience == audience, calls.c.state == "unknown", calls.c.poll_ms > 0)
    return connection.execute(sa.select(sa.func.min(calls.c.ended_ms)).where(*mine)).scalar()


def land(connection: Connection, audience: int, now_ms: int) -> None:
    """Once calls of which nobody heard are surely over, all that was told since is owed again.

    They may have been applied after what was told since, and so have undone it. A call that was made before they were
    over is waited for first, for the same reason.
    """
    lands = lands_ms(connection, audience)
    if lands is None or lands > now_ms:
        return
    mine = calls.c.audience == audience
    open_ = (calls.c.state.in_(("calling", "pending")), calls.c.made_ms <= lands)
    if connection.execute(sa.select(calls.c.id).where(mine, *open_).limit(1)).first() is not None:
        return
    may_take_long(connection)
    unknown = (mine, calls.c.state == "unknown", calls.c.poll_ms > 0)
    since = unheard_since(connection, audience)
    told = (identifiers.c.audience == audience, identifiers.c.sent_ms >= since, identifiers.c.call.is_(None))
    change = identifiers.update().where(*told, identifiers.c.there.in_((THERE, GONE)))
    connection.execute(change.values(owed=True, there=UNSURE))
    connection.execute(calls.update().where(*unknown).values(poll_ms=0))


def _unless_stale(there: int | sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.case((identifiers.c.there == STALE, STALE), else_=there)


def all_gone(connection: Connection, audience: int) -> None:
    """The audience is not there any more: nobody is in it, and nothing is known of who was."""
    may_take_long(connection)
    connection.execute(holdings.delete().where(holdings.c.audience == audience))
    connection.execute(identifiers.delete().where(identifiers.c.audience == audience))


def _chunks(ids: list[int]) -> Iterator[list[int]]:
    return (ids[at : at + 400] for at in range(0, len(ids), 400))


def open_calls(connection: Connection, audience: int) -> list[OpenCall]:
    """Those that are not over, the oldest first."""
    asked = sa.select(calls).where(calls.c.audience == audience, calls.c.state.in_(("calling", "pending")))
    return [
        OpenCall(*(getattr(row, name) for name in OpenCall._fields))
        for row in connection.execute(asked.order_by(calls.c.id))
    ]


def next_poll_ms(connection: Connection, audience: int) -> int | None:
    """When the next of its calls that are on their way is to be asked for (Unix ms); None where none is."""
    mine = (calls.c.audience == audience, calls.c.state == "pending")
    return connection.execute(sa.select(sa.func.min(calls.c.poll_ms)).where(*mine)).scalar()


def expire(connection: Connection, audience: int, before_ms: int) -> int:
    """Members that were told before that are owed again, since platforms forget them; returns how many."""
    mine = (identifiers.c.audience == audience, identifiers.c.there == THERE, identifiers.c.sent_ms < before_ms)
    change = identifiers.update().where(*mine, identifiers.c.call.is_(None), HELD)
    return connection.execute(change.values(owed=True, there=UNSURE)).rowcount


def forget(connection: Connection, audience: int, before_ms: int) -> int:
    """Deletes what says nothing any more; returns how many identifiers, and with them hashes of people, went.

    before_ms  when it was told last, at the latest: identifiers that the platform does not have and nobody holds;
               and calls that were over long before that

    What was told since a call of which nobody heard stays: that call may put it back, and then `land` takes it out.
    The audience's row is locked: somebody may be about to hold one of them again.
    """
    before = before_ms - CALLS_KEPT_MS
    over = sa.and_(calls.c.audience == audience, calls.c.ended_ms > 0, calls.c.ended_ms < before)
    connection.execute(calls.delete().where(over, calls.c.state.not_in(("calling", "pending"))))
    unheard = unheard_since(connection, audience)
    last = before_ms if unheard is None else min(before_ms, unheard)
    mine = (identifiers.c.audience == audience, identifiers.c.there == GONE, identifiers.c.sent_ms < last)
    free = (sa.not_(identifiers.c.owed), identifiers.c.call.is_(None), ~HELD)
    return connection.execute(identifiers.delete().where(*mine, *free)).rowcount
