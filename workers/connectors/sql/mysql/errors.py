"""From an error of MySQL or MariaDB to its row of `codes.py`, and to the names that can be told of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workers.connectors.sql.mysql.codes import COLLATIONS, FOREIGN_TEXT, VERDICTS, WRONG
from workers.connectors.sql.verdicts import REFUSED, UNLISTED
from workers.errors import ErrorClass, HoldLevel

if TYPE_CHECKING:
    from workers.connectors.sql.verdicts import Verdict

DATA_CLASSES = frozenset({"22", "23", "44"})
"""Classes of SQLSTATE in which nothing but data is at fault."""
_OWN = "00 01 02 08 0A 0K 0Z 10 20 21 22 23 24 25 28 2B 2D 2F 35 3D 40 42 44 70 HY IM OB XA"
CLASSES = frozenset(_OWN.split())
"""The servers' own classes; whatever is in none of them, such as 45, is a user's own."""
STATEMENT = "42"
"""The class in which the statement is at fault: its syntax, its names, its rights."""
SERVERS_OWN = range(1000, 5000)
"""Codes beyond are a SIGNAL's, mostly."""
CLIENTS_OWN = range(2000, 3000)
"""Codes that no server sends, says the reference of the client's; so one with an SQLSTATE is a SIGNAL."""
_OF_LOGINS = {1044: "42000", 1045: "28000", 1046: "3D000", 1049: "42000", 1698: "28000"}
"""The SQLSTATE of codes that would hold the whole connector: with another one they are a SIGNAL."""
_SIDE = re.compile(r"\((\w+),(\w+)\)")


def verdict(code: int, sqlstate: str = "", message: str = "") -> Verdict:
    """The row of an error code; UNLISTED for a code that the table has not, unless its SQLSTATE blames the statement.

    sqlstate  as the server sent it; "" where it did not. A trigger's SIGNAL names code and SQLSTATE as it likes, so a
              class that only users have, or one of the data's beside a code that blames the server, is a SIGNAL
    message   the server's sentence: of a mix of collations it says which side is a literal
    """
    row = VERDICTS.get(code)
    if sqlstate and sqlstate[:2] not in CLASSES:
        return REFUSED
    if sqlstate and code in CLIENTS_OWN:
        return REFUSED
    if sqlstate[:2] in DATA_CLASSES and (row is None or _blames_the_server(row)):
        return REFUSED
    if sqlstate and _OF_LOGINS.get(code, sqlstate) != sqlstate:
        return REFUSED
    if row is COLLATIONS and _literal_is_foreign(message):
        return FOREIGN_TEXT
    return row or (WRONG if sqlstate[:2] == STATEMENT and code in SERVERS_OWN else UNLISTED)


def _blames_the_server(row: Verdict) -> bool:
    passing = row.error_class in {ErrorClass.RETRY, ErrorClass.AMBIGUOUS}
    return passing or (row.error_class is ErrorClass.HOLD and row.level is HoldLevel.CONNECTOR)


def _literal_is_foreign(message: str) -> bool:
    """Whether a literal (COERCIBLE) meets a column of another character set: one in ASCII would have been converted."""
    sides = {(kind == "COERCIBLE", collation.partition("_")[0]) for collation, kind in _SIDE.findall(message)}
    literals, others = ({charset for literal, charset in sides if literal is wanted} for wanted in (True, False))
    return literals == {"utf8mb4"} and bool(others) and literals.isdisjoint(others)


# Only messages that hold names and nothing else; they must match from beginning to end, since a value
# could say anything. Names are those of the query's own text, where no profile data can stand.
_NAMES = {
    1048: re.compile(r"Column '(?P<column>\w+)' cannot be null"),
    1054: re.compile(r"Unknown column '(?P<column>[\w.]+)' in '[\w ]+'"),
    1142: re.compile(r"\w+ command denied to user \S+ for table [`']?(?P<table>[\w.`]+?)[`']?"),
    1146: re.compile(r"Table '(?P<table>[\w.]+)' doesn't exist"),
    1264: re.compile(r"Out of range value for column '(?P<column>\w+)' at row \d+"),
    1364: re.compile(r"Field '(?P<column>\w+)' doesn't have a default value"),
    1406: re.compile(r"Data too long for column '(?P<column>\w+)' at row \d+"),
}


def where(code: int, message: str) -> str:
    """The table's or column's name, as in "column 'email'"; empty where none can be told safely."""
    pattern = _NAMES.get(code)
    match = pattern.fullmatch(message) if pattern else None
    if match is None:
        return ""
    return ", ".join(f"{kind} {name.replace('`', '')!r}" for kind, name in match.groupdict().items())
