"""An account's numbers, cheap enough to be asked for again and again: no member is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from workers.connectors.audiences.store.audiences import DELETED
from workers.connectors.audiences.store.tables import audiences, calls, identifiers, logins

if TYPE_CHECKING:
    from sqlalchemy import Connection, FromClause


class AccountNumbers(NamedTuple):
    """What a store says of one login.

    accepted, applied, rejected, left_out  ever; pending, owed: now; all of identifiers
    login_ends_ms  when a person must consent again; 0 for never
    """

    audiences: int
    accepted: int
    applied: int
    pending: int
    owed: int
    rejected: int
    left_out: int
    login_ends_ms: int


class WaitingAudience(NamedTuple):
    """An audience that waits, and for what."""

    integration: str
    segment: str
    waits: str
    code: str
    reason: str


class CallSum(NamedTuple):
    """Calls of one kind that have ended in a time.

    identifiers, rejected  in those that were done
    failed  that were not done, or of which nobody heard
    """

    integration: str
    action: str
    done: int
    identifiers: int
    rejected: int
    failed: int


class FailedCalls(NamedTuple):
    """Calls that failed for one cause in a time; `segment` is the last one's."""

    integration: str
    code: str
    reason: str
    calls: int
    last_ms: int
    segment: str


def numbers_of(connection: Connection, connector: str) -> AccountNumbers:
    """Sums over all audiences of a connector."""
    mine = audiences.c.connector == connector
    names = ("accepted", "applied", "rejected", "left_out")
    sums = [sa.func.coalesce(sa.func.sum(getattr(audiences.c, name)), 0) for name in names]
    many = sa.func.count().filter(audiences.c.state != DELETED)
    found, accepted, applied, rejected, left_out = connection.execute(sa.select(many, *sums).where(mine)).one()
    of = sa.select(audiences.c.id).where(mine)

    def number(which: sa.ColumnElement[bool]) -> int:
        asked = sa.select(sa.func.count()).select_from(identifiers)
        return connection.execute(asked.where(identifiers.c.audience.in_(of), which)).scalar_one()

    ends = connection.execute(sa.select(logins.c.ends_ms).where(logins.c.connector == connector)).scalar()
    return AccountNumbers(
        int(found),
        int(accepted),
        int(applied),
        number(identifiers.c.call.is_not(None)),
        number(identifiers.c.owed),
        int(rejected),
        int(left_out),
        int(ends or 0),
    )


def waiting(connection: Connection, connector: str) -> list[WaitingAudience]:
    """Its audiences that wait for something."""
    asked = sa.select(*(getattr(audiences.c, name) for name in WaitingAudience._fields)).order_by(audiences.c.id)
    mine = (audiences.c.connector == connector, audiences.c.waits != "", audiences.c.state != DELETED)
    return [WaitingAudience(*row) for row in connection.execute(asked.where(*mine))]


def call_sums(connection: Connection, connector: str, since_ms: int, until_ms: int) -> list[CallSum]:
    """Calls that ended in a time, by integration and what they did."""
    done = calls.c.state == "done"
    asked = sa.select(
        audiences.c.integration,
        calls.c.action,
        sa.func.count().filter(done),
        sa.func.coalesce(sa.func.sum(calls.c.rows).filter(done), 0),
        sa.func.coalesce(sa.func.sum(calls.c.rejected).filter(done), 0),
        sa.func.count().filter(~done),
    ).select_from(_ended())
    mine = (audiences.c.connector == connector, calls.c.ended_ms >= since_ms, calls.c.ended_ms < until_ms)
    by = (audiences.c.integration, calls.c.action)
    return [CallSum(*row) for row in connection.execute(asked.where(*mine).group_by(*by).order_by(*by))]


def failed_calls(connection: Connection, connector: str, since_ms: int, until_ms: int) -> list[FailedCalls]:
    """Calls that failed in a time, by cause, the last one first."""
    last = sa.func.max(calls.c.ended_ms)
    by = (audiences.c.integration, calls.c.code, calls.c.reason)
    asked = sa.select(*by, sa.func.count(), last, sa.func.max(audiences.c.segment)).select_from(_ended())
    mine = (audiences.c.connector == connector, calls.c.ended_ms >= since_ms, calls.c.ended_ms < until_ms)
    of = asked.where(*mine, calls.c.state != "done", calls.c.code != "")
    return [FailedCalls(*row) for row in connection.execute(of.group_by(*by).order_by(last.desc()))]


def _ended() -> FromClause:
    return calls.join(audiences, sa.and_(audiences.c.id == calls.c.audience, calls.c.ended_ms > 0))
