"""What MySQL and MariaDB say of themselves.

PREPARE reads a statement as far as columns, tables and rights, and runs nothing. EXPLAIN finds no more, needs the
right to SHOW VIEW for views, and may run parts of a query; a READ ONLY transaction refuses both (1792). Tried on
MariaDB 10.11 for INSERT, REPLACE, UPDATE, DELETE and WITH.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

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
from workers.connectors.sql.mysql.link import connect, lock_name
from workers.errors import Phase

if TYPE_CHECKING:
    from workers.connectors.contract import Target
    from workers.connectors.inspection import Family, UniqueKey
    from workers.connectors.sql.mysql.connection import Connection
    from workers.errors import TargetError

NUMBERS = frozenset(("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "bit", "year"))
TEXTS = frozenset(["char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"])
SPELLINGS = {
    **dict.fromkeys(NUMBERS, (NUMBER_SPELLING,)),
    **dict.fromkeys(("date", "datetime", "timestamp", "time"), (TIME_SPELLING,)),
    "uuid": ("case and hyphens",),
    "inet4": ("how an address is written",),
    "inet6": ("how an address is written",),
    "binary": ("zero bytes at the end",),
}
"""What types without a collation take for equal."""
DIGITS = {"enum": "the word of that number", "set": "the words of that number", "bit": "the codes of its characters"}
OLDEST = {"MariaDB": (10, 4), "MySQL": (5, 7)}
FILLED = ("auto_increment", "generated", "virtual", "stored", "persistent")
"""Of information_schema's `extra`: columns that get a value by themselves."""
STAMPED = (
    "data_type = 'timestamp' AND is_nullable = 'NO'"
    " AND (VERSION() LIKE '%mariadb%' OR NOT @@explicit_defaults_for_timestamp)"
)
"""Of a column: NULL is the present time in it."""
PATIENCE = 2.0
"""Seconds for a lock that nobody can hold: its name was made up a moment ago."""


class MysqlExamined:
    """`examining.Examined` on MySQL and MariaDB."""

    dialect = "mysql"

    def __init__(self, target: Target) -> None:
        self._target = target
        self._link = connect(target)
        self._merges: dict[str, tuple[str, ...]] = {}

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
        """As `Examined.explain`: PREPARE in a transaction that is rolled back."""
        prepare = f"PREPARE segsync_check FROM {_quoted(statement)}".encode()
        self._ask("START TRANSACTION")
        try:
            self._connection.run(prepare)
            self._connection.run(b"DEALLOCATE PREPARE segsync_check")
        except Exception as error:  # noqa: BLE001 - drivers raise more than their own errors; judge knows them all
            return self._refused(error)
        finally:
            if not self._link.lost:
                self._ask("ROLLBACK")
        return None

    def table(self, schema: str, name: str) -> Table | None:
        """As `Examined.table`."""
        place = f"table_schema = {_quoted(schema) if schema else 'DATABASE()'}"
        place += f" AND table_name = {_quoted(name)}"
        kinds = self._ask(f"SELECT engine, table_type FROM information_schema.tables WHERE {place}")
        columns = self._columns(place) if kinds else {}
        if not columns:
            return None
        engine = kinds[0][0] or ""
        return Table(
            name, columns, self._unique(place), engine, self._transactional(engine), self._followers(schema, name),
            is_view="VIEW" in kinds[0][1], triggers=self._triggers(schema, name),
        )  # fmt: skip

    def close(self) -> None:
        """As `Examined.close`."""
        self._link.close()

    # --- The server ---------------------------------------------------------------------------------------------

    def _version(self) -> Step:
        (text,) = self._ask("SELECT VERSION()")[0]
        name = "MariaDB" if "mariadb" in text.lower() else "MySQL"
        number = text.partition("-")[0]
        numbers = tuple(int(part) for part in re.findall(r"\d+", number)[:2])
        oldest = ".".join(map(str, OLDEST[name]))
        if numbers < OLDEST[name]:
            return Step("version", "mistake", f"{name} {number} is too old; expected {oldest} or later")
        return Step("version", "fine", f"{name} {number}")

    def _lock(self) -> Step:
        try:
            self._link.begin(f"check {secrets.token_hex(8)}", PATIENCE)
            self._link.rollback()
            self._link.release()
        except Exception as error:  # noqa: BLE001 - as in `explain`
            return failed("lock", self._link.judge(error, Phase.LOCK))
        if self._variable("wsrep_on") == "ON":
            what = (
                "this is a Galera cluster (wsrep_on): a session lock holds on one node only, so let the URL name one "
                "node, the same for all workers; a deliverer that was stopped could else write after its successor"
            )
            return Step("lock", "warning", what)
        return Step("lock", "fine", "a session lock can be taken (GET_LOCK)")

    def _ending(self) -> Step:
        """Ends a second session of our own, as the next deliverer of a lane would (rule 19)."""
        other = MysqlExamined(self._target)
        name = lock_name(f"check {secrets.token_hex(8)}")
        try:
            other._ask(f"SELECT GET_LOCK('{name}', 0)")
            (holder,) = self._ask(f"SELECT IS_USED_LOCK('{name}')")[0]
            if holder is None:
                return Step("ending", "mistake", "another session's lock cannot be seen; is a proxy between?")
            self._ask(f"KILL {int(holder)}")
            free = self._ask(f"SELECT GET_LOCK('{name}', {int(PATIENCE)}), RELEASE_LOCK('{name}')")[0][0]
        finally:
            other.close()
        if free != 1:
            return Step("ending", "mistake", "a session that was ended keeps its lock; is a proxy between?")
        return Step("ending", "fine", "may end a session of its own user")

    def _direct(self) -> Step:
        """A proxy answers the handshake with a number of its own (ProxySQL, MaxScale)."""
        (real,) = self._ask("SELECT CONNECTION_ID()")[0]
        told = self._connection.thread_id()
        if told == real:
            return Step("direct", "fine", "no proxy between")
        what = f"a proxy is between (session {told} is the server's {real}); expected each link to keep one session"
        return Step("direct", "warning", f"{what}: no multiplexing, or locks and settings go astray")

    def _writes(self) -> Step:
        read_only, binlog = (self._variable(name) for name in ("read_only", "binlog_format"))
        if read_only == "ON" and not self._unbound():
            return Step("writes", "mistake", "the server is read only; expected the URL of the primary")
        if "ON" in (self._variable("transaction_read_only"), self._variable("tx_read_only")):
            return Step("writes", "mistake", "transactions are read only (tx_read_only): set it to OFF for this user")
        if self._variable("log_bin") == "ON" and binlog == "STATEMENT":
            return Step("writes", "mistake", "binlog_format is STATEMENT, which excludes READ COMMITTED: set it to ROW")
        return Step("writes", "fine", "the server takes changes")

    def _unbound(self) -> bool:
        """Whether read_only does not bind this user: SUPER, or MariaDB's READ_ONLY ADMIN."""
        rights = [str(right) for (right,) in self._ask("SELECT privilege_type FROM information_schema.user_privileges")]
        return bool({"SUPER", "READ_ONLY ADMIN", "READ ONLY ADMIN", "CONNECTION_ADMIN"} & set(rights))

    def _variable(self, name: str) -> str:
        rows = self._ask(f"SHOW VARIABLES LIKE '{name}'")
        return str(rows[0][1]) if rows else ""

    # --- The catalogue ------------------------------------------------------------------------------------------

    def _columns(self, place: str) -> dict[str, Column]:
        rows = self._ask(
            "SELECT column_name, data_type, column_type, character_set_name, collation_name,"
            # An ENUM that nobody gives a value takes its first word, in strict mode, too.
            " is_nullable = 'NO' AND column_default IS NULL AND data_type <> 'enum',"
            f" extra, generation_expression, {STAMPED}"
            f" FROM information_schema.columns WHERE {place} ORDER BY ordinal_position"
        )
        return {str(row[0]).lower(): self._column(*row) for row in rows}

    def _column(
        self, name: str, data_type: str, column_type: str, charset: str | None, collation: str | None,
        bare: int, extra: str, expression: str | None, stamped: int,
    ) -> Column:  # fmt: skip
        merges = self._collation(charset, collation) if charset and collation else SPELLINGS.get(data_type, ())
        if data_type == "char" and "trailing blanks" not in merges:
            merges = (*merges, "trailing blanks")
        filled = any(word in extra.lower() for word in FILLED)
        return Column(
            name, column_type, _family(data_type), collation or "", merges, bool(bare) and not filled,
            expression or "", "the present time" if stamped else "", DIGITS.get(data_type, ""),
        )  # fmt: skip

    def _collation(self, charset: str, collation: str) -> tuple[str, ...]:
        """What a collation takes for equal: asked, since names do not tell (utf8mb4_bin pads with blanks)."""
        if collation not in self._merges:
            asked = ", ".join(
                f"CONVERT('{one}' USING {charset}) COLLATE {collation} = CONVERT('{other}' USING {charset})"
                for one, other in ALIKE.values()
            )
            answers = self._ask(f"SELECT {asked}")[0]
            self._merges[collation] = tuple(what for what, same in zip(ALIKE, answers, strict=True) if same)
        return self._merges[collation]

    def _unique(self, place: str) -> tuple[UniqueKey, ...]:
        rows = self._ask(
            "SELECT index_name, column_name, sub_part IS NOT NULL"
            f" FROM information_schema.statistics WHERE {place} AND non_unique = 0 ORDER BY index_name, seq_in_index"
        )
        return grouped((name, (column or "").lower(), _part(column, cut)) for name, column, cut in rows)

    def _followers(self, schema: str, name: str) -> tuple[str, ...]:
        rows = self._ask(
            "SELECT DISTINCT table_name FROM information_schema.referential_constraints"
            " WHERE delete_rule IN ('CASCADE', 'SET NULL', 'SET DEFAULT')"
            f" AND unique_constraint_schema = {_quoted(schema) if schema else 'DATABASE()'}"
            f" AND referenced_table_name = {_quoted(name)} ORDER BY 1"
        )
        return tuple(str(row[0]) for row in rows)

    def _triggers(self, schema: str, name: str) -> bool:
        """Triggers that this user may see, with the right TRIGGER alone."""
        return (
            self._ask(
                "SELECT 1 FROM information_schema.triggers"
                f" WHERE event_object_schema = {_quoted(schema) if schema else 'DATABASE()'}"
                f" AND event_object_table = {_quoted(name)} LIMIT 1"
            )
            != []
        )

    def _transactional(self, engine: str) -> bool:
        """False only where the server says so; a view has no engine of its own."""
        rows = self._ask(f"SELECT transactions FROM information_schema.engines WHERE engine = {_quoted(engine)}")
        return not rows or rows[0][0] != "NO"

    # --- The link -----------------------------------------------------------------------------------------------

    @property
    def _connection(self) -> Connection:
        return self._link._connection  # noqa: SLF001 - a deliverer's link gives one value; a catalogue has rows

    def _ask(self, statement: str) -> list[tuple[Any, ...]]:
        """A question of our own; TargetError."""
        try:
            self._connection.run(statement.encode())
        except Exception as error:  # noqa: BLE001 - as in `explain`
            raise self._link.judge(error, Phase.LOCK) from None
        result = self._connection._result  # noqa: SLF001 - as above
        return list(result.rows or ())

    def _refused(self, error: Exception) -> Refusal:
        judged = self._link.judge(error, Phase.EXECUTE)
        if self._link.lost:
            raise judged from None
        return Refusal(judged, name=_named(judged))


def _quoted(text: str) -> str:
    """A literal: the link has set and asserted the mode in which a backslash escapes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0") + "'"


def _part(column: str | None, cut: int) -> KeyPart:
    if column is None:
        return KeyPart.EXPRESSION
    return KeyPart.BEGINNING if cut else KeyPart.WHOLE


def _family(data_type: str) -> Family:
    return "number" if data_type in NUMBERS else "text" if data_type in TEXTS else "other"


_NAMES = re.compile(r"Unknown column '(?:\w+\.)*(\w+)'|Table '(?:\w+\.)?(\w+)'|to use near '(\w+)")


def _named(error: TargetError) -> str:
    found = _NAMES.search(error.detail)
    return next(filter(None, found.groups()), "") if found else ""
