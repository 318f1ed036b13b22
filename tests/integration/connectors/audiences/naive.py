"""What one would build by mistake: each of these takes a rule of ad accounts out of the code, and the histories see it.

A function here changes the product under a test's monkeypatch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from workers.connectors.audiences import rounds
from workers.connectors.audiences.endings import Endings
from workers.connectors.audiences.rounds import Rounds
from workers.connectors.audiences.store import calls, members, tables
from workers.connectors.audiences.store.tables import GONE, STALE, THERE, identifiers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

    from workers.connectors.audiences.planning import AudienceStep
    from workers.connectors.audiences.store.audiences import Audience
    from workers.connectors.audiences.store.calls import OpenCall
    from workers.connectors.audiences.store.members import Holds, Written
    from workers.connectors.audiences.store.work import Resting
    from workers.connectors.audiences.wire import CallProgress

    Connection = sa.Connection


class Naive(NamedTuple):
    """A mistake.

    platform  where it is seen soon; theme: of `histories.THEMES`
    seed      of the first history that saw it
    patch     makes it
    """

    name: str
    platform: str
    theme: str
    seed: int
    patch: Callable[[pytest.MonkeyPatch], None]


def no_waiting(patch: pytest.MonkeyPatch) -> None:
    """What is part of a call that is on its way is told again as soon as it changes."""
    on_its_way = identifiers.c.call.is_not(None)
    patch.setattr(calls, "_FREE", sa.and_(identifiers.c.owed, sa.or_(identifiers.c.call.is_(None), on_its_way)))
    left = sa.and_(on_its_way, ~calls.HELD)
    patch.setattr(calls, "_REMOVES", sa.or_(calls._REMOVES, left))
    patch.setattr(calls, "_ADDS", sa.or_(calls._ADDS, sa.and_(on_its_way, calls.HELD)))


def late_failure_is_done(patch: pytest.MonkeyPatch) -> None:
    """What was accepted will be done, whatever the platform says later."""
    polled = Endings.polled

    def believing(self: Endings, audience: Audience, call: OpenCall, progress: CallProgress, now: int) -> None:
        if progress.state == "failed":
            progress = progress._replace(state="done", rejected=0)
        polled(self, audience, call, progress, now)

    patch.setattr(Endings, "polled", believing)


def nothing_is_waited_out(patch: pytest.MonkeyPatch) -> None:
    """Who finds a call that nobody heard of tells again at once."""
    patch.setattr(rounds, "OWNED_MS", 0)


def written_after_the_answer(patch: pytest.MonkeyPatch) -> None:
    """Of a call that was not answered nothing is written: its transaction ended with it."""
    send = Rounds._send

    def sending(self: Rounds, audience: Audience, step: AudienceStep, now: int) -> Resting:
        try:
            return send(self, audience, step, now)
        except BaseException:
            with self._login.store.changing() as connection:
                for each in calls.open_calls(connection, audience.id):
                    if each.state == "calling":
                        calls.end(connection, each.id, "undone", now)
            raise

    patch.setattr(Rounds, "_send", sending)


def without_net(patch: pytest.MonkeyPatch) -> None:
    """As in SQL: who leaves is taken out with what they have, whoever else has it."""
    write, end = members.write, calls.end

    def writing(
        connection: Connection, audience: int, wanted: Mapping[str, Holds], *more: Any, whole_rows: bool
    ) -> Written:
        before = _held(connection, audience, wanted)
        written = write(connection, audience, wanted, *more, whole_rows=whole_rows)
        lost = before - _held(connection, audience, wanted)
        mine = identifiers.update().where(identifiers.c.id.in_({each for _, each in lost}))
        connection.execute(mine.where(identifiers.c.there == THERE).values(there=STALE, owed=True))
        return written

    def ending(connection: Connection, call: int, *how: Any, **more: Any) -> int:
        about = sa.select(identifiers.c.id).where(identifiers.c.call == call, identifiers.c.there == STALE)
        ids = list(connection.execute(about).scalars())
        number = end(connection, call, *how, **more)
        done = identifiers.update().where(identifiers.c.id.in_(ids), identifiers.c.there == GONE)
        connection.execute(done.values(owed=False))
        return number

    patch.setattr(members, "write", writing)
    patch.setattr(calls, "end", ending)


def _held(connection: Connection, audience: int, wanted: Mapping[str, Holds]) -> set[tuple[str, int]]:
    found = members._held(connection, audience, wanted)
    return {(key, one.identifier) for key, each in found.items() for one in each}


def nothing_lands(patch: pytest.MonkeyPatch) -> None:
    """A call of which nobody heard is over when it was told again."""

    def land(connection: Connection, audience: int, _now_ms: int) -> None:
        unheard = (tables.calls.c.audience == audience, tables.calls.c.state == "unknown")
        connection.execute(tables.calls.update().where(*unheard).values(poll_ms=0))

    patch.setattr(calls, "land", land)


NAIVE = (
    Naive("no waiting for a call that is on its way", "google", "calm", 4, no_waiting),
    Naive("a late failure taken for done", "google", "late", 6, late_failure_is_done),
    Naive("an unheard call not waited out", "facebook", "stalled", 0, nothing_is_waited_out),
    Naive("a call written down after its answer", "facebook", "killed", 4, written_after_the_answer),
    Naive("removals and additions without their net", "yandex", "calm", 5, without_net),
    Naive("an unheard call that lands later", "google", "unheard", 2, nothing_lands),
)
