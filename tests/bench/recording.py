"""Records into the ledger, beside plain inserts of as many rows."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.measuring import Ratio, compare, timed
from tests.integration.ledger.records import delivery, entry
from workers.ledger.database import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workers.outcomes import Record

RECORDS = 10_000
AT_ONCE = 500
ROUNDS = 3
MAKERS: dict[str, Callable[[], Record]] = {"deliveries": delivery, "quarantined profiles": entry}


def ratios() -> Iterator[Ratio]:
    """10,000 records, 500 at once, into SQLite."""
    for name, make in MAKERS.items():
        records = [make() for _ in range(RECORDS)]
        yield compare(
            f"ledger: 10,000 {name}, beside plain inserts of ten columns",
            lambda records=records: _ours(records),  # type: ignore[misc]
            _bare,
            ROUNDS,
        )


def _ours(records: list[Record]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"sqlite:///{Path(folder) / 'ledger.db'}")
        ledger.upgrade()

        def write() -> None:
            with ledger.writing() as writer:
                for start in range(0, RECORDS, AT_ONCE):
                    writer.write(records[start : start + AT_ONCE])

        return timed(write)


def _bare() -> float:
    rows = [tuple(f"{n}-{column}" for column in range(10)) for n in range(RECORDS)]
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)) as database,
    ):
        names = ", ".join(f"c{column} text" for column in range(10))
        database.execute(f"CREATE TABLE bare (id integer PRIMARY KEY, {names})")

        def write() -> None:
            for start in range(0, RECORDS, AT_ONCE):
                database.execute("BEGIN")
                places = ", ".join("?" * 10)
                database.executemany(f"INSERT INTO bare VALUES (NULL, {places})", rows[start : start + AT_ONCE])
                database.execute("COMMIT")

        return timed(write)
