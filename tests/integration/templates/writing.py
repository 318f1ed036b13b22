"""Servers behind our connectors, written by segsync and read by the driver alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tests.servers.rows import Database
from workers.connectors import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.connectors.contract import Target
    from workers.connectors.sql.connector import SqlConnector


class Server(NamedTuple):
    """A target with a table `t`."""

    dialect: str
    connector: SqlConnector
    database: Database

    def transact(self, *statements: str) -> list[int]:
        """Runs statements in one transaction of ours; the rows that each has changed. Raises TargetError."""
        session = self.connector.open()
        try:
            session.begin(None, 5)
            rows = [session.execute(statement) for statement in statements]
            session.commit()
        finally:
            session.close()
        return rows

    def rows(self, *columns: str) -> list[tuple[Any, ...]]:
        """The table's rows in the order of their number `n`."""
        return self.database.rows(f"SELECT {', '.join(columns)} FROM t ORDER BY n")


def serving(target: Target, create: str) -> Iterator[Server]:
    """A server with the table that `create` makes."""
    with Database(target) as database:
        database.run(create)
        connector = connect(target)
        yield Server(target.dialect, connector, database)
        connector.dispose()
