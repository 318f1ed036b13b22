"""Since when a platform answers nothing of what an audience asks: looks at its calls, and steps that are no such call.

Calls with rows are written down with what came of them (`calls.py`); of all else this is what is kept of failures.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

import sqlalchemy as sa

from workers.connectors.audiences.store.calls import open_calls
from workers.connectors.audiences.store.tables import audiences

if TYPE_CHECKING:
    from sqlalchemy import Connection

DAY_MS: Final = 86_400_000
"""Milliseconds after which a step that was not tried again is no matter any more."""


class Unanswered(NamedTuple):
    """What was asked several times, and never answered since the first of them.

    since_ms, last_ms  when it was asked first, and last
    limited            whether the platform only had too many calls
    """

    since_ms: int
    last_ms: int
    code: str
    reason: str
    limited: bool


def note(connection: Connection, audience: int, what: str, failed: Unanswered) -> None:
    """Nothing was heard: for the first time, or once more.

    what  the number of a call that was looked at, or the name of a step
    """
    known = _that_matter(connection, audience, _read(connection, audience, lock=True), failed.last_ms)
    since = known[what].since_ms if what in known else failed.since_ms
    _write(connection, audience, known | {what: failed._replace(since_ms=since)})


def answered(connection: Connection, audience: int, what: str, now_ms: int) -> None:
    """An answer came."""
    known = _that_matter(connection, audience, _read(connection, audience, lock=True), now_ms)
    _write(connection, audience, {name: each for name, each in known.items() if name != what})


def for_longest(connection: Connection, audience: int, now_ms: int) -> tuple[str, Unanswered] | None:
    """What waits for an answer for longest, by its number or name; None where nothing does."""
    known = _that_matter(connection, audience, _read(connection, audience), now_ms)
    return min(known.items(), key=lambda one: one[1].since_ms, default=None)


def _that_matter(
    connection: Connection, audience: int, known: dict[str, Unanswered], now_ms: int
) -> dict[str, Unanswered]:
    """Calls that are over are looked at no more, and a step may be no longer due."""
    if not known:
        return known
    open_ = {str(call.id) for call in open_calls(connection, audience)}
    lately = now_ms - DAY_MS
    return {what: each for what, each in known.items() if (what in open_ if what.isdigit() else each.last_ms > lately)}


def _read(connection: Connection, audience: int, *, lock: bool = False) -> dict[str, Unanswered]:
    asked = sa.select(audiences.c.unanswered).where(audiences.c.id == audience)
    text = connection.execute(asked.with_for_update() if lock else asked).scalar()
    return {what: Unanswered(*told) for what, told in json.loads(text).items()} if text else {}


def _write(connection: Connection, audience: int, known: dict[str, Unanswered]) -> None:
    change = audiences.update().where(audiences.c.id == audience)
    connection.execute(change.values(unanswered=json.dumps(known) if known else ""))
