"""ClickHouse's engine, in this process: the wheel `chdb-core`, which needs no server and no network.

It comes up with 14 threads and 260 MB that stay until the process ends, and there can be one session at a time: so it
is started when a test asks for it, and one file of tests should do.
"""

from __future__ import annotations

import json
from typing import Any


class ClickhouseEngine:
    """One session over a folder that goes with it. Every statement is a query of its own, as over HTTP."""

    def __init__(self) -> None:
        from chdb import session  # noqa: PLC0415 - 0.7 s and 260 MB, for those who ask for it alone

        make: Any = session.Session  # it has no type hints
        self._session: Any = make()

    def run(self, *statements: str) -> None:
        """Runs statements that give no rows."""
        for statement in statements:
            self._session.query(statement)

    def rows(self, statement: str) -> list[list[Any]]:
        """A statement's rows; whole numbers of 64 bits and decimals come as texts."""
        answer = self._session.query(statement, "JSONCompactStringsEachRow").bytes()
        return [json.loads(line) for line in answer.splitlines()]

    def texts(self, table: str, columns: list[str]) -> list[tuple[str | None, ...]]:
        """The bytes of a table's texts, in the order of their number `n`, read as UTF-8; null is None."""
        read = ", ".join(f"if({name} IS NULL, '-', hex({name}))" for name in columns)
        found = self.rows(f"SELECT {read} FROM {table} ORDER BY n")
        return [tuple(None if text == "-" else bytes.fromhex(text).decode() for text in row) for row in found]

    def close(self) -> None:
        """Ends the session; its folder goes with it."""
        self._session.close()
