"""A batch of 10,000 on SQL Server and Oracle, both played: all of it in one transaction, and once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.presets import Told
from tests.servers.oracle_played import refusal
from workers.connectors import connect
from workers.connectors.contract import Group, Positions, Shipment
from workers.errors import ErrorClass, TargetError
from workers.templates import QueryKind, Row, compile_query

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.oracle_played import Shared as Oracle
    from tests.servers.tds_postgresql import Shared as SqlServer
    from workers.connectors.contract import Target

SIZE = 10_000
ADD = {
    "mssql": "INSERT INTO member (c) VALUES {for $lead = $batch}('{$lead.c}'){autocomma}{end}",
    "oracle": "INSERT INTO member (c) {for $i, $lead = $batch}\n{if $i > 0}UNION ALL {end}"
    "SELECT '{$lead.c}' FROM dual\n{end}",
}
TABLES = (
    "CREATE TABLE member (c varchar(20) PRIMARY KEY)",
    "CREATE TABLE segsync_position (lane char(32) PRIMARY KEY, integration text, position text)",
)


def sequence(number: int) -> str:
    return f"{number:027}"


def shipment(dialect: str, size: int = SIZE) -> Shipment:
    query = compile_query(ADD[dialect], dialect=dialect, kind=QueryKind.ADD, batch=True, where="add")
    members = tuple(Told(sequence(n), Row({"c": f"key {n}"}, 0, n)) for n in range(1, size + 1))
    positions = Positions(settled="", handed_out=sequence(size), known=lambda _: "there")
    groups = (Group(QueryKind.ADD, members),)
    return Shipment(
        "crm", "7", "VIP", "lane", sequence(1), sequence(size), {QueryKind.ADD: query}, groups, positions=positions
    )


def fence(seconds: float = 0.0) -> None:
    """The lane is ours."""
    assert seconds >= 0


def check(target: Target, dialect: str, lose_the_answer: Callable[[], None]) -> None:
    connector = connect(target)
    session = connector.open()
    session.begin(None, 1.0)
    for table in TABLES:
        session.execute(table)
    session.commit()

    lose_the_answer()
    with pytest.raises(TargetError) as caught:
        session.deliver(shipment(dialect), fence)
    assert caught.value.error_class is ErrorClass.AMBIGUOUS
    session.discard()

    session = connector.open()
    receipt = session.deliver(shipment(dialect), fence)
    assert sum(run.rows for run in receipt.queries) in (0, SIZE)
    session.begin(None, 1.0)
    assert session._link.value("SELECT count(*) FROM member") == str(SIZE)
    session.rollback()
    session.close()
    connector.dispose()


def test_sql_server_a_committed_batch_whose_answer_was_lost_is_not_repeated(mssql: SqlServer) -> None:
    check(mssql.target(), "mssql", lambda: mssql.server.on("^COMMIT", "run and drop"))
    inserts = [batch for batch in mssql.server.batches if batch.startswith("INSERT INTO member")]
    assert [batch.count("'key ") for batch in inserts] == [1000] * 10


def test_oracle_a_batch_that_was_lost_before_commit_comes_again_whole(oracle: Oracle) -> None:
    check(oracle.target(), "oracle", lambda: oracle.failing.update({"COMMIT": [refusal(3113)]}))
    inserts = [text for text in oracle.executed if text.startswith("INSERT INTO member")]
    assert [text.count("'key ") for text in inserts] == [1000] * 20
