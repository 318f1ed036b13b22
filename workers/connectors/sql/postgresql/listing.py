"""Reading many rows of PostgreSQL: read only, streamed, one snapshot for each statement."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from workers.connectors.sql.link import encoded, without_nul
from workers.connectors.sql.listing import PAGE, judging, no_rows, paged
from workers.connectors.sql.postgresql.connection import parameters
from workers.connectors.sql.postgresql.judging import judged, judged_connecting
from workers.connectors.sql.postgresql.session import pinned
from workers.errors import Phase, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.connectors.contract import Target
    from workers.connectors.sql.listing import Page


class PostgresqlLister:
    """`listing.Lister` on PostgreSQL."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def pages(self, statement: str) -> Iterator[Page]:
        """As `Lister.pages`."""
        data = encoded("postgresql", without_nul("postgresql", statement))
        with judging(judged, Phase.EXECUTE), self._connection.cursor() as cursor:
            names = self._columns(data)
            if not names:
                raise no_rows("postgresql")
            stream = cursor.stream(data, size=PAGE)
            yield from paged(names, lambda: list(islice(stream, PAGE)))

    def _columns(self, statement: bytes) -> list[str]:
        """Its columns' names, which a stream without rows does not tell."""
        libpq = self._connection.pgconn
        for result in (libpq.prepare(b"", statement), libpq.describe_prepared(b"")):
            if result.status == pq.ExecStatus.FATAL_ERROR:
                raise psycopg.errors.error_from_result(result)
        return [(result.fname(column) or b"").decode() for column in range(result.nfields)]

    def close(self) -> None:
        """As `Lister.close`."""
        with suppress(psycopg.Error):
            self._connection.close()


def open_lister(target: Target) -> PostgresqlLister:
    """A new session. Raises only TargetError."""
    settings = {**pinned(target), "default_transaction_read_only": "on", "statement_timeout": "0"}
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
