"""The customer's tables in each database, the queries that keep them, and how a test reads them back."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

import psycopg
import pymysql
from sqlalchemy.engine import make_url

from tests.servers.clickhouse import ClickhouseCursor
from tests.servers.mariadb import BINARY

TABLES = {
    "mysql": (
        (
            "CREATE TABLE member (segment_id bigint NOT NULL, client_id varchar(255) CHARACTER SET utf8mb4"
            f" COLLATE {BINARY} NOT NULL, updated datetime(6), PRIMARY KEY (segment_id, client_id))"
        ),
        "CREATE TABLE segment (segment_id bigint PRIMARY KEY, name varchar(255) CHARACTER SET utf8mb4)",
    ),
    "postgresql": (
        (
            'CREATE TABLE member (segment_id bigint NOT NULL, client_id varchar(255) COLLATE "C" NOT NULL,'
            " updated timestamptz, PRIMARY KEY (segment_id, client_id))"
        ),
        "CREATE TABLE segment (segment_id bigint PRIMARY KEY, name varchar(255))",
    ),
    "clickhouse": (
        (
            "CREATE TABLE member (segment_id Int64, client_id String, updated Nullable(DateTime64(6, 'UTC')),"
            " version UInt64, gone UInt8) ENGINE = ReplacingMergeTree(version, gone) ORDER BY (segment_id, client_id)"
        ),
        (
            "CREATE TABLE segment (segment_id Int64, name Nullable(String), version UInt64, gone UInt8)"
            " ENGINE = ReplacingMergeTree(version, gone) ORDER BY segment_id"
        ),
    ),
    "sqlite": (
        (
            "CREATE TABLE member (segment_id integer NOT NULL, client_id text NOT NULL, updated text,"
            " PRIMARY KEY (segment_id, client_id))"
        ),
        "CREATE TABLE segment (segment_id integer PRIMARY KEY, name text)",
    ),
}

UPSERT = {
    "mysql": "ON DUPLICATE KEY UPDATE updated = VALUES(updated)",
    "postgresql": "ON CONFLICT (segment_id, client_id) DO UPDATE SET updated = excluded.updated",
    "sqlite": "ON CONFLICT (segment_id, client_id) DO UPDATE SET updated = excluded.updated",
}
NAMED = {
    "mysql": "ON DUPLICATE KEY UPDATE name = VALUES(name)",
    "postgresql": "ON CONFLICT (segment_id) DO UPDATE SET name = excluded.name",
    "sqlite": "ON CONFLICT (segment_id) DO UPDATE SET name = excluded.name",
}


CLICKHOUSE_INTO = "INSERT INTO member (segment_id, client_id, updated, version, gone)"
CLICKHOUSE_ROWS = (
    CLICKHOUSE_INTO + " VALUES {for $x = $batch}({segment_id}, '{$x.CustomID}', {$x._event_time}, {$x._sequence}, %s)"
    "{autocomma}{end}"
)
CLICKHOUSE_QUERIES = {
    "add": CLICKHOUSE_ROWS % 0,
    "remove": CLICKHOUSE_ROWS % 1,
    "clear": CLICKHOUSE_INTO + " SELECT segment_id, client_id, updated, {sequence}, 1 FROM member FINAL"
    " WHERE segment_id = {segment_id} AND version < {sequence}",
    "segment_upsert": "INSERT INTO segment VALUES ({segment_id}, '{segment_name}', {sequence}, 0)",
    "segment_delete": "INSERT INTO segment VALUES ({segment_id}, NULL, {sequence}, 1)",
}


@dataclass(frozen=True)
class TargetDatabase:
    """One database with the customer's tables in it."""

    dialect: str
    url: str
    password: str | None = None

    def connect(self) -> Any:
        """A bare driver's connection, in autocommit."""
        url = make_url(self.url)
        if self.dialect == "sqlite":
            return sqlite3.connect(str(url.database), isolation_level=None)
        if self.dialect == "clickhouse":
            return ClickhouseCursor(self.url)
        if self.dialect == "postgresql":
            return psycopg.connect(self.url, autocommit=True)
        return pymysql.connect(
            host=url.host or "", port=url.port or 3306, user=url.username, password=self.password or "",
            database=url.database, autocommit=True, charset="utf8mb4", ssl_disabled=True,
        )  # fmt: skip

    def run(self, *statements: str) -> list[Any]:
        """Runs statements; the last one's rows."""
        connection = self.connect()
        try:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def create(self) -> None:
        """Makes the tables."""
        self.run(*TABLES[self.dialect])

    def members(self) -> set[tuple[str, str]]:
        """(segment, key) of every row."""
        return {(str(s), c) for s, c in self.run(f"SELECT segment_id, client_id FROM member{self.final}")}

    def names(self) -> dict[str, str]:
        """The segments' names."""
        return {str(s): n for s, n in self.run(f"SELECT segment_id, name FROM segment{self.final}")}

    @property
    def final(self) -> str:
        """What a reader says of tables that replace rows some time later."""
        return " FINAL" if self.dialect == "clickhouse" else ""

    def connector(self, key: str = "crm", **more: Any) -> str:
        """Its `[connectors.*]`."""
        lines = [f"[connectors.{key}]", f'url = "{self.url}"']
        if self.password:
            lines.append(f'password = "{self.password}"')
        lines += [f"{name} = {value}" for name, value in more.items()]
        return "\n".join(lines) + "\n"

    def integration(
        self, key: str = "members", connector: str = "crm", *, leave_out: tuple[str, ...] = (), **more: str
    ) -> str:
        """Its `[integrations.*]`; `more` are further lines or queries to be replaced (`add = ...`)."""
        queries = {name: query for name, query in (self.queries() | more).items() if name not in leave_out}
        settings = {
            "name": f'"{key}"',
            "connector": f'"{connector}"',
            "key": '"CustomID"',
            "scope": '{ database = "main", segments = "all" }',
            "batch": '{ size = 1000, timeout = "100ms" }',
        }
        known = ["active", "ordering", "tolerance", "exactly_once", "max_backlog", "when_full", "max_quarantine"]
        known += ["on_enter", "on_leave", "verify", "window"]
        settings |= {setting: queries.pop(setting) for setting in known if setting in queries}
        lines = [f"[integrations.{key}]"]
        lines += [f"{name} = {queries.pop(name, value)}" for name, value in settings.items() if name not in leave_out]
        lines.append(f"[integrations.{key}.queries]")
        lines += [f"{name} = '''\n{query}\n'''" for name, query in queries.items()]
        return "\n".join(lines) + "\n"

    def single_queries(self) -> dict[str, str]:
        """`add` and `remove` for one profile at a time."""
        if self.dialect == "clickhouse":
            row = "({segment_id}, '{lead.CustomID}', {event_time}, {sequence}, %s)"
            return {name: f"{CLICKHOUSE_INTO} VALUES {row % gone}" for name, gone in (("add", 0), ("remove", 1))}
        return {
            "add": "INSERT INTO member (segment_id, client_id, updated) VALUES\n"
            "({segment_id}, '{lead.CustomID}', {event_time})\n" + UPSERT[self.dialect],
            "remove": "DELETE FROM member WHERE segment_id = {segment_id} AND client_id = '{lead.CustomID}'",
        }

    def queries(self) -> dict[str, str]:
        """The five queries in this database's words."""
        if self.dialect == "clickhouse":
            return CLICKHOUSE_QUERIES
        return {
            "add": "INSERT INTO member (segment_id, client_id, updated) VALUES\n"
            "{for $index, $lead = $batch}\n({segment_id}, '{$lead.CustomID}', {$lead._event_time}){autocomma}\n{end}\n"
            + UPSERT[self.dialect],
            "remove": 'DELETE FROM member WHERE segment_id = {segment_id} AND client_id IN ({batch_in "CustomID"})',
            "clear": "DELETE FROM member WHERE segment_id = {segment_id}",
            "segment_upsert": "INSERT INTO segment (segment_id, name) VALUES ({segment_id}, '{segment_name}')\n"
            + NAMED[self.dialect],
            "segment_delete": "DELETE FROM segment WHERE segment_id = {segment_id}",
        }
