"""Reading many rows of SQL Server and of Oracle, which are played (or real, where the environment names them)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.engine import make_url

from tests.servers.cutting import Cutting
from tests.servers.tds import Refuse
from tests.servers.tds_postgresql import Session
from workers.connectors import connect, open_lister
from workers.errors import ErrorClass, TargetError

if TYPE_CHECKING:
    from tests.servers.oracle_played import Shared as OracleShared
    from tests.servers.tds_postgresql import Shared
    from workers.connectors.contract import Target

ROWS = 1_200


@pytest.fixture(params=["mssql", "oracle"])
def listed(request: pytest.FixtureRequest) -> Target:
    """A database with a table of some rows."""
    target: Target = request.getfixturevalue(f"{request.param}_target")
    values = ", ".join(f"({number}, 'member {number}')" for number in range(ROWS))
    connector = connect(target)
    session = connector.open()
    session.begin(None, 5.0)
    session.execute("CREATE TABLE listed (id int PRIMARY KEY, name varchar(40))")
    session.execute(f"INSERT INTO listed VALUES {values}")
    session.commit()
    session.close()
    connector.dispose()
    return target


def read(target: Target, statement: str = "SELECT id, name FROM listed ORDER BY id") -> list[tuple[object, ...]]:
    lister = open_lister(target)
    try:
        pages = list(lister.pages(statement))
        assert [each.lower() for each in pages[0].columns] == ["id", "name"]
        return [row for page in pages for row in page.rows]
    finally:
        lister.close()


def test_all_rows_come_and_an_empty_list_has_its_columns(listed: Target) -> None:
    assert read(listed) == [(number, f"member {number}") for number in range(ROWS)]
    assert read(listed, "SELECT id, name FROM listed WHERE id < 0") == []


def test_a_session_lists_one_after_the_other(listed: Target) -> None:
    lister = open_lister(listed)
    for _ in range(2):
        assert sum(len(page.rows) for page in lister.pages("SELECT id FROM listed")) == ROWS
    lister.close()


def test_a_lister_changes_nothing(listed: Target) -> None:
    for statement in ("DELETE FROM listed", "INSERT INTO listed VALUES (5000, 'x')", "SELECT nothing FROM nowhere"):
        with pytest.raises(TargetError):
            read(listed, statement)
    with suppress(TargetError):  # what gives rows, and changes some, is taken back
        assert read(listed, "INSERT INTO listed VALUES (5000, 'x') RETURNING id, name") == [(5000, "x")]
    assert len(read(listed)) == ROWS


def test_each_list_of_oracle_is_one_moment(oracle: OracleShared) -> None:
    lister = open_lister(oracle.target())
    oracle.executed.clear()
    for _ in range(2):
        list(lister.pages("SELECT 1 AS id"))
    lister.close()
    told = [each for each in oracle.executed if not each.startswith("CLOSE")]
    assert told == ["SET TRANSACTION READ ONLY", "SELECT 1 AS id", "ROLLBACK"] * 2


def test_each_list_of_sql_server_is_one_snapshot(mssql: Shared) -> None:
    lister = open_lister(mssql.target())
    mssql.server.batches.clear()
    for _ in range(2):
        list(lister.pages("SELECT 1 AS id"))
    lister.close()
    begin = "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRANSACTION"
    assert mssql.server.batches == [begin, "SELECT 1 AS id", "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"] * 2


def test_a_database_without_snapshots_has_no_list(mssql: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Session) -> None:
        raise Refuse(3952, "Snapshot isolation transaction failed accessing database 'crm' because it is not allowed")

    monkeypatch.setattr(Session, "_begin", refuse)
    with pytest.raises(TargetError, match="ALLOW_SNAPSHOT_ISOLATION ON") as raised:
        read(mssql.target())
    assert raised.value.error_class is ErrorClass.HOLD


def test_a_link_to_sql_server_that_is_cut_anywhere_gives_no_end(mssql: Shared) -> None:
    cutting = Cutting(mssql.server.port)
    url = make_url(mssql.target().url).set(port=cutting.port).render_as_string(hide_password=False)
    target = replace(mssql.target(), url=url)
    values = "SELECT 1 AS id, 'a' AS name UNION ALL SELECT 2, 'b'"
    try:
        assert read(target, values) == [(1, "a"), (2, "b")]
        whole = cutting.seen
        endings = set()
        for place in [*range(whole - 90, whole - 1, 11), whole - 1]:
            cutting.limit = place
            try:
                assert read(target, values) == [(1, "a"), (2, "b")]
                endings.add("all of it")
            except TargetError:
                endings.add("an error")
        assert "an error" in endings
    finally:
        cutting.close()
