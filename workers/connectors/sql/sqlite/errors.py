"""What follows from each error of SQLite.

By the result code's name (sqlite.org/rescode.html): the extended one, or else the primary one. SQLITE_ERROR stands for
very different things, so its texts are looked at. A reason is our sentence.
"""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING

from workers.connectors.sql.verdicts import ALREADY_THERE, UNLISTED, Verdict
from workers.errors import ErrorClass, HoldLevel

if TYPE_CHECKING:
    from collections.abc import Mapping


def _retry(reason: str) -> Verdict:
    return Verdict(ErrorClass.RETRY, reason, undone=True)


def _data(reason: str) -> Verdict:
    return Verdict(ErrorClass.ISOLATE, reason)


def _query(reason: str) -> Verdict:
    return Verdict(ErrorClass.HOLD, reason)


def _target(reason: str) -> Verdict:
    return Verdict(ErrorClass.HOLD, reason, HoldLevel.CONNECTOR)


TOO_LARGE = Verdict(ErrorClass.SPLIT, "the statement is beyond one of SQLite's limits")
SEVERAL = _query("the query is more than one statement")

VERDICTS: Mapping[str, Verdict] = {
    "SQLITE_BUSY": _retry("another process holds the database's lock"),
    "SQLITE_LOCKED": _retry("another session holds a table's lock"),
    "SQLITE_PROTOCOL": _retry("the database's lock could not be had"),
    "SQLITE_NOMEM": _retry("there is no memory left"),
    "SQLITE_INTERRUPT": Verdict(
        ErrorClass.AMBIGUOUS, "the statement took longer than the connector's statement timeout"
    ),
    "SQLITE_IOERR": Verdict(ErrorClass.AMBIGUOUS, "the file system failed"),
    "SQLITE_TOOBIG": TOO_LARGE,
    "SQLITE_CONSTRAINT": _data("a row breaks a constraint"),
    "SQLITE_CONSTRAINT_CHECK": _data("a row breaks a check constraint"),
    "SQLITE_CONSTRAINT_FOREIGNKEY": _data("a foreign key points at a row that is not there, or others at this row"),
    "SQLITE_CONSTRAINT_NOTNULL": _data("a value is missing that its column needs"),
    "SQLITE_CONSTRAINT_PRIMARYKEY": ALREADY_THERE,
    "SQLITE_CONSTRAINT_ROWID": ALREADY_THERE,
    "SQLITE_CONSTRAINT_UNIQUE": ALREADY_THERE,
    "SQLITE_CONSTRAINT_TRIGGER": _data("a trigger refused the row"),
    "SQLITE_CONSTRAINT_DATATYPE": _data("a value does not fit its column's type"),
    "SQLITE_MISMATCH": _data("a value does not fit its column's type"),
    "SQLITE_AUTH": _query("the query does what no query may do"),
    "SQLITE_READONLY": _target("the file or its folder cannot be written"),
    "SQLITE_PERM": _target("the file cannot be read or written"),
    "SQLITE_CANTOPEN": _target("the file does not exist or cannot be opened"),
    "SQLITE_FULL": _target("the disk is full"),
    "SQLITE_CORRUPT": _target("the file is damaged"),
    "SQLITE_NOTADB": _target("the file is no SQLite database"),
}

# SQLITE_ERROR, in this order. What is found while the query is read is its own fault; the rest is found in a row.
TEXTS = (
    (re.compile(r"no such table"), _query("a table does not exist")),
    (re.compile(r"has no column named|no such column"), _query("a column does not exist")),
    (re.compile(r"no such function"), _query("a function does not exist")),
    (re.compile(r"syntax error|incomplete input|unrecognized token"), _query("the query is no valid SQL")),
    (
        re.compile(r"values for \d+ columns|has \d+ columns but"),
        _query("there are more or fewer values than columns"),
    ),
    (re.compile(r"ON CONFLICT clause does not match"), _query("ON CONFLICT names columns that have no unique key")),
    (re.compile(r"too many|too large|too deep|maximum depth"), TOO_LARGE),
    (re.compile(r"malformed JSON|bad JSON path"), _data("a value is no valid JSON")),
    (re.compile(r"integer overflow"), _data("a number is out of range")),
)
OTHER = _query("the query is wrong for this database")


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
