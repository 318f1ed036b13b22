"""What PostgreSQL says of itself.

EXPLAIN without ANALYZE finds what PREPARE does not: missing rights, and ON CONFLICT without its unique key. A READ
ONLY transaction takes it, so nothing can be changed even by a function that planning calls. CALL cannot be explained.
Tried on PostgreSQL 18.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import psycopg

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
from workers.connectors.sql.postgresql.link import connect, lock_number
from workers.errors import Phase, TargetError

if TYPE_CHECKING:
    from workers.connectors.contract import Target
    from workers.connectors.inspection import Family, UniqueKey

Row = tuple[str | None, ...]

OLDEST = 120000
"""As `server_version_num` has it: 12, the oldest that segsync was tried on."""
PATIENCE = 2.0
"""Seconds for a lock that nobody can hold: its name was made up a moment ago."""
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"
EXPLAIN = "EXPLAIN (COSTS OFF) "
FAMILIES: dict[str | None, Family] = {"N": "number", "S": "text"}


SPELLINGS: dict[str, tuple[str, ...]] = {
    "citext": ("case",),
    "bpchar": ("trailing blanks",),
    "uuid": ("case, hyphens and braces",),
    "bytea": ("how bytes are written",),
    "jsonb": ("how JSON is written",),
    "macaddr": ("how an address is written",),
    "macaddr8": ("how an address is written",),
}
"""What types take for equal that have another text for the same value."""
OF_CATEGORIES: dict[str, tuple[str, ...]] = {
    "N": (NUMBER_SPELLING,),
    "D": (TIME_SPELLING,),
    "T": ("how a time is written",),
    "B": ("how true and false are written",),
    "I": ("how an address is written",),
    "R": ("how a range is written",),
    "V": ("how bits are written",),
}
"""The same by a type's category."""


class PostgresqlExamined:
    """`examining.Examined` on PostgreSQL."""

    dialect = "postgresql"

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
        """As `Examined.explain`: EXPLAIN in a transaction that may only read and is rolled back."""
        self._ask(BEGIN)
        try:
            self._link.run(EXPLAIN + statement)
        except Exception as error:  # noqa: BLE001 - drivers raise more than their own errors; judge knows them all
            return self._refused(error)
        finally:
            if not self._link.lost:
                self._ask("ROLLBACK")
        return None

    def table(self, schema: str, name: str) -> Table | None:
        """As `Examined.table`."""
        path = _identifier(name) if not schema else f"{_identifier(schema)}.{_identifier(name)}"
        oid = self._ask(f"SELECT to_regclass({_quoted(path)})::oid")[0][0]
        columns = self._columns(oid) if oid else {}
        if not oid or not columns:
            return None
        kind, triggers, following = self._ask(
            "SELECT relkind, EXISTS (SELECT FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"
            f" AND (tgrelid = {oid} OR tgrelid IN (SELECT relid FROM pg_partition_tree({oid}))))"
            f" OR EXISTS (SELECT FROM pg_rewrite WHERE ev_class = {oid} AND rulename <> '_RETURN')"
            ", (SELECT string_agg(DISTINCT conrelid::regclass::text, chr(10)) FROM pg_constraint"
            f" WHERE confrelid = {oid} AND contype = 'f' AND confdeltype IN ('c', 'n', 'd'))"
            f" FROM pg_class WHERE oid = {oid}"
        )[0]
        followers = tuple((following or "").splitlines())
        is_view = kind in ("v", "m")
        return Table(name, columns, self._unique(oid), followers=followers, is_view=is_view, triggers=triggers == "t")

    def close(self) -> None:
        """As `Examined.close`."""
        self._link.close()

    # --- The server ---------------------------------------------------------------------------------------------

    def _version(self) -> Step:
        ((text, number),) = self._ask("SELECT current_setting('server_version'), current_setting('server_version_num')")
        if int(number or 0) < OLDEST:
            return Step("version", "mistake", f"PostgreSQL {text} is too old; expected 12 or later")
        return Step("version", "fine", f"PostgreSQL {text}")

    def _lock(self) -> Step:
        try:
            self._link.begin(f"check {secrets.token_hex(8)}", PATIENCE)
            self._link.rollback()
        except Exception as error:  # noqa: BLE001 - as in `explain`
            return failed("lock", self._link.judge(error, Phase.LOCK))
        return Step("lock", "fine", "a lock can be taken (pg_advisory_xact_lock)")

    def _ending(self) -> Step:
        """Ends a second session of our own, as the next deliverer of a lane would (rule 19)."""
        other = PostgresqlExamined(self._target)
        number = lock_number(f"check {secrets.token_hex(8)}")
        try:
            other._ask(BEGIN)
            other._ask(f"SELECT pg_advisory_xact_lock({number})")
            ended = self._ask(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
                f" AND classid = {(number >> 32) & 0xFFFFFFFF} AND objid = {number & 0xFFFFFFFF} AND objsubid = 1"
                " AND pid <> pg_backend_pid()"
            )
        finally:
            other.close()
        if ended != [("t",)]:
            return Step(
                "ending", "mistake", "a session that holds a lock cannot be seen and ended; is a pooler between?"
            )
        return Step("ending", "fine", "may end a session of its own user")

    def _direct(self) -> Step:
        """A pooler answers the login with a number of its own; in transaction mode a link changes its session."""
        told, real = self._link._libpq.backend_pid, self._session()  # noqa: SLF001 - what libpq was told at login
        remedy = "expected the server's own address, or session mode with a session for each link"
        try:
            changes = self._changes(real)
        except TargetError as error:
            return Step("direct", "mistake", f"a second link gets no session of its own ({error}); {remedy}")
        if changes:
            what = (
                "a pooler in transaction mode is between (such as PgBouncer), so the settings that escaping relies on "
                f"go astray; {remedy}"
            )
            return Step("direct", "mistake", what)
        if told != real:
            return Step("direct", "warning", f"a pooler is between, in session mode as it seems; {remedy}")
        return Step("direct", "fine", "no pooler between")

    def _changes(self, real: int) -> bool:
        """Whether the session is another one while a second link is in a transaction."""
        other = PostgresqlExamined(self._target)
        try:
            other._ask(BEGIN)
            return self._session() != real
        finally:
            other.close()

    def _session(self) -> int:
        return int(self._ask("SELECT pg_backend_pid()")[0][0] or 0)

    def _writes(self) -> Step:
        ((replica, read_only),) = self._ask("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')")
        if replica == "t":
            return Step("writes", "mistake", "the server is a replica; expected the URL of the primary")
        if read_only == "on":
            what = (
                "transactions may only read here: default_transaction_read_only is on for the user, database or server"
            )
            return Step("writes", "mistake", what)
        return Step("writes", "fine", "the server takes changes")

    # --- The catalogue ------------------------------------------------------------------------------------------

    def _columns(self, oid: str) -> dict[str, Column]:
        rows = self._ask(
            # A type of the user's own may be called as another one is: it is told with its schema.
            "SELECT a.attname, CASE WHEN s.nspname = 'pg_catalog' OR t.typname = 'citext' THEN"
            " format_type(a.atttypid, a.atttypmod) ELSE quote_ident(s.nspname) || '.' || quote_ident(t.typname) END,"
            " t.typname, t.typcategory,"
            " quote_ident(n.nspname) || '.' || quote_ident(l.collname), l.collisdeterministic,"
            " a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = '' AND t.typdefault IS NULL"
            # A trigger before the insert (1: each row, 2: before, 4: insert) may fill it in.
            " AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = a.attrelid AND g.tgtype & 7 = 7),"
            " CASE WHEN a.attgenerated <> '' THEN (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d"
            " WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END"
            " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace s ON s.oid = t.typnamespace"
            " LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace n ON n.oid = l.collnamespace"
            f" WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        )
        return {str(row[0]): self._column(row) for row in rows}

    def _column(self, row: Row) -> Column:
        name, spelled, kind, category, collation, exact, required, computed = row
        merges = SPELLINGS.get(str(kind)) or OF_CATEGORIES.get(str(category), ())
        if exact == "f":
            merges, spelled = self._collation(str(collation)), f"{spelled} collate {collation}"
        family, shown = FAMILIES.get(category, "other"), (collation or "").removeprefix("pg_catalog.")
        return Column(str(name), str(spelled), family, shown, merges, required == "t", computed or "")

    def _collation(self, collation: str) -> tuple[str, ...]:
        """What a collation that is not deterministic takes for equal: asked, since names do not tell."""
        asked = ", ".join(f"'{one}' COLLATE {collation} = '{other}'" for one, other in ALIKE.values())
        answers = self._ask(f"SELECT {asked}")[0]
        return tuple(what for what, same in zip(ALIKE, answers, strict=True) if same == "t")

    def _unique(self, oid: str) -> tuple[UniqueKey, ...]:
        rows = self._ask(
            "SELECT i.relname, a.attname,"
            # What no upsert can name, and yet refuses rows: counted as a key of some rows.
            " x.indpred IS NOT NULL OR x.indrelid <> p.relid OR NOT x.indisvalid OR NOT x.indisunique,"
            " pg_get_indexdef(x.indexrelid, k.place::int, true)"
            f" FROM (SELECT {oid}::oid relid) p JOIN pg_index x ON x.indrelid = p.relid"
            # A partition's own: those of the whole table stand there once more, as children of its index.
            " OR x.indrelid IN (SELECT relid FROM pg_partition_tree(p.relid))"
            " AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = x.indexrelid)"
            " JOIN pg_class i ON i.oid = x.indexrelid"
            " CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY k (number, place)"
            " LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.number AND k.number > 0"
            " WHERE (x.indisunique OR x.indisexclusion) AND (x.indisvalid OR x.indisready) AND k.place <= x.indnkeyatts"
            " ORDER BY i.relname, k.place"
        )
        return grouped(
            (str(name), column or told or "", _part(column, partial)) for name, column, partial, told in rows
        )

    # --- The link -----------------------------------------------------------------------------------------------

    def _ask(self, statement: str) -> list[Row]:
        """A question of our own; TargetError."""
        try:
            result = self._link.run(statement)[-1]
        except Exception as error:  # noqa: BLE001 - as in `explain`
            raise self._link.judge(error, Phase.LOCK) from None
        columns = range(result.nfields)
        return [tuple(_text(result.get_value(row, column)) for column in columns) for row in range(result.ntuples)]

    def _refused(self, error: Exception) -> Refusal:
        judged = self._link.judge(error, Phase.EXECUTE)
        if self._link.lost:
            raise judged from None
        return Refusal(_short(judged, error), _position(error))


def _short(judged: TargetError, error: Exception) -> TargetError:
    """The error with the server's sentence and hint, without the picture of the statement that libpq adds."""
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        said = (error.diag.message_primary, error.diag.message_hint)
        judged.detail = "; ".join(part for part in said if part)
    return judged


def _position(error: Exception) -> int | None:
    place = error.diag.statement_position if isinstance(error, psycopg.Error) else None
    return int(place) - len(EXPLAIN) if place and int(place) > len(EXPLAIN) else None


def _part(column: str | None, partial: str | None) -> KeyPart:
    if partial == "t":
        return KeyPart.SOME_ROWS
    return KeyPart.EXPRESSION if column is None else KeyPart.WHOLE


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
