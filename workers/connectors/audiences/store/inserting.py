"""INSERTs that say what becomes of a row that is there: each of the store's databases has words of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table


def insert_into(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT with `on_conflict_do_nothing` and `on_conflict_do_update`, in the database's words."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
