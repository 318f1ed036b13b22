"""Reading many rows of SQL Server: as they come, in one snapshot, and nothing is ever committed.

At READ COMMITTED a row that moves while the list is read may be seen twice or not at all; so the database must allow
snapshots ("Snapshot isolation in SQL Server", learn.microsoft.com). There are no transactions that only read: what
this one might change is rolled back.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from workers.connectors.sql.link import encoded
from workers.connectors.sql.listing import SILENT_SECONDS, judging, no_rows, paged
from workers.connectors.sql.mssql.connection import Refused, open_connection
from workers.connectors.sql.mssql.judging import judged, judged_connecting
from workers.connectors.sql.mssql.session import set_up
from workers.errors import ErrorClass, HoldLevel, Phase, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.connectors.contract import Target
    from workers.connectors.sql.listing import Page
    from workers.connectors.sql.mssql.connection import TdsConnection

BEGIN: Final = "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRANSACTION"
END: Final = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"
NO_SNAPSHOT: Final = frozenset({3951, 3952})
"""What a database says that allows none."""


class MssqlLister:
    """`listing.Lister` on SQL Server."""

    def __init__(self, connection: TdsConnection) -> None:
        self._connection = connection

    def pages(self, statement: str) -> Iterator[Page]:
        """As `Lister.pages`."""
        encoded("mssql", statement)
        with judging(_judged, Phase.EXECUTE):
            self._connection.run(BEGIN, SILENT_SECONDS)
            columns: list[str] = []
            rows = self._connection.stream(statement, SILENT_SECONDS, columns)
            first = list(islice(rows, 1))
            if not columns:
                raise no_rows("mssql")
            yield from paged(columns, lambda many: [first.pop()] if first else list(islice(rows, many)))
            self._connection.run(END, SILENT_SECONDS)

    def close(self) -> None:
        """As `Lister.close`: without reading what is left."""
        self._connection.close()


def _judged(error: Exception, phase: Phase) -> TargetError:
    if isinstance(error, Refused) and error.number in NO_SNAPSHOT:
        reason = (
            "the database allows no snapshots, without which a list of rows that are changed meanwhile is none: "
            "expected ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON"
        )
        return TargetError(ErrorClass.HOLD, f"mssql {error.number}", reason, level=HoldLevel.CONNECTOR, phase=phase)
    return judged(error, phase)


def open_lister(target: Target) -> MssqlLister:
    """A new session. Raises only TargetError."""
    connection = None
    try:
        connection = open_connection(target)
        set_up(connection, target)
    except Exception as error:
        if connection is not None:
            connection.close()
        if isinstance(error, TargetError):
            raise
        raise judged_connecting(error) from None
    return MssqlLister(connection)
