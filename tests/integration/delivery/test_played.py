"""Events to rows on SQL Server and Oracle, by the whole way but the processes; both are played over a PostgreSQL.

What `segsync init` writes goes through intake, router, lanes and deliverer, and through the connector to what plays the
server: SQL Server's protocol for the one, the driver's Python side for the other. PostgreSQL, which has MERGE, runs it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.integration.jobs import add, clear, delete, remove, upsert
from tests.presets import HOSTILE
from tests.servers.oracle_played import driver_error
from tests.targets import TargetDatabase
from tests.waiting import until
from workers.connectors.sql.vendors import VENDORS
from workers.settings import load
from workers.settings.revision import publish

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from tests.servers.oracle_played import Shared as Oracle
    from tests.servers.tds_postgresql import Shared as Mssql

TABLES = (
    (
        'CREATE TABLE member (segment_id bigint, client_id varchar(255) COLLATE "C", updated timestamp(6) NOT NULL,'
        ' client_key text COLLATE "C" GENERATED ALWAYS AS (client_id) STORED, PRIMARY KEY (segment_id, client_id))'
    ),
    "CREATE TABLE segment (segment_id bigint PRIMARY KEY, name varchar(1000), updated timestamp(6) NOT NULL)",
    "CREATE TABLE segsync_position (lane char(32) PRIMARY KEY, integration varchar(63) NOT NULL, position varchar(27))",
)


@dataclass(frozen=True)
class PlayedDatabase(TargetDatabase):
    """Looked at in the PostgreSQL behind."""

    behind: str = ""

    def connect(self) -> Any:
        return psycopg.connect(self.behind, autocommit=True)

    def create(self) -> None:
        self.run(*TABLES)

    def queries(self) -> dict[str, str]:
        """What `init` writes, for the tests' names of the tables."""
        preset = VENDORS[self.dialect].preset.queries
        names = ("add", "remove", "clear", "segment_upsert", "segment_delete")
        queries = {name: getattr(preset, name).replace("segment_member", "member") for name in names}
        # The tests' model keeps the members of a segment that was deleted.
        return queries | {"segment_delete": "DELETE FROM segment WHERE segment_id = {segment_id}"}


def database(dialect: str, played: Mssql | Oracle) -> PlayedDatabase:
    found = PlayedDatabase(dialect, played.target().url, "${PLAYED_PASSWORD}", played.url)
    found.create()
    return found


@pytest.fixture
def in_mssql(make_job: Callable[[TargetDatabase], Job], mssql: Mssql, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setenv("PLAYED_PASSWORD", mssql.password)
    return make_job(database("mssql", mssql))


@pytest.fixture
def in_oracle(make_job: Callable[[TargetDatabase], Job], oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setenv("PLAYED_PASSWORD", oracle.password)
    return make_job(database("oracle", oracle))


@pytest.fixture(params=["mssql", "oracle"])
def job(request: pytest.FixtureRequest) -> Job:
    found: Job = request.getfixturevalue(f"in_{request.param}")
    return found


def settles(job: Job) -> None:
    """Tries again until nothing is owed, and looks at the rows."""
    until(lambda: (job.drain(), job.installation.backlog() == 0)[1])
    job.ends_right()


def test_all_five_kinds_arrive(job: Job) -> None:
    job.push(upsert(7, "O'Neil"), add(7, *HOSTILE), remove(7, *HOSTILE[::2]), add(7, *HOSTILE[::4]), add(8, "B"))
    job.push(clear(8), add(8, "C"), upsert(9, "gone"), delete(9), upsert(7, "\u2019\\2019"))
    job.ends_right()
    assert not job.quarantined()


def test_a_mixed_stream_ends_as_told(job: Job) -> None:
    chance = random.Random(13)
    keys = [f"K{n}" for n in range(30)]
    for _ in range(60):
        segment, some = chance.randrange(3), chance.sample(keys, 4)
        job.push(chance.choice([add(segment, *some), add(segment, *some), remove(segment, *some), clear(segment)]))
    job.ends_right()


def test_more_profiles_than_a_statement_may_have_rows_arrive(job: Job, request: pytest.FixtureRequest) -> None:
    """Both have limits of 1,000: of rows in VALUES, and of values in IN."""
    keys = [f"K{n:05d}" for n in range(2_500)]
    job.configure(batch='{ size = 10_000, timeout = "100ms" }')
    job.push(add(7, *keys), remove(7, *keys[:1_200]))
    job.ends_right()
    played = request.getfixturevalue(job.target.dialect)
    sent = played.executed if job.target.dialect == "oracle" else played.server.batches
    assert len([statement for statement in sent if statement.startswith("MERGE INTO member")]) > 1


def test_one_bad_profile_costs_itself(job: Job) -> None:
    keys = [f"K{n:03d}" for n in range(40)]
    job.push(add(7, *keys[:20], "x" * 300, *keys[20:]))
    job.runtime.route("t", 10)
    job.let_timeouts_pass()
    job.runtime.deliver("crm", "t", 30)
    assert job.target.members() == {("7", key) for key in keys}
    (entry,) = job.quarantined()
    assert entry.code == {"mssql": "mssql 2628", "oracle": "oracle 12899"}[job.target.dialect]


def test_a_table_that_is_not_there_holds_and_sends_nobody_to_quarantine(job: Job) -> None:
    job.configure(add=job.target.queries()["add"].replace("member", "nowhere", 1))
    job.push(add(7, *(f"K{n}" for n in range(50))))
    job.let_timeouts_pass()
    assert job.drain().failed
    assert (job.set_aside(), job.installation.backlog()) == ({}, 50)


@pytest.mark.parametrize(
    ("statement", "act", "exactly_once"),
    [("^MERGE", "run and drop", "false"), ("^COMMIT", "drop", "false"), ("^COMMIT", "run and drop", "true")],
)
def test_a_lost_link_to_sql_server_costs_a_second_try_and_nothing_else(
    in_mssql: Job, mssql: Mssql, statement: str, act: str, exactly_once: str
) -> None:
    in_mssql.configure(exactly_once=exactly_once)
    mssql.server.on(statement, act)
    in_mssql.push(add(7, "A", "B"), remove(7, "A"))
    settles(in_mssql)


@pytest.mark.parametrize("statement", ["MERGE", "COMMIT"])
def test_a_lost_link_to_oracle_costs_a_second_try_and_nothing_else(
    in_oracle: Job, oracle: Oracle, statement: str
) -> None:
    oracle.failing[statement] = [driver_error("DPY-4011", "the database or network closed the connection")]
    in_oracle.push(add(7, "A", "B"), remove(7, "A"))
    settles(in_oracle)


def test_a_statement_that_never_ends_is_cancelled_and_tried_again(in_mssql: Job, mssql: Mssql) -> None:
    in_mssql.installation.configure(
        in_mssql.target.connector(statement_timeout='"1500ms"') + in_mssql.target.integration()
    )
    publish(in_mssql.installation.redis, in_mssql.installation.keys, load(in_mssql.installation.file))
    mssql.server.on("^MERGE", "hang")
    in_mssql.push(add(7, "A", "B"))
    settles(in_mssql)
    assert mssql.server.attentions == 1
