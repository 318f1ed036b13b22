"""Since when nothing comes of an audience's calls, or looks: who fails for long is told of, and not only waited for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import sqlalchemy as sa

from workers.connectors.audiences.store import unanswered
from workers.connectors.audiences.store.calls import open_calls, owes_anything
from workers.connectors.audiences.store.tables import calls

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from workers.connectors.audiences.store.audiences import Audience

_CAME_TO_NOTHING: Final = ("failed", "unknown")
"""Not what was refused by name, nor for a limit of calls."""
_DAY_MS: Final = 86_400_000


class Failing(NamedTuple):
    """Why the last of the calls, or looks, came to nothing."""

    code: str
    reason: str


def for_a_day(connection: Connection, audience: Audience, now_ms: int) -> Failing | None:
    """What comes to nothing, time after time and from the first to the last for a day; None where nothing does."""
    return _of_calls(connection, audience, now_ms) or _of_looks(connection, audience, now_ms)


def unheard_look(connection: Connection, audience: Audience, now_ms: int) -> Failing | None:
    """What comes to nothing since a while ago, and not only for a limit."""
    found = unanswered.for_longest(connection, audience.id, now_ms)
    return None if found is None or found[1].limited else Failing(found[1].code, found[1].reason)


def begun_in_vain(connection: Connection, audience: int) -> int:
    """How often it was begun and nothing came of it that anybody heard of, since it was begun last with success."""
    mine = (calls.c.audience == audience, calls.c.action == "create")
    last = sa.select(sa.func.coalesce(sa.func.max(calls.c.id), 0)).where(*mine, calls.c.state == "done")
    since = (*mine, calls.c.id > last.scalar_subquery(), calls.c.state == "unknown")
    return connection.execute(sa.select(sa.func.count()).select_from(calls).where(*since)).scalar_one()


def _of_looks(connection: Connection, audience: Audience, now_ms: int) -> Failing | None:
    found = unanswered.for_longest(connection, audience.id, now_ms)
    if found is None:
        return None
    what, told = found
    if told.last_ms - told.since_ms < _DAY_MS:
        return None
    since = f"since {datetime.fromtimestamp(told.since_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    if what.isdigit():
        reason = f"no look at a call has been answered {since} ({told.reason}); it counts as on its way until one is"
        return Failing(told.code, reason)
    return Failing(told.code, f"{told.reason}, each time {since} ({what}); it is tried on")


def _of_calls(connection: Connection, audience: Audience, now_ms: int) -> Failing | None:
    """What is owed comes to nothing, call for call."""
    if not audience.first_owed_ms or audience.first_owed_ms > now_ms - _DAY_MS:
        return None
    mine = calls.c.audience == audience.id
    failed = (mine, calls.c.state.in_(_CAME_TO_NOTHING), calls.c.code != "", calls.c.made_ms >= audience.first_owed_ms)
    since = connection.execute(sa.select(sa.func.min(calls.c.made_ms)).where(*failed)).scalar()
    if since is None or since > now_ms - _DAY_MS:
        return None
    if not owes_anything(connection, audience.id) and not open_calls(connection, audience.id):
        return None
    taken = sa.select(sa.func.max(calls.c.id)).where(mine, calls.c.state.in_(("pending", "done"))).scalar_subquery()
    these = (*failed, calls.c.id > sa.func.coalesce(taken, 0))
    asked = sa.select(calls.c.made_ms, calls.c.code, calls.c.reason).where(*these).order_by(calls.c.id)
    found = connection.execute(asked).all()
    if not found or found[-1].made_ms - found[0].made_ms < _DAY_MS:
        return None
    return Failing(found[-1].code, f"{found[-1].reason}, and nothing else for a day or longer; it is tried on")
