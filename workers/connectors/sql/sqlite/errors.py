"""What follows from each error of SQLite.

By the result code's name (sqlite.org/rescode.html): the extended one, or else the primary one. SQLITE_ERROR stands for
very different things, so its texts are looked at. A reason is our sentence.
"""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING

from workers.connectors.sql.verdicts import UNLISTED, Verdict, ambiguous, data, query, retry, split, target, undone
from workers.errors import Matter

if TYPE_CHECKING:
    from collections.abc import Mapping

TOO_LARGE = split("the statement is beyond one of SQLite's limits")
SEVERAL = query("the query is more than one statement")
REPEATED = data("a row with this unique key is already there", Matter.UNIQUE_KEY)

VERDICTS: Mapping[str, Verdict] = {
    "SQLITE_BUSY": undone("another process holds the database's lock"),
    "SQLITE_LOCKED": undone("another session holds a table's lock"),
    "SQLITE_PROTOCOL": undone("the database's lock could not be had"),
    "SQLITE_NOMEM": undone("there is no memory left"),
    "SQLITE_INTERRUPT": ambiguous("the statement took longer than the connector's statement timeout"),
    "SQLITE_IOERR": ambiguous("the file system failed"),
    "SQLITE_TOOBIG": TOO_LARGE,
    "SQLITE_CONSTRAINT": data("a row breaks a constraint"),
    "SQLITE_CONSTRAINT_CHECK": data("a row breaks a check constraint"),
    "SQLITE_CONSTRAINT_FOREIGNKEY": data("a foreign key points at a row that is not there, or others at this row"),
    "SQLITE_CONSTRAINT_NOTNULL": data("a value is missing that its column needs"),
    "SQLITE_CONSTRAINT_PRIMARYKEY": REPEATED,
    "SQLITE_CONSTRAINT_ROWID": REPEATED,
    "SQLITE_CONSTRAINT_UNIQUE": REPEATED,
    "SQLITE_CONSTRAINT_TRIGGER": data("a trigger refused the row"),
    "SQLITE_CONSTRAINT_DATATYPE": data("a value does not fit its column's type"),
    "SQLITE_MISMATCH": data("a value does not fit its column's type"),
    "SQLITE_AUTH": query("the query does what no query may do"),
    "SQLITE_READONLY": target("the file or its folder cannot be written"),
    "SQLITE_PERM": target("the file cannot be read or written"),
    "SQLITE_CANTOPEN": target("the file does not exist or cannot be opened"),
    "SQLITE_FULL": retry("the disk is full: make room on it; or an AUTOINCREMENT column has no numbers left"),
    "SQLITE_CORRUPT": target("the file is damaged"),
    "SQLITE_NOTADB": target("the file is no SQLite database"),
}

# SQLITE_ERROR, in this order. What is found while the query is read is its own fault; the rest is found in a row.
TEXTS = (
    (re.compile(r"no such table"), query("a table does not exist")),
    (re.compile(r"has no column named|no such column"), query("a column does not exist")),
    (re.compile(r"no such function"), query("a function does not exist")),
    (
        re.compile(r"syntax error|incomplete input|unrecognized token"),
        query("the statement is no valid SQL: the query is wrong, or the values leave a part of it empty"),
    ),
    (
        re.compile(r"values for \d+ columns|has \d+ columns but"),
        query("there are more or fewer values than columns"),
    ),
    (re.compile(r"ON CONFLICT clause does not match"), query("ON CONFLICT names columns that have no unique key")),
    (re.compile(r"too many|too large|too deep|maximum depth"), TOO_LARGE),
    (re.compile(r"pattern too complex|ESCAPE expression"), data("a pattern is wrong or too long")),
    (re.compile(r"malformed JSON|JSON path|JSON cannot hold"), data("a value is no valid JSON")),
    (re.compile(r"integer overflow"), data("a number is out of range")),
)
OTHER = query("the query is wrong for this database")


# Python knows the names of most codes; an extended one that it does not know is told by its primary one.
PRIMARY = {getattr(sqlite3, name): name for name in VERDICTS if hasattr(sqlite3, name)}


def named(error: sqlite3.Error) -> str | None:
    """The error's result code, as in "SQLITE_BUSY"; None for what Python's module refuses by itself."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    name: str = error.sqlite_errorname
    return name if name.startswith("SQLITE_") else PRIMARY.get(code & 0xFF, f"SQLITE_{code}")


def verdict(name: str, message: str) -> Verdict:
    """The row of a result code's name, and of the message where the code says little."""
    if name == "SQLITE_ERROR":
        return next((row for pattern, row in TEXTS if pattern.search(message)), OTHER)
    primary = "_".join(name.split("_")[:2])
    return VERDICTS.get(name) or VERDICTS.get(primary, UNLISTED)


_NAMES = (
    re.compile(r"no such table: (?P<table>[\w.]+)"),
    re.compile(r"table (?P<table>\w+) has no column named (?P<column>\w+)"),
    re.compile(r"NOT NULL constraint failed: (?P<column>[\w.]+)"),
    re.compile(r"UNIQUE constraint failed: (?P<column>[\w.]+(, [\w.]+)*)"),
)


def where(message: str) -> str:
    """The table's or column's name, as in "column 't.email'", out of messages that hold nothing else."""
    match = next((found for pattern in _NAMES if (found := pattern.fullmatch(message))), None)
    return "" if match is None else ", ".join(f"{kind} {name!r}" for kind, name in match.groupdict().items())
