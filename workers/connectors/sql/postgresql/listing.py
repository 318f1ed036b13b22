"""Reading many rows of PostgreSQL: read only, by a cursor of the server's, one snapshot for each statement.

What libpq can do at once (a stream, a prepared statement) blocks all threads of the process while the server is silent.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo

from workers.connectors.sql.link import encoded, without_nul
from workers.connectors.sql.listing import SILENT_SECONDS, judging, paged
from workers.connectors.sql.postgresql.connection import parameters
from workers.connectors.sql.postgresql.judging import judged, judged_connecting
from workers.connectors.sql.postgresql.session import milliseconds, pinned
from workers.errors import Phase, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.connectors.contract import Target
    from workers.connectors.sql.listing import Page


WHOLE = {"cursor_tuple_fraction": "1"}
"""All rows will be read: a plan for the first ones would be slower."""


class PostgresqlLister:
    """`listing.Lister` on PostgreSQL."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def pages(self, statement: str) -> Iterator[Page]:
        """As `Lister.pages`."""
        data = encoded("postgresql", without_nul("postgresql", statement))
        link = self._connection
        # A plan comes by no cursor of the server's.
        plain = statement.startswith("EXPLAIN ")
        opened = link.cursor() if plain else link.cursor(name="segsync")
        with judging(judged, Phase.EXECUTE), link.transaction(), opened as cursor:
            if plain:  # a table that is small today is read whole, whatever indexes it has
                cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(data)
            names = [column.name for column in cursor.description or ()]
            yield from paged(names, cursor.fetchmany)

    def close(self) -> None:
        """As `Lister.close`."""
        with suppress(psycopg.Error):
            self._connection.close()


def open_lister(target: Target) -> PostgresqlLister:
    """A new session. Raises only TargetError."""
    settings = {
        **pinned(target),
        "default_transaction_read_only": "on",
        "statement_timeout": str(milliseconds(SILENT_SECONDS)),
        **WHOLE,
    }
    words = parameters(target)
    connection = None
    try:
        connection = psycopg.connect(make_conninfo(**words), autocommit=True)
        calls = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items())
        connection.execute(f"SELECT {calls}".encode())
    except Exception as error:
        if connection is not None:
            connection.close()
        if isinstance(error, TargetError):
            raise
        raise judged_connecting(error) from None
    return PostgresqlLister(connection)
