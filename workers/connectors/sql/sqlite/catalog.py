"""What SQLite says of a file.

EXPLAIN compiles a statement (tables, columns, ON CONFLICT's unique key) and runs nothing. The file is opened without a
deliverer's settings: journal_mode = WAL would be written into it.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workers.connectors.inspection import (
    NUMBER_SPELLING,
    Column,
    KeyPart,
    Refusal,
    Step,
    Table,
    UniqueKey,
    grouped,
    taken,
)
from workers.connectors.sql.sqlite import errors as sqlite_errors
from workers.connectors.sql.sqlite.options import OPTIONS
from workers.connectors.sql.url import address
from workers.connectors.sql.verdicts import UNLISTED, judge
from workers.errors import Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.connectors.contract import Target
    from workers.connectors.inspection import Family
    from workers.errors import TargetError

GENERATED = (2, 3)
"""Of table_xinfo's `hidden`: columns that are computed, virtual and stored."""
FOLLOWING = ("CASCADE", "SET NULL", "SET DEFAULT")
"""What a foreign key may say of its row when the one it points at goes."""
OLDEST = (3, 24, 0)
"""The first with ON CONFLICT … DO UPDATE."""


class SqliteExamined:
    """`examining.Examined` on a SQLite file."""

    dialect = "sqlite"

    def __init__(self, target: Target) -> None:
        path = Path(address(target, OPTIONS).database or "")
        place = f"{path.absolute().as_uri()}?mode=rw"
        try:
            self._connection = sqlite3.connect(place, uri=True, timeout=target.connect_timeout, isolation_level=None)
        except sqlite3.Error as error:
            raise _judged(error, Phase.CONNECT) from None
        try:
            self._connection.execute("SELECT 1 FROM sqlite_master").fetchall()
        except sqlite3.Error as error:
            self._connection.close()
            raise _judged(error, Phase.CONNECT) from None

    def steps(self) -> list[Step]:
        """As `Examined.steps`; there is one writer at a time, and nobody between."""
        return taken({"version": _version, "writes": self._writes}, lambda: False)

    def explain(self, statement: str) -> Refusal | None:
        """As `Examined.explain`."""
        try:
            self._connection.execute(f"EXPLAIN {statement}").fetchall()
        except sqlite3.Error as error:
            judged = _judged(error, Phase.EXECUTE)
            return Refusal(judged, name=_named(judged))
        return None

    def table(self, schema: str, name: str) -> Table | None:
        """As `Examined.table`."""
        place = f"{_identifier(schema)}." if schema else ""
        rows = self._ask(f"PRAGMA {place}table_xinfo({_identifier(name)})")
        if not rows:
            return None
        keys = [str(row[1]).lower() for row in sorted(rows, key=lambda row: row[5]) if row[5]]
        columns = {str(row[1]).lower(): self._column(f"{place}{_identifier(name)}", row, keys) for row in rows}
        unique = list(self._unique(place, name, columns))
        if keys and all(set(keys) != set(one.columns) for one in unique):
            unique.append(UniqueKey("PRIMARY KEY", tuple(keys)))  # INTEGER PRIMARY KEY has no index of its own
        rows = self._ask(f"SELECT type FROM {place}sqlite_master WHERE lower(tbl_name) = lower({_literal(name)})")
        kinds = {str(kind) for (kind,) in rows}
        return Table(
            name, columns, tuple(unique), followers=self._followers(name), is_view="view" in kinds,
            triggers="trigger" in kinds,
        )  # fmt: skip

    def close(self) -> None:
        """As `Examined.close`."""
        self._connection.close()

    def _writes(self) -> Step:
        """Takes the file's one lock for changes, and gives it back."""
        self._ask("BEGIN IMMEDIATE")
        self._ask("ROLLBACK")
        return Step("writes", "fine", "the file can be locked for changes")

    def _column(self, table: str, row: tuple[Any, ...], keys: list[str]) -> Column:
        _, name, declared, needed, default, _, hidden = row
        rowid = [str(name).lower()] == keys and str(declared).upper() == "INTEGER"
        family = _affinity(str(declared))
        merges = self._merges(table, str(name)) if not hidden else ()
        required = bool(needed) and default is None and not rowid and not hidden
        collation = "NOCASE" if "case" in merges else "RTRIM" if merges else ""
        if family == "number":
            merges = (*merges, NUMBER_SPELLING)
        # One whose expression cannot be found is computed all the same, by nobody knows what.
        computed = (_expression(self._definition(table), str(name)) or str(name)) if hidden in GENERATED else ""
        return Column(str(name), str(declared), family, collation, merges, required, computed)

    def _definition(self, table: str) -> str:
        """The CREATE TABLE, as it was written."""
        place, _, name = table.rpartition(".")
        schema = f"{place}.sqlite_master" if place else "sqlite_master"
        literal = "'" + name[1:-1].replace('""', '"').replace("'", "''") + "'"
        rows = self._ask(f"SELECT sql FROM {schema} WHERE lower(name) = lower({literal})")
        return str(rows[0][0] or "") if rows else ""

    def _merges(self, table: str, name: str) -> tuple[str, ...]:
        """What the column's collation takes for equal: the first SELECT of a UNION lends it to the second's value."""
        column = _identifier(name)
        answers = self._ask(
            f"SELECT {column} = 'A', {column} = 'a ' FROM (SELECT {column} FROM {table} WHERE 0 UNION ALL SELECT 'a')"
        )
        return tuple(what for what, same in zip(("case", "trailing blanks"), answers[0], strict=True) if same)

    def _unique(self, place: str, name: str, columns: Mapping[str, Column]) -> list[UniqueKey]:
        found: list[UniqueKey] = []
        for row in self._ask(f"PRAGMA {place}index_list({_identifier(name)})"):
            if row[2]:
                parts = self._ask(f"PRAGMA {place}index_xinfo({_identifier(row[1])})")
                found += grouped(
                    (str(row[1]), (part[2] or "").lower(), _part(part[2], row[4], part[4], columns))
                    for part in parts
                    if part[5]
                )
        return found

    def _followers(self, name: str) -> tuple[str, ...]:
        tables = [str(row[0]) for row in self._ask("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
        return tuple(table for table in tables if self._follows(table, name))

    def _follows(self, table: str, name: str) -> bool:
        keys = self._ask(f"PRAGMA foreign_key_list({_identifier(table)})")
        return any(str(key[2]).lower() == name.lower() and str(key[6]).upper() in FOLLOWING for key in keys)

    def _ask(self, statement: str) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(statement).fetchall()
        except sqlite3.Error as error:
            raise _judged(error, Phase.LOCK) from None


def _part(column: str | None, partial: int, collation: str, columns: Mapping[str, Column]) -> KeyPart:
    if partial:
        return KeyPart.SOME_ROWS
    if column is None:
        return KeyPart.EXPRESSION
    own = columns[column.lower()].collation if column.lower() in columns else ""
    return KeyPart.WHOLE if collation.upper() in ("BINARY", own) else KeyPart.COLLATED


_TOKEN = re.compile(
    r"""--[^\n]*|/\*.*?(?:\*/|\Z)|\s+|(?P<word>\w+|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])|(?P<sign>.)""",
    re.DOTALL,
)


def _expression(definition: str, column: str) -> str:
    """What stands in brackets after a generated column's AS; "" where it cannot be found."""
    depth, start, before, named = 0, 0, "(", ""
    for found in _TOKEN.finditer(definition):
        sign, word = found["sign"], found["word"]
        if depth == 1 and word and before in ("(", ","):
            named = word.strip("'\"`[]").lower()
        if sign == "(" and depth == 1 and before == "as" and named == column.lower():
            start = found.end()
        depth += (sign == "(") - (sign == ")")
        if start and depth == 1:
            return definition[start : found.start()]
        before = sign or (word.lower() if word else before)
    return ""


def _version() -> Step:
    text = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < OLDEST:
        return Step("version", "mistake", f"SQLite {text} of this Python is too old; expected 3.24 or later")
    return Step("version", "fine", f"SQLite {text}")


def _judged(error: sqlite3.Error, phase: Phase) -> TargetError:
    name = sqlite_errors.named(error)
    verdict = sqlite_errors.verdict(name, str(error)) if name else UNLISTED
    place = sqlite_errors.where(str(error))
    return judge(verdict, phase, f"sqlite {name or 'error'}", where=place, detail=str(error))


_NAMES = re.compile(r'no such column: (?:\w+\.)*(\w+)|has no column named (\w+)|no such table: (\w+)|near "(\w+)"')


def _named(error: TargetError) -> str:
    found = _NAMES.search(error.detail)
    return next(filter(None, found.groups()), "") if found else ""


def _affinity(declared: str) -> Family:
    """By the rules of sqlite.org/datatype3.html, 3.1."""
    name = declared.upper()
    if "INT" in name:
        return "number"
    if any(part in name for part in ("CHAR", "CLOB", "TEXT")):
        return "text"
    return "other" if "BLOB" in name or not name else "number"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
