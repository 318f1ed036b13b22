"""What every connector must do, whatever its vendor (workers/connectors/contract.py)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.contract.children import child_status
from tests.contract.people import TABLES, UNDOING, doubled
from tests.servers.rows import Database
from tests.waiting import until
from workers.connectors import connect
from workers.connectors.memory import MemoryConnector
from workers.connectors.sql.connector import PooledSession
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.contract.conftest import People
    from workers.connectors.contract import Target
    from workers.connectors.memory import MemorySession
    from workers.connectors.sql.connector import SqlConnector

PATIENCE = 30.0
"""Seconds; more than any test needs, since a busy machine serves SQLite's waiting writers in no order."""
WAITS = {
    "mysql": "SELECT id FROM information_schema.processlist WHERE state = 'User lock'",
    "postgresql": "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
}
"""Gives a row while somebody waits for a session lock."""
HOSTILE = "100% %s %(x)s :name ? {curly} $1 \U0001f600 é ' \" \\"


@dataclass
class Rig:
    """A connector with a table `people (name)` behind it, whose names are at most 60 characters and unique.

    waits  whether the target says that somebody waits for a lock; always, where it cannot be asked
    """

    connector: SqlConnector | MemoryConnector
    fetch: Callable[[], list[str]]
    literal: Callable[[str], str]
    locks_lanes: bool = True
    unites: bool = False
    waits: Callable[[], bool] = lambda: True
    opened: list[PooledSession | MemorySession] = field(default_factory=list)

    def open(self) -> PooledSession | MemorySession:
        session = self.connector.open()
        self.opened.append(session)
        return session

    def insert(self, *names: str) -> str:
        if self.unites:
            rows = " UNION ALL ".join(f"SELECT {self.literal(name)} FROM dual" for name in names)
            return f"INSERT INTO people (name) {rows}"
        return f"INSERT INTO people (name) VALUES {', '.join(f'({self.literal(name)})' for name in names)}"

    def write(self, *names: str, lock: str | None = "lane") -> None:
        session = self.open()
        session.begin(lock, PATIENCE)
        session.execute(self.insert(*names))
        session.commit()
        session.close()


def memory_rig() -> Rig:
    def respond(statement: str) -> int:
        if "nowhere" in statement or not statement.startswith(("INSERT", "SELECT")):
            raise TargetError(ErrorClass.HOLD, "memory query", "wrong query", level=HoldLevel.INTEGRATION)
        if len(statement) > 200_000:
            return 1
        if any(len(name) > 60 for name in parsed(statement)):
            raise TargetError(ErrorClass.ISOLATE, "memory data", "too long", detail=statement)
        return len(parsed(statement))

    def parsed(statement: str) -> list[str]:
        values = statement.partition(" VALUES ")[2]
        return [part.removesuffix("')").removeprefix("('").replace("''", "'") for part in values.split(", (") if part]

    connector = MemoryConnector(respond=respond)

    def fetch() -> list[str]:
        statements = [text for transaction in connector.committed for text in transaction.statements]
        return sorted(name.removeprefix("'") for text in statements for name in parsed(text))

    return Rig(connector, fetch, doubled)


def sql_rig(target: Target, literal: Callable[[str], str]) -> Iterator[Rig]:
    with Database(target) as database:
        connector = connect(target)
        # Two rows of one key are one to whoever reads with FINAL.
        read = f"SELECT name FROM people{' FINAL' * (target.dialect == 'clickhouse')}"
        rig = Rig(
            connector,
            lambda: sorted(str(name) for (name,) in database.rows(read)),
            literal,
            locks_lanes=target.dialect != "sqlite",
            unites=target.dialect == "oracle",
            waits=lambda: target.dialect not in WAITS or bool(database.rows(WAITS[target.dialect])),
        )
        yield rig
        for session in rig.opened:
            session.discard()
        connector.dispose()


def rig_of(request: pytest.FixtureRequest) -> Iterator[Rig]:
    if request.param == "memory":
        yield memory_rig()
        return
    people: People = request.getfixturevalue("people")
    yield from sql_rig(people(request.param), TABLES[request.param][1])


@pytest.fixture(params=[*UNDOING, "clickhouse"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    yield from rig_of(request)


@pytest.fixture(params=UNDOING)
def undoing(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A rig whose connector can take back what it has executed."""
    yield from rig_of(request)


def refused(call: Callable[[], object]) -> TargetError:
    with pytest.raises(TargetError) as caught:
        call()
    return caught.value


def test_what_is_committed_is_there(rig: Rig) -> None:
    session = rig.open()
    session.begin("lane", PATIENCE)
    assert session.execute(rig.insert("ann", "bob")) == 2
    assert session.execute(rig.insert("cid")) == 1
    session.commit()
    session.close()
    assert rig.fetch() == ["ann", "bob", "cid"]


def test_nothing_is_there_before_commit(undoing: Rig) -> None:
    session = undoing.open()
    session.begin("lane", PATIENCE)
    session.execute(undoing.insert("ann"))
    assert undoing.fetch() == []


def test_what_cannot_be_taken_back_is_only_tried_out(rig: Rig) -> None:
    """A trial that passes leaves nothing, and one that fails says what `execute` would."""
    session = rig.open()
    session.begin("lane", PATIENCE)
    session.try_out(rig.insert("ann"))
    session.rollback()
    session.begin("lane", PATIENCE)
    error = refused(lambda: session.try_out("INSERT INTO nowhere (name) VALUES ('x')"))
    assert (error.error_class, error.level) == (ErrorClass.HOLD, HoldLevel.INTEGRATION)
    session.discard()
    assert rig.fetch() == []


def test_after_a_rollback_nothing_is_there_and_the_session_goes_on(undoing: Rig) -> None:
    session = undoing.open()
    session.begin("lane", PATIENCE)
    session.execute(undoing.insert("ann"))
    session.rollback()
    session.begin("lane", PATIENCE)
    session.execute(undoing.insert("bob"))
    session.commit()
    session.close()
    assert undoing.fetch() == ["bob"]


@pytest.mark.parametrize("end", ["discard", "close"])
def test_a_session_that_ends_inside_a_transaction_commits_nothing_and_blocks_nobody(undoing: Rig, end: str) -> None:
    session = undoing.open()
    session.begin("lane", PATIENCE)
    session.execute(undoing.insert("ann"))
    getattr(session, end)()
    undoing.write("ann", "bob")
    assert undoing.fetch() == ["ann", "bob"]


def test_a_session_that_nobody_closed_commits_nothing_and_blocks_nobody(undoing: Rig) -> None:
    other, session = undoing.open(), undoing.connector.open()
    session.begin(None, PATIENCE)
    session.execute(undoing.insert("ann"))
    del session
    other.begin(None, PATIENCE)
    other.execute(undoing.insert("ann"))
    other.commit()
    assert undoing.fetch() == ["ann"]


def test_a_session_serves_one_transaction_after_the_other(rig: Rig) -> None:
    session = rig.open()
    for name in ("ann", "bob", "cid"):
        session.begin("lane", PATIENCE)
        session.execute(rig.insert(name))
        session.commit()
    session.close()
    assert rig.fetch() == ["ann", "bob", "cid"]


def test_a_session_serves_one_lane_after_the_other(rig: Rig) -> None:
    session, other = rig.open(), rig.open()
    for lock in ("lane 1", "lane 2", None, "lane 1"):
        session.begin(lock, PATIENCE)
        session.commit()
    session.begin("lane 3", PATIENCE)
    session.commit()
    if rig.locks_lanes:
        other.begin("lane 2", 0.1)
        other.execute(rig.insert("ann"))
        other.commit()
        session.begin("lane 3", 0.1)
        session.rollback()
        assert rig.fetch() == ["ann"]


def test_begin_inside_a_transaction_is_refused_and_commits_nothing(undoing: Rig) -> None:
    session = undoing.open()
    session.begin("lane", PATIENCE)
    session.execute(undoing.insert("ann"))
    assert "open already" in refused(lambda: session.begin("lane", PATIENCE)).reason
    session.discard()
    assert undoing.fetch() == []


@pytest.mark.parametrize("step", ["execute", "commit", "rollback"])
def test_nothing_runs_outside_a_transaction(rig: Rig, step: str) -> None:
    session = rig.open()
    arguments = (rig.insert("ann"),) if step == "execute" else ()
    error = refused(lambda: getattr(session, step)(*arguments))
    assert (error.error_class, error.reason) == (ErrorClass.UNKNOWN, "no transaction is open")
    assert rig.fetch() == []


@pytest.mark.parametrize("end", ["close", "discard"])
def test_an_ended_session_refuses_everything_and_can_be_ended_again(rig: Rig, end: str) -> None:
    session = rig.open()
    getattr(session, end)()
    for call in (
        lambda: session.begin("lane", PATIENCE),
        lambda: session.execute(rig.insert("ann")),
        session.commit,
        session.rollback,
    ):
        assert "closed" in refused(call).reason
    session.close()
    session.discard()
    assert rig.fetch() == []


def test_statements_have_no_parameters(rig: Rig) -> None:
    rig.write(HOSTILE)
    assert rig.fetch() == [HOSTILE]


@pytest.mark.parametrize("statement", ["", "   ", "\n\t"])
def test_an_empty_statement_is_the_querys_fault(rig: Rig, statement: str) -> None:
    session = rig.open()
    session.begin("lane", PATIENCE)
    error = refused(lambda: session.execute(statement))
    assert (error.error_class, error.level) == (ErrorClass.HOLD, HoldLevel.INTEGRATION)


@pytest.mark.parametrize("statement", ["INSERT INTO nowhere (name) VALUES ('x')", "SELEC name FROM people"])
def test_a_wrong_query_holds_the_integration(rig: Rig, statement: str) -> None:
    session = rig.open()
    session.begin("lane", PATIENCE)
    error = refused(lambda: session.execute(statement))
    assert (error.error_class, error.level) == (ErrorClass.HOLD, HoldLevel.INTEGRATION)


def test_bad_data_is_isolated_and_what_the_error_shows_holds_none_of_it(rig: Rig) -> None:
    session = rig.open()
    session.begin("lane", PATIENCE)
    error = refused(lambda: session.execute(rig.insert("ann", "secret" * 20)))
    assert error.error_class is ErrorClass.ISOLATE
    assert "secret" not in f"{error} {error!r} {error.code} {error.reason}"
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    session.discard()
    assert rig.fetch() == []


def test_a_select_is_drained_and_counts_no_less_than_zero(rig: Rig) -> None:
    rig.write("ann", "bob")
    session = rig.open()
    session.begin("lane", PATIENCE)
    assert session.execute("SELECT name FROM people") >= 0
    assert session.execute(rig.insert("cid")) == 1
    session.commit()


def test_a_statement_of_a_megabyte_passes(rig: Rig) -> None:
    session = rig.open()
    session.begin("lane", PATIENCE)
    names = [f"{number:060d}" for number in range(500 if rig.unites else 16_000)]
    statement = rig.insert(*names)
    if rig.unites:  # no database reads so many SELECTs in one statement: there most of it is a comment
        statement += f" /* {'-' * (1_000_000 - len(statement))} */"
    assert session.execute(statement) > 0
    session.commit()


def test_a_free_lock_is_taken_at_once(rig: Rig) -> None:
    """Nobody is waited for, and whoever had it before is left alone."""
    one, other = rig.open(), rig.open()
    for session, name in ((one, "ann"), (other, "bob"), (one, "cid")):
        session.begin("lane", 0)
        session.execute(rig.insert(name))
        session.commit()
    assert rig.fetch() == ["ann", "bob", "cid"]


def test_a_lock_is_waited_for_and_had_when_its_holder_ends(undoing: Rig) -> None:
    holder, waiter = undoing.open(), undoing.open()
    holder.begin("lane", PATIENCE)
    holder.execute(undoing.insert("first"))
    order: list[str] = []
    begins = threading.Event()

    def wait() -> None:
        begins.set()
        waiter.begin("lane", PATIENCE)
        order.append("waiter")
        waiter.commit()

    thread = threading.Thread(target=wait)
    thread.start()
    begins.wait()
    until(lambda: undoing.waits() or order)
    order.append("holder")
    holder.commit()
    holder.close()
    thread.join()
    assert order == ["holder", "waiter"]
    assert undoing.fetch() == ["first"]


def test_a_lock_that_is_not_given_back_ends_its_holder_whose_commit_then_fails(undoing: Rig) -> None:
    holder, successor = undoing.open(), undoing.open()
    holder.begin("lane", PATIENCE)
    holder.execute(undoing.insert("stale"))
    if not undoing.locks_lanes:  # a file's lock cannot be taken from another process
        assert refused(lambda: successor.begin("lane", 0.5)).error_class is ErrorClass.RETRY
        return
    successor.begin("lane", 1.0)
    successor.execute(undoing.insert("fresh"))
    successor.commit()
    assert refused(holder.commit).error_class in {ErrorClass.RETRY, ErrorClass.AMBIGUOUS}
    holder.discard()
    assert undoing.fetch() == ["fresh"]


def test_another_lanes_lock_is_not_waited_for(rig: Rig) -> None:
    if not rig.locks_lanes:
        return
    one, other = rig.open(), rig.open()
    one.begin("lane 1", PATIENCE)
    other.begin("lane 2", 0)
    one.execute(rig.insert("ann"))
    other.execute(rig.insert("bob"))
    one.commit()
    other.commit()
    assert rig.fetch() == ["ann", "bob"]


def test_without_a_lock_two_sessions_do_not_wait_for_each_other(rig: Rig) -> None:
    if not rig.locks_lanes:
        return
    one, other = rig.open(), rig.open()
    one.begin(None, 0)
    other.begin(None, 0)
    one.rollback()
    other.rollback()


def test_threads_share_a_connector(rig: Rig) -> None:
    def write(number: int) -> None:
        for turn in range(5):
            rig.write(f"{number}-{turn}", lock=f"lane {number % 2}")

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(write, number) for number in range(4)]:
            done.result()
    assert len(rig.fetch()) == 20


def test_a_probe_of_a_sound_target_says_nothing(rig: Rig) -> None:
    rig.connector.probe()


def test_a_disposed_connector_opens_again(rig: Rig) -> None:
    rig.write("ann")
    rig.connector.dispose()
    rig.write("bob")
    assert rig.fetch() == ["ann", "bob"]


def test_a_fork_leaves_the_parents_sessions_alone(rig: Rig) -> None:
    """The child works with links of its own, and its end does not end the parent's."""
    if isinstance(rig.connector, MemoryConnector):
        return
    rig.write("before")
    parents = rig.open()
    parents.begin("parent", PATIENCE)
    if rig.locks_lanes:
        parents.execute(rig.insert("parent"))
    else:
        parents.rollback()
    assert child_status(lambda: rig.write("child", lock="child")) == 0
    if not rig.locks_lanes:
        parents.begin("parent", PATIENCE)
        parents.execute(rig.insert("parent"))
    parents.commit()
    parents.close()
    rig.write("after")
    assert rig.fetch() == ["after", "before", "child", "parent"]


def test_a_fork_leaves_the_parents_pooled_links_alone(rig: Rig) -> None:
    if isinstance(rig.connector, MemoryConnector):
        return
    session = rig.connector.open()
    link = session._link
    session.close()

    def child() -> None:
        other = rig.connector.open()
        assert isinstance(other, PooledSession)
        assert other._link is not link
        other.begin("child", PATIENCE)
        other.discard()
        rig.connector.dispose()

    assert child_status(child) == 0
    session = rig.connector.open()
    assert session._link is link
    session.begin("parent", PATIENCE)
    session.execute(rig.insert("ann"))
    session.commit()
    session.close()
    assert rig.fetch() == ["ann"]
