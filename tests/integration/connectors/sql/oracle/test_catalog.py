"""What `check --connect` asks Oracle. Its answers are made up, so only the reading of them is shown here.

That the questions are Oracle's SQL is sqlglot's word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlglot

from tests.servers.oracle_played import refusal
from workers.connectors.inspection import NUMBER_SPELLING, TIME_SPELLING, UniqueKey
from workers.connectors.sql.oracle.catalog import OracleExamined
from workers.errors import ErrorClass, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.oracle_played import Shared

#           name        type        bytes chars unit precision scale null default identity virtual expression
COLUMNS = [
    ("SEGMENT_ID", "NUMBER", 22, 0, None, 19, 0, "N", None, "NO", "NO", None),
    ("CLIENT_ID", "VARCHAR2", 1020, 255, "C", None, None, "N", None, "NO", "NO", None),
    ("CODE", "CHAR", 8, 8, "B", None, None, "Y", None, "NO", "NO", None),
    ("ID", "NUMBER", 22, 0, None, None, None, "N", 20, "YES", "NO", None),
    ("LOWERED", "VARCHAR2", 1020, 255, "C", None, None, "Y", 20, "NO", "YES", 'LOWER("CLIENT_ID")'),
    ("UPDATED", "TIMESTAMP(6)", 11, 0, None, None, 6, "N", None, "NO", "NO", None),
]


@pytest.fixture
def examined(oracle: Shared) -> Iterator[OracleExamined]:
    examined = OracleExamined(oracle.target())
    yield examined
    examined.close()
    for statement in oracle.executed:
        if not statement.startswith(("ALTER", "BEGIN")):
            assert sqlglot.parse_one(statement, dialect="oracle") is not None


def test_every_step_is_told(oracle: Shared, examined: OracleExamined) -> None:
    oracle.answers["nls_database_parameters"] = [("AL32UTF8",)]
    oracle.answers["DATABASE_ROLE"] = [("PRIMARY",)]
    steps = {step.name: (step.mark, step.what) for step in examined.steps()}
    assert {name: mark for name, (mark, _) in steps.items()} == dict.fromkeys(
        ("version", "direct", "lock", "ending", "writes"), "fine"
    )
    assert steps["lock"][1] == "a lock can be taken (DBMS_LOCK)"


def test_what_would_bite_is_told(oracle: Shared, examined: OracleExamined) -> None:
    oracle.answers["nls_database_parameters"] = [("WE8MSWIN1252",)]
    oracle.answers["DATABASE_ROLE"] = [("PHYSICAL STANDBY",)]
    oracle.grants.remove("kill")
    steps = {step.name: step.mark for step in examined.steps()}
    assert steps == {
        "version": "warning", "direct": "fine", "lock": "fine", "ending": "warning", "writes": "mistake",
    }  # fmt: skip


def test_without_a_lock_the_step_says_what_to_do(oracle: Shared) -> None:
    oracle.grants.remove("lock")
    oracle.answers["nls_database_parameters"] = [("AL32UTF8",)]
    oracle.answers["DATABASE_ROLE"] = [("PRIMARY",)]
    examined = OracleExamined(oracle.target())
    lock = next(step for step in examined.steps() if step.name == "lock")
    assert (lock.mark, "GRANT EXECUTE ON SYS.DBMS_LOCK" in lock.what) == ("mistake", True)
    examined.close()


def test_a_table_is_told_with_what_its_columns_take_for_equal(oracle: Shared, examined: OracleExamined) -> None:
    oracle.answers["all_objects"] = [("CRM", "SEGMENT_MEMBER", "TABLE")]
    oracle.answers["all_triggers"] = [(0,)]
    oracle.answers["all_tab_cols"] = COLUMNS
    oracle.answers["all_indexes"] = [("PK", "SEGMENT_ID"), ("PK", "CLIENT_ID"), ("UX", "SYS_NC00007$")]
    table = examined.table("", "segment_member")
    assert table is not None
    kinds = {name: (each.type, each.family, each.required, each.merges) for name, each in table.columns.items()}
    assert kinds == {
        "segment_id": ("number(19)", "number", True, (NUMBER_SPELLING,)),
        "client_id": ("varchar2(255 char)", "text", True, ()),
        "code": ("char(8 byte)", "text", False, ("trailing blanks",)),
        "id": ("number", "number", False, (NUMBER_SPELLING,)),
        "lowered": ("varchar2(255 char)", "text", False, ()),
        "updated": ("timestamp(6)", "other", True, (TIME_SPELLING,)),
    }
    assert not table.triggers
    assert table.columns["lowered"].computed == 'LOWER("CLIENT_ID")'
    assert table.unique == (UniqueKey("PK", ("segment_id", "client_id")), UniqueKey("UX", (), computed=True))


def test_a_table_that_is_not_there_is_none(oracle: Shared, examined: OracleExamined) -> None:
    oracle.answers["all_objects"] = []
    assert examined.table("crm", "o'ther") is None
    assert "UPPER('o''ther')" in oracle.executed[-1]


def test_a_statement_is_parsed_and_not_run(oracle: Shared, examined: OracleExamined) -> None:
    assert examined.explain("DELETE FROM dual WHERE dummy = 'Y'") is not None, "a view cannot be changed"
    oracle.failing["PARSE"] = [refusal(942, "table or view does not exist")]
    refusal_of_it = examined.explain("DELETE FROM nowhere")
    assert refusal_of_it is not None
    assert (refusal_of_it.surely, refusal_of_it.error.code) == (True, "oracle 942")
    oracle.failing["PARSE"] = [refusal(3113)]
    with pytest.raises(TargetError) as caught:
        examined.explain("DELETE FROM nowhere")
    assert caught.value.error_class is ErrorClass.AMBIGUOUS
