"""What SQL Server says of itself.

SET NOEXEC compiles a batch and runs nothing: wrong names, columns and types are found, missing rights are not, which
the server looks at when it runs something; so they are asked for by name (HAS_PERMS_BY_NAME). Tried on no
server; written from learn.microsoft.com.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from workers.connectors.inspection import (
    ALIKE,
    NUMBER_SPELLING,
    TIME_SPELLING,
    Column,
    KeyPart,
    Refusal,
    Step,
    Table,
    failed,
    grouped,
    taken,
)
from workers.connectors.sql.mssql.link import connect, holders, lock_name
from workers.errors import Phase, TargetError

if TYPE_CHECKING:
    from workers.connectors.contract import Target
    from workers.connectors.inspection import Family, UniqueKey

Row = tuple[str | None, ...]

OLDEST = 13
"""Of SQL Server 2016; every Azure SQL Database is younger, whatever it says."""
AZURE = ("5", "8", "12")
"""Engine editions that have no version of their own: SQL Database, Managed Instance, Fabric."""
PATIENCE = 2.0
"""Seconds for a lock that nobody can hold: its name was made up a moment ago."""

_TEXTS = frozenset({"char", "varchar", "nchar", "nvarchar", "text", "ntext", "sysname"})
_WIDE = frozenset({"nchar", "nvarchar"})
_NUMBERS = frozenset(
    ("tinyint", "smallint", "int", "bigint", "decimal", "numeric", "money", "smallmoney", "float", "real", "bit")
)
_TIMES = frozenset({"date", "time", "datetime", "datetime2", "smalldatetime", "datetimeoffset"})


class MssqlExamined:
    """`examining.Examined` on SQL Server."""

    dialect = "mssql"

    def __init__(self, target: Target) -> None:
        self._target = target
        self._link = connect(target)

    def steps(self) -> list[Step]:
        """As `Examined.steps`."""
        looks = {
            "version": self._version,
            "direct": self._direct,
            "lock": self._lock,
            "ending": self._ending,
            "writes": self._writes,
        }
        return taken(looks, lambda: self._link.lost)

    def explain(self, statement: str) -> Refusal | None:
        """As `Examined.explain`: the batch is compiled, and not run."""
        self._ask("SET NOEXEC ON")
        try:
            self._link.rows(statement)
        except Exception as error:  # noqa: BLE001 - drivers raise more than their own errors; judge knows them all
            return self._refused(error)
        finally:
            if not self._link.lost:
                self._ask("SET NOEXEC OFF")
        return None

    def table(self, schema: str, name: str) -> Table | None:
        """As `Examined.table`."""
        path = f"{_bracketed(schema)}.{_bracketed(name)}" if schema else _bracketed(name)
        found = self._ask(
            "SELECT object_id, type, CASE WHEN EXISTS (SELECT 1 FROM sys.triggers g WHERE g.parent_id = o.object_id"
            " AND g.is_disabled = 0) THEN 1 ELSE 0 END"
            f" FROM sys.objects o WHERE object_id = OBJECT_ID({_quoted(path)}) AND type IN ('U', 'V')"
        )
        columns = self._columns(found[0][0] or "") if found else {}
        if not found or not columns:
            return None
        number, kind, triggers = found[0]
        unique, lacks = self._unique(number or ""), self._lacks(path, number or "")
        is_view = (kind or "").strip() == "V"
        return Table(name, columns, unique, is_view=is_view, triggers=triggers == "1", lacks=lacks)

    def close(self) -> None:
        """As `Examined.close`."""
        self._link.close()

    # --- The server ---------------------------------------------------------------------------------------------

    def _version(self) -> Step:
        ((version, edition, engine),) = self._ask(
            "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)),"
            " CAST(SERVERPROPERTY('Edition') AS nvarchar(128)), CAST(SERVERPROPERTY('EngineEdition') AS int)"
        )
        major = int((version or "0").partition(".")[0])
        if engine not in AZURE and major < OLDEST:
            return Step("version", "mistake", f"SQL Server {version} is too old; expected 13 (2016) or later")
        return Step("version", "fine", f"SQL Server {version}, {edition}")

    def _direct(self) -> Step:
        """A proxy that shares sessions gives another one while a second link is in a transaction."""
        real = self._session()
        other = MssqlExamined(self._target)
        try:
            other._ask("BEGIN TRANSACTION")
            changes = self._session() != real
        finally:
            other.close()
        if changes:
            what = "a proxy that shares sessions is between; expected the server's own address"
            return Step("direct", "mistake", what)
        return Step("direct", "fine", "each link has a session of its own")

    def _lock(self) -> Step:
        try:
            self._link.begin(f"check {secrets.token_hex(8)}", PATIENCE)
            self._link.rollback()
        except Exception as error:  # noqa: BLE001 - as in `explain`
            return failed("lock", self._link.judge(error, Phase.LOCK))
        return Step("lock", "fine", "a lock can be taken (sp_getapplock)")

    def _ending(self) -> Step:
        """Ends a second session of our own, as the next deliverer of a lane would (rule 19)."""
        name = f"check {secrets.token_hex(8)}"
        other = connect(self._target)
        try:
            other.begin(name, PATIENCE)
            found = self._ask(holders(lock_name(name)))
            for (session,) in found:
                self._ask(f"KILL {session}")
        except TargetError as error:
            return _may_not_end(str(error))
        finally:
            other.close()
        if not found:
            return _may_not_end("the session is not shown")
        return Step("ending", "fine", "may end a session of its own user")

    def _writes(self) -> Step:
        ((state,),) = self._ask("SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS nvarchar(60))")
        if state != "READ_WRITE":
            what = f"the database takes no changes ({state}); expected the URL of the primary"
            return Step("writes", "mistake", what)
        return Step("writes", "fine", "the database takes changes")

    def _session(self) -> str | None:
        return self._ask("SELECT CAST(@@SPID AS int)")[0][0]

    # --- The catalogue ------------------------------------------------------------------------------------------

    def _columns(self, number: str) -> dict[str, Column]:
        rows = self._ask(
            "SELECT c.name, t.name, CAST(c.max_length AS int), CAST(c.precision AS int), CAST(c.scale AS int),"
            " c.collation_name, CASE WHEN c.is_nullable = 0 AND c.is_identity = 0 AND c.is_computed = 0"
            " AND c.default_object_id = 0 AND t.name <> N'timestamp'"
            # A trigger instead of the insert may fill it in.
            " AND NOT EXISTS (SELECT 1 FROM sys.triggers g WHERE g.parent_id = c.object_id"
            " AND g.is_instead_of_trigger = 1) THEN 1 ELSE 0 END, k.definition"
            " FROM sys.columns c JOIN sys.types t ON t.user_type_id = c.system_type_id AND t.system_type_id ="
            " c.system_type_id LEFT JOIN sys.computed_columns k ON k.object_id = c.object_id"
            f" AND k.column_id = c.column_id WHERE c.object_id = {int(number)} ORDER BY c.column_id"
        )
        return {str(row[0]).lower(): self._column(row) for row in rows}

    def _column(self, row: Row) -> Column:
        name, kind, length, precision, scale, collation, required, computed = row
        family: Family = "text" if kind in _TEXTS else "number" if kind in _NUMBERS else "other"
        merges: tuple[str, ...] = ()
        if family == "text":
            merges = self._collation(str(collation or ""))
        elif family == "number":
            merges = (NUMBER_SPELLING,)
        elif kind in _TIMES:
            merges = (TIME_SPELLING,)
        elif kind == "uniqueidentifier":
            merges = ("case and braces",)
        spelled = _spelled(str(kind), int(length or 0), int(precision or 0), int(scale or 0))
        return Column(str(name), spelled, family, collation or "", merges, required == "1", computed or "")

    def _collation(self, collation: str) -> tuple[str, ...]:
        """What a collation takes for equal: asked, since names do not tell."""
        if not re.fullmatch(r"\w+", collation):
            return tuple(ALIKE)
        asked = ", ".join(
            f"CASE WHEN N'{one}' COLLATE {collation} = N'{other}' COLLATE {collation} THEN 1 ELSE 0 END"
            for one, other in ALIKE.values()
        )
        answers = self._ask(f"SELECT {asked}")[0]
        return tuple(what for what, same in zip(ALIKE, answers, strict=True) if same == "1")

    def _unique(self, number: str) -> tuple[UniqueKey, ...]:
        rows = self._ask(
            "SELECT i.name, c.name, CAST(i.has_filter AS int) FROM sys.indexes i"
            " JOIN sys.index_columns x ON x.object_id = i.object_id AND x.index_id = i.index_id"
            " JOIN sys.columns c ON c.object_id = x.object_id AND c.column_id = x.column_id"
            f" WHERE i.object_id = {int(number)} AND i.is_unique = 1 AND i.is_disabled = 0"
            " AND x.is_included_column = 0 ORDER BY i.name, x.key_ordinal"
        )
        return grouped(
            (str(name), str(column).lower(), KeyPart.SOME_ROWS if partial == "1" else KeyPart.WHOLE)
            for name, column, partial in rows
        )

    def _lacks(self, path: str, number: str) -> tuple[str, ...]:
        """Rights that this user has neither on the table nor on any of its columns."""
        has = f"HAS_PERMS_BY_NAME({_quoted(path)}, N'OBJECT', r.name"
        rows = self._ask(
            "SELECT r.name FROM (VALUES (N'SELECT'), (N'INSERT'), (N'UPDATE'), (N'DELETE')) AS r (name)"
            f" WHERE {has}) = 0 AND NOT EXISTS (SELECT 1 FROM sys.columns c WHERE c.object_id = {int(number)}"
            f" AND {has}, c.name, N'COLUMN') = 1)"
        )
        return tuple(str(right) for (right,) in rows)

    # --- The link -----------------------------------------------------------------------------------------------

    def _ask(self, statement: str) -> list[Row]:
        """A question of our own; TargetError."""
        try:
            found = self._link.rows(statement)
        except Exception as error:  # noqa: BLE001 - as in `explain`
            raise self._link.judge(error, Phase.LOCK) from None
        return [tuple(None if each is None else str(each) for each in row) for row in found]

    def _refused(self, error: Exception) -> Refusal:
        judged = self._link.judge(error, Phase.EXECUTE)
        if self._link.lost:
            raise judged from None
        return Refusal(judged)


def _may_not_end(why: str) -> Step:
    what = (
        f"cannot see or end a session that holds a lock ({why}), so a worker that stalls keeps its lanes until its link"
        " ends; expected GRANT VIEW SERVER STATE, ALTER ANY CONNECTION"
    )
    return Step("ending", "warning", what)


def _spelled(kind: str, length: int, precision: int, scale: int) -> str:
    """A type as it is written in CREATE TABLE.

    >>> _spelled("nvarchar", 510, 0, 0), _spelled("varbinary", -1, 0, 0), _spelled("decimal", 9, 10, 2)
    ('nvarchar(255)', 'varbinary(max)', 'decimal(10,2)')
    """
    if kind in ("decimal", "numeric"):
        return f"{kind}({precision},{scale})"
    if kind in ("datetime2", "time", "datetimeoffset"):
        return f"{kind}({scale})"
    if kind in ("char", "varchar", "nchar", "nvarchar", "binary", "varbinary"):
        size = "max" if length < 0 else str(length // 2 if kind in _WIDE else length)
        return f"{kind}({size})"
    return kind


def _bracketed(name: str) -> str:
    return "[" + name.replace("]", "]]") + "]"


def _quoted(text: str) -> str:
    return "N'" + text.replace("'", "''") + "'"
