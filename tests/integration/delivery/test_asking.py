"""Whose fault is it? Nothing of a batch in which nothing passes is set aside before another one has said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add, remove
from tests.targets import TargetDatabase
from workers.control.drain import drain
from workers.control.retry import retry
from workers.delivery.decide import SOONEST_PROBE_MS
from workers.monitoring.status import read
from workers.monitoring.whereabouts import find

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job

BAD = "x" * 300
"""Too long for client_id in MariaDB and PostgreSQL; `refuses_bad` makes it so in SQLite."""


def refuses_bad(job: Job) -> None:
    if job.target.dialect == "sqlite":
        job.target.run(
            "CREATE TRIGGER too_long BEFORE INSERT ON member WHEN length(NEW.client_id) > 255"
            " BEGIN SELECT RAISE(ABORT, 'too long'); END"
        )


def bad(first: int, count: int) -> list[str]:
    return [f"{BAD}{n}" for n in range(first, first + count)]


def hold(job: Job) -> Any:
    """Our sentence of what holds the integration, or None."""
    return job.installation.redis.hget(job.installation.keys.integration("members"), "hold")


def tries(job: Job, times: int) -> None:
    """So many tries of whatever waits, none of which waits for its time."""
    for _ in range(times):
        job.let_timeouts_pass()
        drain(job.runtime, 300)
        retry(job.installation.redis, job.installation.keys, "members")


def test_what_comes_behind_a_batch_says_whose_fault_it_is(job: Job) -> None:
    refuses_bad(job)
    job.configure(batch='{ size = 10, timeout = "100ms" }')
    job.push(add(7, *bad(0, 10), *range(10)))
    tries(job, 2)
    assert hold(job) is None
    assert job.target.members() == {("7", str(n)) for n in range(10)}
    assert job.installation.backlog() == 0


def test_another_lane_says_whose_fault_it_is(job: Job) -> None:
    """Two that stand alone and are refused alike would be held, if each were asked about in its own lane only."""
    refuses_bad(job)
    job.push(add(7, f"{BAD}0"))
    job.push(add(9, f"{BAD}1"))
    job.push(add(8, *range(10)))
    tries(job, 1)
    assert hold(job) is None
    assert job.installation.backlog() == 0
    assert job.target.members() == {("8", str(n)) for n in range(10)}


def test_profiles_that_stand_alone_in_their_lanes_and_are_refused_alike_are_not_set_aside(job: Job) -> None:
    refuses_bad(job)
    job.push(*(add(n, f"{BAD}{n}") for n in range(25)))
    tries(job, 1)
    assert b"none of 8 profiles passes by itself" in hold(job)
    assert job.installation.backlog() == 25


def test_the_same_profile_in_many_lanes_says_nothing_of_the_target(job: Job) -> None:
    refuses_bad(job)
    job.push(*(add(n, BAD) for n in range(5)))
    tries(job, 1)
    assert hold(job) is None
    assert job.installation.backlog() == 0


def one_by_one(job: Job, *events: dict[str, Any]) -> None:
    """Each is delivered, or not, before the next comes."""
    for event in events:
        job.push(event)
        tries(job, 1)


def set_aside(job: Job) -> int:
    return int(job.installation.redis.hget(job.installation.keys.integration("members"), "quarantined") or 0)


def test_of_those_that_come_alone_one_by_one_and_are_refused_alike_one_is_set_aside(lite: Job) -> None:
    """There is never anybody else to ask, and twenty in ten minutes are never reached."""
    refuses_bad(lite)
    one_by_one(lite, *(add(7 + n % 2, f"{BAD}{n}") for n in range(6)))
    assert set_aside(lite) == 1
    assert b"none of 2 profiles passes" in hold(lite)
    assert lite.installation.backlog() == 5


def tried_again_after(job: Job) -> int:
    """Milliseconds from the hold's beginning to its first probe."""
    key = job.installation.keys.integration("members")
    since, until = job.installation.redis.hmget(key, "hold_since", "hold_until")
    return int(until) - int(since)


def test_the_second_one_that_is_refused_alike_waits_until_another_passes(lite: Job) -> None:
    refuses_bad(lite)
    one_by_one(lite, add(7, f"{BAD}0"), add(7, f"{BAD}1"))
    assert b"nobody else can be asked, and the one before it was refused alike" in hold(lite)
    one_by_one(lite, add(8, "A"))
    tries(lite, 2)
    assert hold(lite) is None
    assert set_aside(lite) == 2
    assert lite.target.members() == {("8", "A")}
    assert lite.installation.backlog() == 0


def test_whoever_comes_next_is_looked_for_soon(lite: Job) -> None:
    refuses_bad(lite)
    one_by_one(lite, add(7, f"{BAD}0"))
    lite.push(add(7, f"{BAD}1"))
    lite.let_timeouts_pass()
    drain(lite.runtime, 300)
    assert tried_again_after(lite) == SOONEST_PROBE_MS


def test_one_profile_that_is_refused_again_and_again_is_one(lite: Job) -> None:
    refuses_bad(lite)
    lite.configure(add=lite.target.queries()["add"].replace("'{$lead.CustomID}'", "'{$lead.long}'"))
    profiles = [{"_id": "1", "CustomID": "A", "long": f"{BAD}{n}"} for n in range(3)]
    one_by_one(lite, *({"type": "add", "segment": {"id": 7}, "profiles": [each]} for each in profiles))
    assert hold(lite) is None
    assert set_aside(lite) == 3


def test_what_is_delivered_between_two_that_come_alone_says_whose_fault_they_are(lite: Job) -> None:
    refuses_bad(lite)
    one_by_one(lite, add(7, f"{BAD}0"), add(8, "A"), add(7, f"{BAD}1"))
    assert hold(lite) is None
    assert set_aside(lite) == 2


def test_what_is_removed_between_them_says_nothing_of_those_that_come(lite: Job) -> None:
    refuses_bad(lite)
    one_by_one(lite, add(7, f"{BAD}0"), remove(8, "A"), add(7, f"{BAD}1"))
    assert hold(lite) is not None
    assert set_aside(lite) == 1


def test_the_same_profile_that_passes_elsewhere_says_that_it_is_the_segments_fault(make_job: Any, mariadb: Any) -> None:
    """Segment ids beyond the column's range; the profile itself is fine."""
    job = make_job(mariadb)
    job.push(*(add(10**19 + n, "A") for n in range(3)), add(7, "A"))
    tries(job, 1)
    assert hold(job) is None
    assert job.target.members() == {("7", "A")}


MANY_FIRST = [*bad(0, 8), *range(7)]
BY_TURNS = [key for n in range(8) for key in (f"{BAD}{n}", n)]
FEW_LAST = [*bad(0, 9), "A"]


@pytest.mark.parametrize("keys", [MANY_FIRST, BY_TURNS, FEW_LAST])
@pytest.mark.parametrize("size", ["100", "1"])
def test_a_part_that_passes_says_so_wherever_it_stands(lite: Job, keys: list[str], size: str) -> None:
    """Every second one, or the first eight, are the bad ones; behind a batch of one as well as in it."""
    refuses_bad(lite)
    lite.configure(batch=f'{{ size = {size}, timeout = "100ms" }}')
    lite.push(add(7, *keys))
    tries(lite, 2)
    assert hold(lite) is None
    assert lite.target.members() == {("7", str(key)) for key in keys if not str(key).startswith(BAD)}
    assert lite.installation.backlog() == 0


def test_what_passes_at_last_lets_the_others_go(job: Job) -> None:
    refuses_bad(job)
    job.push(add(7, *bad(0, 3)))
    tries(job, 1)
    assert hold(job) is not None
    job.push(add(7, "A"))
    tries(job, 3)
    assert hold(job) is None
    assert job.target.members() == {("7", "A")}
    assert job.installation.backlog() == 0


REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW.client_id LIKE 'bad%' THEN RAISE EXCEPTION 'no'; END IF; RETURN NULL; END $$
"""
REFUSES_AT_COMMIT = """
CREATE CONSTRAINT TRIGGER refuses AFTER INSERT OR UPDATE ON member DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION refuse()
"""


@pytest.fixture
def lite(make_job: Callable[[TargetDatabase], Job], make_target: Callable[[str], TargetDatabase]) -> Job:
    return make_job(make_target("sqlite"))


POINTS_AT_COMMIT = (
    "DROP TABLE member",
    "CREATE TABLE person (client_id text PRIMARY KEY)",
    "INSERT INTO person WITH RECURSIVE n(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM n LIMIT 30) SELECT x FROM n",
    (
        "CREATE TABLE member (segment_id integer NOT NULL, client_id text NOT NULL REFERENCES person"
        " DEFERRABLE INITIALLY DEFERRED, updated text, PRIMARY KEY (segment_id, client_id))"
    ),
)


@pytest.fixture(params=["postgresql", "sqlite"])
def deferring(
    request: pytest.FixtureRequest,
    make_job: Callable[[TargetDatabase], Job],
    make_target: Callable[[str], TargetDatabase],
) -> Job:
    """A job whose target refuses at COMMIT."""
    target = make_target(request.param)
    target.run(*((REFUSE, REFUSES_AT_COMMIT) if request.param == "postgresql" else POINTS_AT_COMMIT))
    return make_job(target)


def test_what_is_refused_at_commit_is_refused_alike_or_not(deferring: Job) -> None:
    deferring.push(add(7, *(f"bad{n}" for n in range(30))))
    tries(deferring, 2)
    assert b"none of 30 profiles passes by itself" in hold(deferring)
    assert deferring.installation.backlog() == 30


def test_one_that_is_refused_at_commit_costs_itself(deferring: Job) -> None:
    deferring.push(add(7, *range(30), "bad"))
    tries(deferring, 1)
    assert hold(deferring) is None
    assert deferring.installation.backlog() == 0
    assert deferring.target.members() == {("7", str(n)) for n in range(30)}


def signalling(target: TargetDatabase, signal: str) -> None:
    target.run(
        "CREATE TRIGGER refuses BEFORE INSERT ON member FOR EACH ROW"
        f" BEGIN IF NEW.client_id LIKE 'bad%' THEN SIGNAL {signal}; END IF; END"
    )


@pytest.fixture
def mariadb(mariadb_url: str, mariadb_server: Any) -> TargetDatabase:
    target = TargetDatabase("mysql", mariadb_url, mariadb_server.password)
    target.create()
    return target


@pytest.fixture
def on_mariadb(make_job: Callable[[TargetDatabase], Job], mariadb: TargetDatabase) -> Job:
    return make_job(mariadb)


@pytest.fixture(params=["mariadb", "postgresql"])
def mariadb_or_postgresql(request: pytest.FixtureRequest, make_job: Callable[[TargetDatabase], Job]) -> Job:
    if request.param == "mariadb":
        return make_job(request.getfixturevalue("mariadb"))
    target = TargetDatabase("postgresql", request.getfixturevalue("postgresql_url"))
    target.create()
    return make_job(target)


def test_a_code_that_asks_for_patience_is_not_believed_for_ever(on_mariadb: Job) -> None:
    """A trigger says that the server is read only; nobody else hears that."""
    signalling(on_mariadb.target, "SQLSTATE 'HY000' SET MYSQL_ERRNO = 1290")
    on_mariadb.push(add(7, *range(5), "bad", *range(5, 10)))
    tries(on_mariadb, 12)
    assert on_mariadb.target.members() == {("7", str(n)) for n in range(10)}
    assert on_mariadb.installation.backlog() == 0


def test_a_code_that_blames_the_query_is_asked_about_as_far(on_mariadb: Job) -> None:
    """Among those behind the one that stands alone at last, the first eight are refused like it."""
    signalling(on_mariadb.target, "SQLSTATE '42000' SET MYSQL_ERRNO = 1064")
    on_mariadb.push(add(7, *(f"bad{n}" for n in range(9)), *range(7)))
    tries(on_mariadb, 3)
    assert on_mariadb.target.members() == {("7", str(n)) for n in range(7)}
    assert on_mariadb.installation.backlog() == 0


def conflicting(target: TargetDatabase) -> None:
    if target.dialect == "mysql":
        signalling(target, "SQLSTATE '40001' SET MYSQL_ERRNO = 1213")
        return
    target.run(REFUSE.replace("EXCEPTION 'no'", "EXCEPTION SQLSTATE '40P01'").replace("RETURN NULL", "RETURN NEW"))
    target.run("CREATE TRIGGER refuses BEFORE INSERT ON member FOR EACH ROW EXECUTE FUNCTION refuse()")


def test_a_conflict_that_does_not_end_holds_its_lane_and_sets_nothing_aside(mariadb_or_postgresql: Job) -> None:
    """And it is told whose operation the lane stands at, to who asks for it."""
    job = mariadb_or_postgresql
    conflicting(job.target)
    job.push(add(7, *range(5), "bad", *range(5, 10)), add(8, "A"))
    tries(job, 14)
    lane = job.installation.redis.hget(job.installation.keys.lane("members", "7"), "hold")
    assert b"deadlock" in lane
    assert job.target.members() == {("8", "A"), *(("7", str(n)) for n in range(5))}
    assert job.installation.backlog() == 6

    (told,) = [need for need in read(job.runtime).needs if need.startswith("members is held since ")]
    assert "; `segsync why members --segment 7` says whose operation it is" in told
    assert "pbad" not in told
    head = find(job.runtime, "members", "7", None).head
    assert head is not None
    assert (head.what, head.profile) == ("add", "pbad")
    assert find(job.runtime, "members", "8", None).head is None


def test_where_most_are_refused_all_causes_are_told(on_mariadb: Job) -> None:
    signalling(on_mariadb.target, "SQLSTATE '45000'")
    on_mariadb.push(add(7, *(key for n in range(15) for key in (f"bad{n}", f"{BAD}{n}"))), add(8, "A"))
    tries(on_mariadb, 1)
    told = hold(on_mariadb).decode()
    assert told.startswith("most profiles are refused (mysql 1644 ")
    assert "mysql 1406 " in told


def test_what_an_undone_try_met_is_not_its_own_work(job: Job) -> None:
    """A unique key that only one row can have: every try is refused and rolled back, so nobody's row is there."""
    at = "'2026-01-01'"
    job.target.run("CREATE UNIQUE INDEX only_one ON member (updated)")
    job.target.run(f"INSERT INTO member (segment_id, client_id, updated) VALUES (1, 'first', {at})")
    job.configure(add=job.target.queries()["add"].replace("{$lead._event_time}", at).partition("ON ")[0])
    job.push(add(7, *range(5)))
    tries(job, 3)
    assert b"none of 5 profiles passes by itself" in hold(job)
    assert job.installation.backlog() == 5
