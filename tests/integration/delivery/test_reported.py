"""What other people's bug reports told of tools of this kind ends right, from the events to the rows."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from tests.integration.delivery.reported import (
    MERGED,
    MYSQL,
    NOBODYS_FAULT,
    ONE_FAULT,
    OTHERWISE,
    POSTGRESQL,
    SLOW,
    Reported,
)
from tests.targets import TargetDatabase
from workers.control.drain import drain
from workers.control.retry import retry
from workers.preflight.targets import examine_all
from workers.settings import load, revision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.jobs import Job
    from tests.servers.mariadb import MariadbServer
    from tests.servers.postgresql import PostgresqlServer

ALL = {**ONE_FAULT, **SLOW, **NOBODYS_FAULT, **MERGED, **OTHERWISE}
TRIES = 14
"""More than any of them needs: halving, and five tries of one that stands alone."""
AT = "2026-06-01T12:00:00Z"


@pytest.fixture(scope="module")
def on_postgresql(postgresql_server: PostgresqlServer) -> Iterator[TargetDatabase]:
    """One database for all of them."""
    name = f"test_{secrets.token_hex(5)}"
    postgresql_server.create_database(name)
    yield TargetDatabase(POSTGRESQL, postgresql_server.url(name))
    postgresql_server.drop_database(name)


@pytest.fixture(scope="module")
def on_mysql(mariadb_server: MariadbServer) -> Iterator[TargetDatabase]:
    """The same on MariaDB."""
    name = f"test_{secrets.token_hex(5)}"
    mariadb_server.create_database(name)
    yield TargetDatabase(MYSQL, mariadb_server.url(name), mariadb_server.password)
    mariadb_server.drop_database(name)


@pytest.fixture
def target(request: pytest.FixtureRequest, case: Reported) -> Iterator[TargetDatabase]:
    """The case's tables alone, on a server that is set as it says."""
    found: TargetDatabase = request.getfixturevalue(f"on_{case.dialect}")
    clear_out(found)
    found.run(*case.tables)
    server: MariadbServer | None = request.getfixturevalue("mariadb_server") if case.server else None
    if server is not None:
        server.run(*(f"SET GLOBAL {name} = {value}" for name, value in case.server.items()))
    yield found
    if server is not None:
        server.run(*(f"SET GLOBAL {name} = DEFAULT" for name in case.server))


def clear_out(target: TargetDatabase) -> None:
    if target.dialect == POSTGRESQL:
        target.run("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    else:
        target.run("DROP VIEW IF EXISTS member", "DROP TABLE IF EXISTS member, base")


def configured(job: Job, case: Reported) -> None:
    """Applies the case's integration."""
    unsaid = [name for name, value in case.settings.items() if not value]
    said = {name: value for name, value in case.settings.items() if value}
    events = ("clear", "segment_upsert", "segment_delete")
    integration = job.target.integration(leave_out=(*events, *unsaid), **case.queries(), **said)
    job.installation.configure(job.target.connector(**case.target) + integration)
    revision.publish(job.installation.redis, job.installation.keys, load(job.installation.file))


def tried(job: Job, *, times: int) -> None:
    """So many tries at the most, none of which waits for its time."""
    for _ in range(times):
        job.let_timeouts_pass()
        drain(job.runtime, 300)
        if not job.installation.backlog():
            return
        retry(job.installation.redis, job.installation.keys, "members")


@pytest.mark.parametrize(
    "case",
    [pytest.param(each, id=name, marks=[pytest.mark.long] if each.again else []) for name, each in ALL.items()],
)
def test_it_ends_right(case: Reported, target: TargetDatabase, make_job: Callable[[TargetDatabase], Job]) -> None:
    job = make_job(target)
    configured(job, case)
    job.installation.producer.push(
        [{"type": what, "segment": {"id": 7}, "at": AT, "profiles": profiles} for what, profiles in case.came]
    )
    tried(job, times=1 if case.held else TRIES)

    hold = job.installation.redis.hget(job.installation.keys.integration("members"), "hold")
    assert job.set_aside() == {f"p{key}": code for key, code in case.aside.items()}
    assert target.run(case.look) == case.rows
    assert ((hold or b"").decode().startswith(case.held), bool(hold)) == (True, bool(case.held)), hold
    assert bool(job.installation.backlog()) == bool(case.held)


WARNED = {name: each for name, each in ALL.items() if each.warned}


@pytest.mark.parametrize("case", WARNED.values(), ids=WARNED)
def test_it_is_warned_of(case: Reported, target: TargetDatabase, make_job: Callable[[TargetDatabase], Job]) -> None:
    """Where the rows are what the query says, `check` alone can tell that nobody means it."""
    job = make_job(target)
    configured(job, case)
    (found,) = examine_all(load(job.installation.file))
    told = [each.what for each in found.findings]
    assert any(case.warned in what for what in told), told
