"""A batch of 10,000 wide profiles arrives, and leaves again, however low the database's limits are."""

from __future__ import annotations

import functools
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.clickhouse import PASSWORD
from tests.targets import TargetDatabase
from tests.waiting import until
from workers.connectors.sql.clickhouse import session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.jobs import Job
    from tests.servers.mariadb import MariadbServer

# Each takes a minute: a batch is halved until it fits.
pytestmark = [pytest.mark.proof, pytest.mark.fetched]

COUNT = 10_000
KEYS = [f"K{n:05d}-{'é' * 60}" for n in range(COUNT)]
NOTE = "wide 'n' \\ " * 20
"""With its key and what escaping adds, a row of 450 bytes: 4.5 MB for all of them."""
SMALL = 64 * 1024
"""Bytes that a statement may have here."""


@pytest.fixture
def small_packets(mariadb_server: MariadbServer) -> Iterator[None]:
    connection = mariadb_server.admin()
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.max_allowed_packet")
        (before,) = cursor.fetchone()
    connection.close()
    mariadb_server.run(f"SET GLOBAL max_allowed_packet = {SMALL}")
    yield
    mariadb_server.run(f"SET GLOBAL max_allowed_packet = {before}")


@pytest.fixture
def small_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a SQLite that was built with small limits."""
    opens = sqlite3.connect

    @functools.wraps(opens)
    def opened(*arguments: Any, **words: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = opens(*arguments, **words)
        connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, SMALL)
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 0)
        connection.setlimit(sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 20)
        connection.setlimit(sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 3)
        return connection

    monkeypatch.setattr(sqlite3, "connect", opened)


@pytest.fixture
def small_clickhouse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its keys alone are longer in an IN; what follows VALUES does not count there."""
    monkeypatch.setattr(session, "LARGEST_QUERY_BYTES", SMALL)


@pytest.fixture
def in_clickhouse(clickhouse_url: str, monkeypatch: pytest.MonkeyPatch) -> TargetDatabase:
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", PASSWORD)
    target = TargetDatabase("clickhouse", clickhouse_url, "${CLICKHOUSE_PASSWORD}")
    target.create()
    return target


def arrives_and_leaves(job: Job, **queries: str) -> None:
    """What a batch of them does, in two events: no event is larger than 8 MiB."""
    note = {"mysql": "longtext", "clickhouse": "String"}.get(job.target.dialect, "text")
    job.target.run(f"ALTER TABLE member ADD COLUMN note {note}")
    add = job.target.queries()["add"].replace("client_id, updated", "client_id, note, updated", 1)
    for name in ("$x", "$lead"):
        add = add.replace(f"'{{{name}.CustomID}}', ", f"'{{{name}.CustomID}}', '{{{name}.note}}', ")
    job.configure(batch=f'{{ size = {COUNT}, timeout = "100ms" }}', add=add, **queries)
    profiles = [{"_id": f"p{n}", "CustomID": key, "note": NOTE} for n, key in enumerate(KEYS)]
    for kind, left in (("add", COUNT), ("remove", 0)):
        for part in (profiles[: COUNT // 2], profiles[COUNT // 2 :]):
            job.push({"type": kind, "segment": {"id": 7}, "profiles": part})
        until(lambda: (job.drain(), job.installation.backlog() == 0)[1], seconds=300)
        job.ends_right()
        rows = f"FROM member{job.target.final}"
        assert job.target.run(f"SELECT COUNT(*) {rows} WHERE note = {literal(job)}") == [(left,)]


def literal(job: Job) -> str:
    escaped = NOTE.replace("'", "''")
    return (
        f"'{escaped}'" if job.target.dialect in ("sqlite", "postgresql") else "'" + escaped.replace("\\", "\\\\") + "'"
    )


@pytest.mark.usefixtures("small_packets")
def test_mariadb_with_packets_of_64_kib(
    make_job: Callable[[TargetDatabase], Job], make_target: Callable[[str], TargetDatabase]
) -> None:
    arrives_and_leaves(make_job(make_target("mysql")))


def test_sqlite_with_statements_of_64_kib(
    make_job: Callable[[TargetDatabase], Job],
    make_target: Callable[[str], TargetDatabase],
    request: pytest.FixtureRequest,
) -> None:
    job = make_job(make_target("sqlite"))
    request.getfixturevalue("small_sqlite")
    arrives_and_leaves(job)


def test_postgresql_which_has_no_such_limit(
    make_job: Callable[[TargetDatabase], Job], make_target: Callable[[str], TargetDatabase]
) -> None:
    arrives_and_leaves(make_job(make_target("postgresql")))


@pytest.mark.usefixtures("small_clickhouse")
def test_clickhouse_with_queries_of_64_kib(
    make_job: Callable[[TargetDatabase], Job], in_clickhouse: TargetDatabase
) -> None:
    remove = 'DELETE FROM member WHERE segment_id = {segment_id} AND client_id IN ({batch_in "CustomID"})'
    arrives_and_leaves(make_job(in_clickhouse), remove=remove)
