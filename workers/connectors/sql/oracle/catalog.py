"""What Oracle says of itself.

A statement is parsed and not run: that finds wrong names, columns and types, and missing rights. Nothing but DML comes
here (templates/statements.py), since DDL would be run by parsing it. Tried on no server; written from docs.oracle.com.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from workers.connectors.inspection import (
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
from workers.connectors.sql.oracle.link import connect, holders
from workers.errors import Phase

if TYPE_CHECKING:
    from workers.connectors.contract import Target
    from workers.connectors.inspection import Family, UniqueKey

Row = tuple[str | None, ...]

PATIENCE = 2.0
"""Seconds for a lock that nobody can hold: its name was made up a moment ago."""
_TEXTS = frozenset({"VARCHAR2", "NVARCHAR2", "CHAR", "NCHAR", "CLOB", "NCLOB", "LONG"})
_PADDED = frozenset({"CHAR", "NCHAR"})
_NUMBERS = frozenset({"NUMBER", "FLOAT", "BINARY_FLOAT", "BINARY_DOUBLE"})
_WHOLE_UNICODE = frozenset({"AL32UTF8", "UTF8"})


class OracleExamined:
    """`examining.Examined` on Oracle."""

    dialect = "oracle"

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
        """As `Examined.explain`: the statement is parsed, and not run."""
        try:
            self._link.parse(statement)
        except Exception as error:  # noqa: BLE001 - drivers raise more than their own errors; judge knows them all
            return self._refused(error)
        return None

    def table(self, schema: str, name: str) -> Table | None:
        """As `Examined.table`; a synonym is not followed."""
        owner = f"UPPER({_quoted(schema)})" if schema else "SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')"
        found = self._ask(
            f"SELECT owner, object_name, object_type FROM all_objects WHERE owner = {owner}"
            f" AND UPPER(object_name) = UPPER({_quoted(name)}) AND object_type IN ('TABLE', 'VIEW')"
        )
        if not found:
            return None
        holder, spelled, kind = (each or "" for each in found[0])
        columns = self._columns(holder, spelled)
        if not columns:
            return None
        unique, triggers = self._unique(holder, spelled), self._triggers(holder, spelled, "status = 'ENABLED'")
        return Table(name, columns, unique, is_view=kind == "VIEW", triggers=triggers)

    def close(self) -> None:
        """As `Examined.close`."""
        self._link.close()

    # --- The server ---------------------------------------------------------------------------------------------

    def _version(self) -> Step:
        ((characters,),) = self._ask("SELECT value FROM nls_database_parameters WHERE parameter = 'NLS_CHARACTERSET'")
        what = f"Oracle {self._link.version}, character set {characters}"
        if characters not in _WHOLE_UNICODE:
            return Step("version", "warning", f"{what}: characters that it lacks are replaced without a word")
        return Step("version", "fine", what)

    def _direct(self) -> Step:
        """A pool in the server (DRCP) gives another session once a link rests, and with it other settings."""
        other = connect(self._target)
        try:
            first, second = self._link.session, other.session
        finally:
            other.close()
        if first == second:
            return Step("direct", "mistake", "two links have one session; expected the server's own address")
        return Step("direct", "fine", "each link has a session of its own")

    def _lock(self) -> Step:
        try:
            self._link.begin(f"check {secrets.token_hex(8)}", PATIENCE)
            self._link.rollback()
        except Exception as error:  # noqa: BLE001 - as in `explain`
            return failed("lock", self._link.judge(error, Phase.LOCK))
        return Step("lock", "fine", f"a lock can be taken ({self._link.locks_by})")

    def _ending(self) -> Step:
        """Ends a second session of our own, as the next deliverer of a lane would (rule 19)."""
        name = f"check {secrets.token_hex(8)}"
        other = connect(self._target)
        try:
            other.begin(name, PATIENCE)
            found = self._ask(holders(name))
            for session, serial in found:
                self._link.kill(f"{session},{serial}")
        except Exception as error:  # noqa: BLE001 - as in `explain`
            return _may_not_end(str(self._link.judge(error, Phase.LOCK)))
        finally:
            other.close()
        if not found:
            return _may_not_end("the session is not shown")
        return Step("ending", "fine", "may end a session of its own user")

    def _writes(self) -> Step:
        ((role,),) = self._ask("SELECT SYS_CONTEXT('USERENV', 'DATABASE_ROLE') FROM dual")
        if role != "PRIMARY":
            return Step("writes", "mistake", f"the database is a {role}; expected the URL of the primary")
        return Step("writes", "fine", "the database takes changes")

    # --- The catalogue ------------------------------------------------------------------------------------------

    def _columns(self, owner: str, table: str) -> dict[str, Column]:
        place = f"owner = {_quoted(owner)} AND table_name = {_quoted(table)}"
        fills = "triggering_event LIKE '%INSERT%' AND trigger_type IN ('BEFORE EACH ROW', 'INSTEAD OF')"
        filled = self._triggers(owner, table, fills)
        rows = self._ask(
            "SELECT column_name, data_type, data_length, char_length, char_used, data_precision, data_scale, nullable,"
            f" default_length, identity_column, virtual_column, data_default FROM all_tab_cols WHERE {place}"
            " AND hidden_column = 'NO' ORDER BY column_id"
        )
        return {str(row[0]).lower(): _column(row, filled=filled) for row in rows}

    def _triggers(self, owner: str, table: str, which: str) -> bool:
        place = f"table_owner = {_quoted(owner)} AND table_name = {_quoted(table)}"
        return self._ask(f"SELECT COUNT(*) FROM all_triggers WHERE {place} AND {which}")[0][0] != "0"

    def _unique(self, owner: str, table: str) -> tuple[UniqueKey, ...]:
        rows = self._ask(
            "SELECT i.index_name, c.column_name FROM all_indexes i JOIN all_ind_columns c"
            " ON c.index_owner = i.owner AND c.index_name = i.index_name"
            f" WHERE i.table_owner = {_quoted(owner)} AND i.table_name = {_quoted(table)} AND i.uniqueness = 'UNIQUE'"
            " ORDER BY i.index_name, c.column_position"
        )
        return grouped((str(index), *_part(str(column))) for index, column in rows)

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
        return Refusal(judged, self._link.place_of(error))


def _column(row: Row, *, filled: bool) -> Column:
    name, kind, _, _, _, _, _, nullable, default, identity, virtual, expression = row
    computed = (expression or "").strip() if virtual == "YES" else ""
    required = nullable == "N" and not default and identity != "YES" and virtual != "YES" and not filled
    family: Family = "text" if kind in _TEXTS else "number" if kind in _NUMBERS else "other"
    merges: tuple[str, ...] = ()
    if kind in _PADDED:
        merges = ("trailing blanks",)
    elif family == "number":
        merges = (NUMBER_SPELLING,)
    elif kind == "DATE" or str(kind).startswith("TIMESTAMP"):
        merges = (TIME_SPELLING,)
    elif kind == "RAW":
        merges = ("how bytes are written",)
    return Column(str(name).lower(), _spelled(row), family, "BINARY" * (family == "text"), merges, required, computed)


def _spelled(row: Row) -> str:
    """A type as it is written in CREATE TABLE."""
    _, kind, length, characters, unit, precision, scale, *_ = row
    lowered = str(kind).lower()
    if kind in ("VARCHAR2", "CHAR"):
        return f"{lowered}({characters} char)" if unit == "C" else f"{lowered}({length} byte)"
    if kind in ("NVARCHAR2", "NCHAR"):
        return f"{lowered}({characters})"
    if kind == "NUMBER" and precision:
        return f"number({precision})" if scale in (None, "0") else f"number({precision},{scale})"
    return f"raw({length})" if kind == "RAW" else lowered


def _part(column: str) -> tuple[str, KeyPart]:
    """A column of an index; one that the server has named itself stands for an expression."""
    if column.startswith("SYS_NC"):
        return "", KeyPart.EXPRESSION
    return column.lower(), KeyPart.WHOLE


def _may_not_end(why: str) -> Step:
    what = (
        f"cannot see or end a session that holds a lock ({why}), so a worker that stalls keeps its lanes until its link"
        " ends; expected GRANT SELECT ON V_$SESSION and ALTER SYSTEM"
    )
    return Step("ending", "warning", what)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
