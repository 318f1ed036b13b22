"""Reading many rows of a SQLite file: opened read-only, so that nothing of it is changed, nor its journal's mode."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from workers.connectors.sql.link import without_nul
from workers.connectors.sql.listing import SILENT_SECONDS, judging, no_rows, paged
from workers.connectors.sql.sqlite.link import judged, path_of
from workers.errors import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.connectors.contract import Target
    from workers.connectors.sql.listing import Page

STEPS: Final = 1_000_000
"""Of SQLite's machine between two looks at the clock: some hundredths of a second."""


class SqliteLister:
    """`listing.Lister` on a SQLite file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._until = 0.0
        connection.set_progress_handler(lambda: time.monotonic() > self._until, STEPS)

    def pages(self, statement: str) -> Iterator[Page]:
        """As `Lister.pages`."""
        with judging(judged, Phase.EXECUTE):
            self._wait()
            cursor = self._connection.execute(without_nul("sqlite", statement))
            if cursor.description is None:
                raise no_rows("sqlite")
            yield from paged([column[0] for column in cursor.description], lambda size: self._more(cursor, size))

    def _more(self, cursor: sqlite3.Cursor, size: int) -> list[tuple[Any, ...]]:
        self._wait()
        return cursor.fetchmany(size)

    def _wait(self) -> None:
        self._until = time.monotonic() + SILENT_SECONDS

    def close(self) -> None:
        """As `Lister.close`."""
        with suppress(sqlite3.Error):
            self._connection.close()


def open_lister(target: Target) -> SqliteLister:
    """A new session. Raises only TargetError."""
    path = path_of(target)
    with judging(judged, Phase.CONNECT):
        place = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(place, uri=True, timeout=target.statement_timeout, isolation_level=None)
        connection.execute("PRAGMA query_only = 1")
        return SqliteLister(connection)
