"""What `check --connect` asks SQL Server. Its answers are made up, so only the reading of them is shown here.

That the questions are T-SQL is sqlglot's word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlglot

from tests.servers.tds import Refuse, Result
from workers.connectors.inspection import NUMBER_SPELLING, TIME_SPELLING, UniqueKey
from workers.connectors.sql.mssql.catalog import MssqlExamined
from workers.errors import ErrorClass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.tds_postgresql import Shared

COLUMNS = [
    ("segment_id", "bigint", 8, 19, 0, None, 1, None),
    ("client_id", "nvarchar", 510, 0, 0, "Latin1_General_CI_AS", 1, None),
    ("client_key", "varbinary", 510, 0, 0, None, 0, "(CONVERT([varbinary](510),[client_id]))"),
    ("Updated", "datetime2", 8, 26, 6, None, 0, None),
]


@pytest.fixture
def examined(mssql: Shared) -> Iterator[MssqlExamined]:
    examined = MssqlExamined(mssql.target())
    yield examined
    examined.close()
    for batch in mssql.server.batches:
        assert sqlglot.parse(batch, dialect="tsql"), batch


def answers(mssql: Shared, pattern: str, *rows: tuple[object, ...]) -> None:
    mssql.server.on(pattern, [Result(len(rows), list(rows), tuple(str(at) for at in range(len(rows[0]))))])


def test_every_step_is_told(mssql: Shared, examined: MssqlExamined) -> None:
    answers(mssql, "ProductVersion", ("16.0.4135.4", "Developer Edition (64-bit)", 3))
    answers(mssql, "Updateability", ("READ_WRITE",))
    mssql.server.on("SELECT CAST.@@SPID AS int.$", [Result(1, [(51,)], ("",))], times=2)
    steps = {step.name: (step.mark, step.what) for step in examined.steps()}
    assert {name: mark for name, (mark, _) in steps.items()} == dict.fromkeys(
        ("version", "direct", "lock", "ending", "writes"), "fine"
    )
    assert steps["version"][1] == "SQL Server 16.0.4135.4, Developer Edition (64-bit)"


def test_what_nobody_can_deliver_with_is_a_mistake(mssql: Shared, examined: MssqlExamined) -> None:
    answers(mssql, "ProductVersion", ("12.0.2000.8", "Express", 4))
    answers(mssql, "Updateability", ("READ_ONLY",))
    answers(mssql, "SELECT CAST.@@SPID AS int.$", (51,))
    answers(mssql, "SELECT CAST.@@SPID AS int.$", (52,))
    mssql.may_kill = False
    marks = {step.name: step.mark for step in examined.steps()}
    assert marks == {
        "version": "mistake", "direct": "mistake", "lock": "fine", "ending": "warning", "writes": "mistake",
    }  # fmt: skip


def test_a_table_is_told_with_what_its_columns_take_for_equal(mssql: Shared, examined: MssqlExamined) -> None:
    answers(mssql, "FROM sys.objects", (42, "U ", 1))
    answers(mssql, "HAS_PERMS_BY_NAME", ("UPDATE",))
    answers(mssql, "FROM sys.columns", *COLUMNS)
    answers(mssql, "COLLATE Latin1_General_CI_AS", (1, 0, 1, 0, 1, 0))
    answers(mssql, "FROM sys.indexes", ("PK", "segment_id", 0), ("PK", "client_key", 0), ("UX", "Updated", 1))
    table = examined.table("dbo", "segment_member")
    assert table is not None
    kinds = {name: (column.type, column.family, column.required) for name, column in table.columns.items()}
    assert kinds == {
        "segment_id": ("bigint", "number", True),
        "client_id": ("nvarchar(255)", "text", True),
        "client_key": ("varbinary(510)", "other", False),
        "updated": ("datetime2(6)", "other", False),
    }
    assert table.columns["client_id"].merges == ("case", "trailing blanks", "width")
    assert table.columns["segment_id"].merges == (NUMBER_SPELLING,)
    assert table.columns["updated"].merges == (TIME_SPELLING,)
    assert "varbinary" in table.columns["client_key"].computed
    assert (table.triggers, table.lacks) == (True, ("UPDATE",))
    assert table.unique == (
        UniqueKey("PK", ("segment_id", "client_key")),
        UniqueKey("UX", ("updated",), partial=True),
    )


def test_a_table_that_is_not_there_is_none(mssql: Shared, examined: MssqlExamined) -> None:
    mssql.server.on("FROM sys.objects", [Result(0, [], ("a", "b"))])
    assert examined.table("", "we[ird]") is None
    assert "OBJECT_ID(N'[we[ird]]]')" in mssql.server.batches[-1]


def test_a_statement_is_compiled_and_not_run(mssql: Shared, examined: MssqlExamined) -> None:
    mssql.server.on("^MERGE", [])
    assert examined.explain("MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE;") is None
    mssql.server.on("^DELETE", Refuse(207, "Invalid column name 'segid'."))
    refusal = examined.explain("DELETE FROM t WHERE segid = 7;")
    assert refusal is not None
    assert (refusal.surely, refusal.error.code, refusal.error.error_class) == (True, "mssql 207", ErrorClass.HOLD)
    sent = [batch for batch in mssql.server.batches if "NOEXEC" in batch or batch.startswith(("MERGE", "DELETE"))]
    assert [batch.split(" ")[0:3] for batch in sent] == [
        ["SET", "NOEXEC", "ON"], ["MERGE", "INTO", "t"], ["SET", "NOEXEC", "OFF"],
        ["SET", "NOEXEC", "ON"], ["DELETE", "FROM", "t"], ["SET", "NOEXEC", "OFF"],
    ]  # fmt: skip
