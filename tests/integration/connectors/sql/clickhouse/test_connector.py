"""ClickHouse: what a session sends, what comes of lost answers, of repetitions, and of limits."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.servers.clickhouse import PASSWORD
from tests.waiting import until
from workers.connectors import connect
from workers.connectors.contract import Group, Shipment, Target
from workers.connectors.sql.clickhouse import connection, link
from workers.connectors.sql.clickhouse.session import pinned
from workers.errors import ErrorClass, HoldLevel, Phase, TargetError
from workers.templates import QueryKind, Row, compile_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.clickhouse import ClickhouseServer
    from workers.connectors.sql.connector import PooledSession, SqlConnector

WINDOW = "SETTINGS non_replicated_deduplication_window = 100"
ADD = "INSERT INTO t (k) VALUES {for $x = $batch}('{$x.K}'){autocomma}{end}"
DELETE = 'DELETE FROM t WHERE k IN ({batch_in "K"})'
ONLY_ADDS = "INSERT INTO gone (k) VALUES {for $x = $batch}('{$x.K}'){autocomma}{end}"


class One(NamedTuple):
    sequence: str
    row: Row
    key: tuple[str, ...] = ()


class Rig:
    """A connector, and the tables `t` and `gone` of one text."""

    def __init__(self, server: ClickhouseServer, target: Target) -> None:
        self.server = server
        self.target = target
        self.database = target.url.rpartition("/")[2]
        self.connector: SqlConnector = connect(target)
        self.run(f"CREATE TABLE t (k String) ENGINE = MergeTree ORDER BY k {WINDOW}")
        self.run(f"CREATE TABLE gone (k String) ENGINE = MergeTree ORDER BY k {WINDOW}")

    def run(self, statement: str) -> str:
        return self.server.run(statement, self.database)

    def rows(self) -> list[str]:
        return self.run("SELECT k FROM t ORDER BY k").split()

    def session(self) -> PooledSession:
        session = self.connector.open()
        session.begin("lane", 1.0)
        return session

    def deliver(self, shipment: Shipment) -> None:
        session = self.connector.open()
        try:
            session.deliver(shipment, never)
        finally:
            session.discard()

    def fail(self, kind: str, code: int = 0) -> None:
        self.server.fail(self.database, "INSERT INTO t", kind, code)


def never(seconds: float = 0.0) -> None:
    """A fence that nobody takes down."""


def refused(call: Callable[[], Any]) -> TargetError:
    with pytest.raises(TargetError) as caught:
        call()
    return caught.value


@pytest.fixture
def rig(clickhouse_server: ClickhouseServer, clickhouse_target: Target) -> Iterator[Rig]:
    rig = Rig(clickhouse_server, clickhouse_target)
    yield rig
    rig.connector.dispose()


def shipment(*kinds: QueryKind, remove: str = ONLY_ADDS, first: int = 1, keys: str = "a") -> Shipment:
    """Groups by turns, each with all keys, as one batch."""
    groups, number = [], first
    for kind in kinds:
        groups.append(Group(kind, tuple(One(f"{number:027d}", Row({"K": key}, 0, number)) for key in keys)))
        number += 1
    texts = {QueryKind.ADD: ADD, QueryKind.REMOVE: remove}
    queries = {
        kind: compile_query(text, dialect="clickhouse", kind=kind, batch=True, key=("K",))
        for kind, text in texts.items()
    }
    return Shipment("i", "7", None, "lane", f"{first:027d}", f"{number - 1:027d}", queries, tuple(groups))


# --- What is sent ---------------------------------------------------------------------------------------------------


def test_the_settings_go_with_every_statement(rig: Rig) -> None:
    rig.session().execute("INSERT INTO t (k) VALUES ('a')")
    (sent,) = [each for each in rig.server.seen(rig.database) if each["statement"].startswith("INSERT")]
    wanted = {**pinned(rig.target), "wait_end_of_query": "1"}
    assert {name: sent[name] for name in wanted} == wanted


def test_a_time_without_a_zone_is_one_of_the_connectors_zone(rig: Rig) -> None:
    rig.run("CREATE TABLE times (at DateTime64(6, 'UTC'), text String) ENGINE = Memory")
    tokyo = connect(replace(rig.target, timezone="Asia/Tokyo"))
    session = tokyo.open()
    session.begin(None, 0)
    session.execute("INSERT INTO times VALUES (now64(6), toString(toDateTime('2026-01-02 03:04:05')))")
    session.execute("INSERT INTO times SELECT toDateTime('2026-01-02 03:04:05'), 'x'")
    session.close()
    assert "2026-01-01 18:04:05.000000" in rig.run("SELECT at FROM times WHERE text = 'x'")
    tokyo.dispose()


def test_null_is_refused_where_none_may_be(rig: Rig) -> None:
    """The server's own default would make an empty text of it, without a word."""
    error = refused(lambda: rig.session().execute("INSERT INTO t (k) VALUES (NULL)"))
    assert error.error_class is ErrorClass.ISOLATE
    assert rig.rows() == []


# --- Lost answers ---------------------------------------------------------------------------------------------------


def test_an_error_in_an_answer_that_began_well_is_an_error(rig: Rig) -> None:
    rig.fail("late")
    error = refused(lambda: rig.session().execute("INSERT INTO t (k) VALUES ('a')"))
    assert (error.error_class, error.code) == (ErrorClass.SPLIT, "clickhouse 241")


@pytest.mark.parametrize(("kind", "there"), [("cut before", []), ("cut after", ["a"])])
def test_a_lost_answer_is_ambiguous(rig: Rig, kind: str, there: list[str]) -> None:
    rig.fail(kind)
    session = rig.session()
    error = refused(lambda: session.execute("INSERT INTO t (k) VALUES ('a')"))
    assert (error.error_class, error.code) == (ErrorClass.AMBIGUOUS, "clickhouse link")
    assert rig.rows() == there
    assert session._link.lost


def test_a_server_that_is_gone_passes_by_itself(own_clickhouse: ClickhouseServer) -> None:
    target = Target("crm", "clickhouse", own_clickhouse.url("default"), PASSWORD, connect_timeout=2.0)
    connector = connect(target)
    session = connector.open()
    own_clickhouse.kill()
    session.begin("lane", 1.0)
    error = refused(lambda: session.execute("INSERT INTO t (k) VALUES ('a')"))
    assert (error.error_class, error.phase) == (ErrorClass.RETRY, Phase.EXECUTE)
    error = refused(connector.open)
    assert (error.error_class, error.level, error.phase) == (ErrorClass.RETRY, HoldLevel.CONNECTOR, Phase.CONNECT)


def test_a_statement_that_takes_too_long_is_ended_by_the_server(rig: Rig) -> None:
    connector = connect(replace(rig.target, statement_timeout=1.0))
    session = connector.open()
    session.begin("lane", 1.0)
    slow = "INSERT INTO t SELECT toString(sleepEachRow(0.5)) FROM numbers(20) SETTINGS max_block_size = 1"
    error = refused(lambda: session.execute(slow))
    assert (error.error_class, error.code) == (ErrorClass.AMBIGUOUS, "clickhouse 159")
    connector.dispose()


def test_a_statement_that_nobody_waits_for_any_more_is_killed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MARGIN", 0.0)
    connector = connect(replace(rig.target, statement_timeout=1.0))
    session = connector.open()
    session.begin("lane", 1.0)
    rig.fail("endless")
    slow = "INSERT INTO t SELECT toString(sleepEachRow(0.5)) FROM numbers(1000) SETTINGS max_block_size = 1"
    error = refused(lambda: session.execute(slow))
    assert (error.error_class, error.code) == (ErrorClass.AMBIGUOUS, "clickhouse link")
    running = "SELECT count() FROM system.processes WHERE query LIKE '%sleepEachRow(0.5)%' AND query NOT LIKE '%LIKE%'"
    until(lambda: rig.run(running) == "0\n", "the end of the statement")
    connector.dispose()


def test_no_password_and_no_value_is_told(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    error = refused(connect(replace(rig.target, password="wr0ng")).open)
    assert (error.error_class, error.level, error.code) == (ErrorClass.HOLD, HoldLevel.CONNECTOR, "clickhouse 516")
    rig.fail("cut before")
    told = refused(lambda: rig.session().execute("INSERT INTO t (k) VALUES ('secret', 1)"))
    assert "secret" not in f"{told} {told!r}"
    assert "wr0ng" not in f"{error} {error!r} {error.detail}"
    assert [each for each in caplog.records if each.name.startswith("clickhouse_connect")] == []


# --- Repetitions ----------------------------------------------------------------------------------------------------


def test_a_batch_of_inserts_that_comes_again_is_there_once(rig: Rig) -> None:
    """In a table that keeps every row."""
    batch = shipment(QueryKind.ADD, QueryKind.REMOVE)
    rig.deliver(batch)
    rig.deliver(batch)
    assert (rig.rows(), rig.run("SELECT count() FROM gone")) == (["a"], "1\n")


def test_another_batch_with_the_same_rows_is_another_batch(rig: Rig) -> None:
    """The server by itself would leave out a member who left and came back: it knows rows by what they hold."""
    rig.deliver(shipment(QueryKind.ADD))
    rig.deliver(shipment(QueryKind.ADD, first=2))
    assert rig.rows() == ["a", "a"]


def test_a_longer_try_of_a_batch_is_not_taken_for_the_shorter_one(rig: Rig) -> None:
    rig.deliver(shipment(QueryKind.ADD, keys="a"))
    rig.deliver(shipment(QueryKind.ADD, keys="ab"))
    assert set(rig.rows()) == {"a", "b"}


def test_what_a_repeated_delete_takes_away_a_repeated_insert_brings_back(rig: Rig) -> None:
    batch = shipment(QueryKind.ADD, QueryKind.REMOVE, QueryKind.ADD, remove=DELETE)
    rig.deliver(batch)
    rig.deliver(batch)
    assert rig.rows() == ["a"]


def test_an_insert_of_what_a_query_reads_is_done_again(rig: Rig) -> None:
    """What it reads may be another thing by then; some versions know it again by its token all the same."""
    copying = 'INSERT INTO gone (k) SELECT k FROM t WHERE k IN ({batch_in "K"})'
    batch = shipment(QueryKind.REMOVE, remove=copying, keys="ab")
    rig.deliver(batch)
    rig.deliver(batch)
    sent = [each for each in rig.server.seen(rig.database) if each["statement"].startswith("INSERT INTO gone")]
    assert len({each["insert_deduplication_token"] for each in sent}) == 2


# --- Limits ---------------------------------------------------------------------------------------------------------


def test_ten_thousand_long_keys_are_added_and_removed_at_once(rig: Rig) -> None:
    """The server's own max_query_size is 256 KiB; these are 630 KB."""
    members = tuple(One(f"{n:027d}", Row({"K": f"{n:060d}"}, 0, n)) for n in range(1, 10_001))
    usual = shipment(QueryKind.ADD, remove=DELETE)
    rig.deliver(replace(usual, last=members[-1].sequence, groups=(Group(QueryKind.ADD, members),)))
    assert rig.run("SELECT count() FROM t") == "10000\n"
    rig.deliver(replace(usual, last=members[-1].sequence, groups=(Group(QueryKind.REMOVE, members),)))
    assert rig.rows() == []


def test_a_delete_is_done_when_its_answer_comes(rig: Rig) -> None:
    rig.run("INSERT INTO t VALUES ('a'), ('b')")
    session = rig.session()
    session.execute("ALTER TABLE t DELETE WHERE k = 'a'")
    assert rig.rows() == ["b"]
    session.execute("DELETE FROM t WHERE k = 'b'")
    assert rig.rows() == []


# --- Looking --------------------------------------------------------------------------------------------------------

LOOKS = {
    "INSERT INTO t (k) VALUES ('x')": None,
    "INSERT INTO n (i) VALUES ('x')": ErrorClass.ISOLATE,
    "INSERT INTO n (i) VALUES (NULL)": ErrorClass.ISOLATE,
    "INSERT INTO `n` (i) VALUES (1), ('2026')": None,
    "INSERT INTO t (nope) VALUES ('x')": ErrorClass.HOLD,
    "INSERT INTO nowhere VALUES ('x')": ErrorClass.HOLD,
    "INSERT INTO t (k) VALUES ('x'": ErrorClass.HOLD,
    "INSERT INTO t SELECT k FROM gone": None,
    "INSERT INTO t SELECT nope FROM gone": ErrorClass.HOLD,
    "DELETE FROM t WHERE k IN ('x')": None,
    "DELETE FROM n WHERE i IN ('x')": ErrorClass.ISOLATE,
    "DELETE FROM t WHERE nope = 1": ErrorClass.HOLD,
    "ALTER TABLE n UPDATE v = 'y' WHERE i = 1": None,
    "ALTER TABLE n UPDATE v = 'a WHERE i = x, b' WHERE i = 1": None,
    "ALTER TABLE n UPDATE v = 'y' WHERE i = 'x'": ErrorClass.ISOLATE,
    "ALTER TABLE nowhere DELETE WHERE i = 1": ErrorClass.HOLD,
    "SELECT nope FROM t": ErrorClass.HOLD,
}


def test_statements_are_judged_without_being_run(rig: Rig) -> None:
    rig.run("CREATE TABLE n (i Int64, v String, twice Int64 MATERIALIZED i * 2) ENGINE = MergeTree ORDER BY i")
    rig.run("INSERT INTO n VALUES (1, 'before')")
    found: dict[str, ErrorClass | None] = {}
    link_ = rig.session()._link
    for statement in LOOKS:
        try:
            link_.try_out(statement)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is judged
            found[statement] = link_.judge(error, Phase.EXECUTE).error_class
        else:
            found[statement] = None
    assert found == LOOKS
    assert rig.rows() == []
    assert rig.run("SELECT i, v FROM n") == "1\tbefore\n"


def test_who_may_not_write_is_told_so_without_a_try(clickhouse_server: ClickhouseServer, rig: Rig) -> None:
    reader = connect(replace(rig.target, url=clickhouse_server.url(rig.database, "reader")))
    session = reader.open()
    session.begin(None, 0)
    for statement in ("INSERT INTO t (k) VALUES ('x')", "DELETE FROM t WHERE k = 'x'"):
        with pytest.raises(TargetError) as caught:
            session.try_out(statement)
        assert (caught.value.error_class, caught.value.code) == (ErrorClass.HOLD, "clickhouse 497")
    reader.dispose()


def test_the_tokens_pattern_knows_values_from_a_question() -> None:
    assert link._OF_VALUES.match("INSERT INTO `a`.t (k, v) VALUES ('x')")
    assert not link._OF_VALUES.match("INSERT INTO t (k) SELECT 'VALUES'")
    assert not link._OF_VALUES.match("DELETE FROM t")
