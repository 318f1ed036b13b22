"""Changes of all that is known of an audience: ten million identifiers take a database minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from workers.connectors.audiences.store.tables import holdings, identifiers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection

PIECE: Final = 50_000
"""Rows that one statement changes, where somebody wants to hear meanwhile that it goes on: seconds, on a slow disk."""


def may_take_long(connection: Connection) -> None:
    """No statement of this transaction is ended for taking too long; one that waits for a lock still is."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def pieces_of_identifiers(connection: Connection, audience: int) -> Iterator[ColumnElement[bool]]:
    """Conditions that find all identifiers of an audience between them, each some of them, in the order of an index."""
    mine, kinds = identifiers.c.audience == audience, identifiers.c.kind
    kind = ""
    while True:
        asked = sa.select(sa.func.min(kinds)).where(mine, kinds > kind)
        found = connection.execute(asked).scalar()
        if found is None:
            return
        kind = found
        yield from _pieces(connection, sa.and_(mine, kinds == kind), identifiers.c.value)


def pieces_of_holdings(connection: Connection, audience: int) -> Iterator[ColumnElement[bool]]:
    """The same of who holds what, by profiles."""
    yield from _pieces(connection, holdings.c.audience == audience, holdings.c.profile)


def _pieces(connection: Connection, mine: ColumnElement[bool], column: sa.Column[Any]) -> Iterator[ColumnElement[bool]]:
    rest = mine
    while True:
        last = connection.execute(sa.select(column).where(rest).order_by(column).offset(PIECE - 1).limit(1)).scalar()
        if last is None:
            yield rest
            return
        yield sa.and_(rest, column <= last)
        rest = sa.and_(mine, column > last)
