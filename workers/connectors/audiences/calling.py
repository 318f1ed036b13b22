"""A call's rows, written down before it is made: what it tells, and which part of a whole it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from workers.connectors.audiences.planning import AudienceStep
from workers.connectors.audiences.store import calls, replacing, work
from workers.connectors.audiences.store.audiences import CREATING
from workers.connectors.audiences.store.rows import rows_of
from workers.connectors.audiences.wire import ReplacePart

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from workers.connectors.audiences.one_login import Login
    from workers.connectors.audiences.store.audiences import Audience
    from workers.connectors.audiences.store.rows import SentRow
    from workers.connectors.audiences.wire import Answered


class WrittenCall(NamedTuple):
    """A call that is to be made.

    part  of a replacement, which it is; of another call it says nothing
    """

    call: int
    rows: list[SentRow]
    part: ReplacePart


def write_down(login: Login, audience: Audience, step: AudienceStep, now_ms: int) -> WrittenCall | None:
    """A call and its rows, before it is made; None where there is nothing to send, or another has the audience now."""
    platform = login.platform
    empty = step is AudienceStep.FINISH or (step is AudienceStep.CREATE and not platform.first_rows)
    with login.store.changing() as connection:
        if not work.is_mine(connection, audience.id, login.owner):
            return None
        most = 0 if empty else _most(login, audience, step)
        call, number = calls.begin(connection, audience.id, step.value, most, now_ms)
        if not number and not empty:
            calls.end(connection, call, "undone", now_ms)
            replacing.step_back(connection, audience.id, step.value)
            return None
        if step is AudienceStep.CREATE:
            work.note(connection, audience.id, state=CREATING)
        work.note(connection, audience.id, written_ms=now_ms, last_call=step.value)
        rows = _rows(connection, login, call, step)
        # Its rows may have taken a while: from here on it is owned for as long as a call can take.
        work.still_mine(connection, audience.id, login.owner, login.clock() + work.OWNED_MS)
        last = step is not AudienceStep.REPLACE or not calls.left_to_replace(connection, audience.id)
        return WrittenCall(call, rows, ReplacePart(replacing.part(connection, audience) + 1, last))


def _most(login: Login, audience: Audience, step: AudienceStep) -> int:
    """Identifiers that the call may be about."""
    platform = login.platform
    if step is AudienceStep.REPLACE and platform.replaces == "call":
        return platform.replace_most
    return platform.largest_call if step is AudienceStep.REMOVE else platform.fills_a_call(audience.list)


def _rows(connection: Connection, login: Login, call: int, step: AudienceStep) -> list[SentRow]:
    platform = login.platform
    rows = rows_of(connection, call, login.seal, whole=platform.whole_rows and step is not AudienceStep.REMOVE)
    if len(rows) > platform.largest_call and platform.replaces != "call":
        # Not everybody has an identifier of each kind, or many share one, and each of them is a row.
        rows = rows[: platform.largest_call]
        calls.give_back(connection, call, {each for row in rows for each in row.identifiers})
    return rows


def make(login: Login, audience: Audience, step: AudienceStep, written: WrittenCall) -> Answered:
    """Makes the call; raises as its wire does."""
    wire, rows = login.wire, written.rows
    if step is AudienceStep.CREATE:
        return wire.create(audience, rows)
    if step is AudienceStep.REPLACE:
        return wire.replace(audience, rows, written.part)
    if step is AudienceStep.FINISH:
        return wire.take_out_the_rest(audience)
    return wire.change(audience, "add" if step is AudienceStep.ADD else "remove", rows)
