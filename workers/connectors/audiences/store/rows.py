"""The rows of a call, read back from the store as they are to be sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from workers.connectors.audiences.store.members import MARK_BYTES
from workers.connectors.audiences.store.tables import REFUSED, holdings, identifiers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from workers.connectors.audiences.store.sealing import Seal


class SentRow(NamedTuple):
    """One row of a call.

    identifiers  of the store, that it stands for
    values       by kind, as sent: what finds the person and what goes along
    """

    identifiers: tuple[int, ...]
    values: Mapping[str, str]


def rows_of(connection: Connection, call: int, seal: Seal, *, whole: bool) -> list[SentRow]:
    """One row for each identifier of the call; `whole`: one for each profile that holds one, with all that it holds."""
    return _by_profile(connection, call, seal) if whole else _by_identifier(connection, call, seal)


_COLUMNS = (identifiers.c.id, identifiers.c.kind, identifiers.c.value, identifiers.c.sealed, identifiers.c.companions)


def _by_identifier(connection: Connection, call: int, seal: Seal) -> list[SentRow]:
    asked = sa.select(*_COLUMNS).where(identifiers.c.call == call).order_by(identifiers.c.id)
    return [
        SentRow((row.id,), sent_along(row.companions, seal) | {row.kind: _value(row.value, row.sealed, seal)})
        for row in connection.execute(asked)
    ]


def _by_profile(connection: Connection, call: int, seal: Seal) -> list[SentRow]:
    """What another call is about is left out of the row: it waits for that one's end; and what is owed, for its own.

    What went along without a word of it in the store would stay on the platform when its holder leaves.
    """
    theirs = sa.select(holdings.c.profile).join(identifiers, identifiers.c.id == holdings.c.identifier)
    audience = sa.select(identifiers.c.audience).where(identifiers.c.call == call).limit(1).scalar_subquery()
    told = sa.and_(identifiers.c.call.is_(None), sa.not_(identifiers.c.owed))
    asked = (
        sa.select(holdings.c.profile, holdings.c.companions.label("along"), identifiers.c.call, *_COLUMNS[:-1])
        .join(identifiers, identifiers.c.id == holdings.c.identifier)
        .where(holdings.c.audience == audience, holdings.c.profile.in_(theirs.where(identifiers.c.call == call)))
        .where(sa.or_(told, identifiers.c.call == call), identifiers.c.there != REFUSED)
        .order_by(holdings.c.profile, identifiers.c.id)
    )
    found: dict[str, tuple[list[int], dict[str, str]]] = {}
    for row in connection.execute(asked):
        mine, values = found.setdefault(row.profile, ([], sent_along(row.along, seal)))
        mine += [row.id] if row.call == call else []
        values[row.kind] = _value(row.value, row.sealed, seal)
    return [SentRow(tuple(mine), values) for mine, values in found.values()]


def _value(value: bytes, sealed: bytes | None, seal: Seal) -> str:
    return bytes(value).hex() if sealed is None else seal.open(sealed)


def sent_along(companions: bytes | None, seal: Seal) -> dict[str, str]:
    """What goes along with a row, by kind. TargetError where another secret sealed it."""
    return dict(json.loads(seal.open(companions[MARK_BYTES:]))) if companions else {}
