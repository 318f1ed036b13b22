"""Reading many rows of Oracle: in a transaction that only reads, and sees one moment however long it takes.

Where the undo of that moment is gone before the end (ORA-01555) there is no end, and no list: pages by `{after}` are a
moment each.
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import oracledb

from workers.connectors.sql.link import encoded, without_nul
from workers.connectors.sql.listing import SILENT_SECONDS, judging, no_rows, paged
from workers.connectors.sql.oracle.connection import open_connection
from workers.connectors.sql.oracle.judging import judged, judged_connecting
from workers.connectors.sql.oracle.session import set_up
from workers.errors import Phase, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.connectors.contract import Target
    from workers.connectors.sql.listing import Page

_TEXTS = {oracledb.DB_TYPE_CLOB: oracledb.DB_TYPE_LONG, oracledb.DB_TYPE_NCLOB: oracledb.DB_TYPE_LONG_NVARCHAR}


class OracleLister:
    """`listing.Lister` on Oracle."""

    def __init__(self, connection: oracledb.Connection) -> None:
        self._connection = connection

    def pages(self, statement: str) -> Iterator[Page]:
        """As `Lister.pages`."""
        encoded("oracle", statement)
        with judging(judged, Phase.EXECUTE):
            cursor: Any = self._connection.cursor()
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute(without_nul("oracle", statement))
            if not cursor.description:
                raise no_rows("oracle")
            columns = [column[0] for column in cursor.description]
            yield from paged(columns, lambda many: [tuple(map(_plain, row)) for row in cursor.fetchmany(many)])
            self._connection.rollback()

    def close(self) -> None:
        """As `Lister.close`."""
        with suppress(Exception):  # it is gone in any case
            self._connection.close()


def _plain(value: object) -> object:
    """A NUMBER without a fraction as the whole number that it is."""
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def _kept_whole(cursor: Any, metadata: Any) -> Any:  # noqa: ANN401 - the driver's own
    """How columns are read: numbers with all their digits, and long texts as texts."""
    if metadata.type_code is oracledb.DB_TYPE_NUMBER:
        return cursor.var(Decimal, arraysize=cursor.arraysize)
    if metadata.type_code in _TEXTS:
        return cursor.var(_TEXTS[metadata.type_code], arraysize=cursor.arraysize)
    return None


def open_lister(target: Target) -> OracleLister:
    """A new session. Raises only TargetError."""
    connection = None
    try:
        connection = open_connection(target)
        connection.call_timeout = round(SILENT_SECONDS * 1000)
        connection.outputtypehandler = _kept_whole
        set_up(connection.cursor(), target)
    except Exception as error:
        if connection is not None:
            connection.close()
        if isinstance(error, TargetError):
            raise
        raise judged_connecting(error) from None
    return OracleLister(connection)
