"""Reading many rows of MySQL and MariaDB: read only, unbuffered, one statement at a time.

The server gives up on a reader that pauses for net_write_timeout, 60 s by default: rows are to be read without pause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymysql.cursors import SSCursor

from workers.connectors.sql.listing import SILENT_SECONDS, judging, no_rows, paged
from workers.connectors.sql.mysql.connection import open_connection
from workers.connectors.sql.mysql.judging import judged
from workers.connectors.sql.mysql.session import set_up
from workers.errors import Phase, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.connectors.contract import Target
    from workers.connectors.sql.listing import Page
    from workers.connectors.sql.mysql.connection import Connection


class MysqlLister:
    """`listing.Lister` on MySQL and MariaDB."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def pages(self, statement: str) -> Iterator[Page]:
        """As `Lister.pages`."""
        with judging(judged, Phase.EXECUTE):
            cursor = self._connection.cursor(SSCursor)
            try:
                cursor.execute(statement)
                if cursor.description is None:
                    raise no_rows("mysql")
                yield from paged([column[0] for column in cursor.description], cursor.fetchmany)
            finally:
                self._connection.forget_result()

    def close(self) -> None:
        """As `Lister.close`: without reading what is left."""
        self._connection.hang_up()


def open_lister(target: Target) -> MysqlLister:
    """A new session. Raises only TargetError."""
    connection = None
    try:
        connection = open_connection(target)
        mariadb = "mariadb" in connection.get_server_info().lower()
        set_up(connection, target, mariadb=mariadb)
        connection.run(b"SET SESSION TRANSACTION READ ONLY")
        if mariadb:  # a listing may take longer than a delivery's statement
            connection.run(b"SET SESSION max_statement_time = 0")
        connection.notice_death()
        connection.limit(SILENT_SECONDS)
    except Exception as error:
        if connection is not None:
            connection.hang_up()
        if isinstance(error, TargetError):
            raise
        raise judged(error, Phase.CONNECT) from None
    return MysqlLister(connection)
