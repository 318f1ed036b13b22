"""SQL Server's numbers, and what may be told of its messages."""

from __future__ import annotations

import pytest

from workers.connectors.sql.mssql.errors import LOST, SILENT, VERDICTS, verdict, where
from workers.connectors.sql.verdicts import UNLISTED, judge
from workers.errors import ErrorClass, HoldLevel, Matter, Phase


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1205, ErrorClass.RETRY),
        (1222, ErrorClass.RETRY),
        (40613, ErrorClass.RETRY),
        (41302, ErrorClass.RETRY),
        (701, ErrorClass.RETRY),
        (10738, ErrorClass.SPLIT),
        (8623, ErrorClass.SPLIT),
        (2601, ErrorClass.ISOLATE),
        (2627, ErrorClass.ISOLATE),
        (547, ErrorClass.ISOLATE),
        (515, ErrorClass.ISOLATE),
        (2628, ErrorClass.ISOLATE),
        (8152, ErrorClass.ISOLATE),
        (245, ErrorClass.ISOLATE),
        (9420, ErrorClass.ISOLATE),
        (50000, ErrorClass.ISOLATE),
        (208, ErrorClass.HOLD),
        (207, ErrorClass.HOLD),
        (229, ErrorClass.HOLD),
        (102, ErrorClass.HOLD),
        (1105, ErrorClass.HOLD),
        (9002, ErrorClass.HOLD),
        (99, ErrorClass.UNKNOWN),
    ],
)
def test_a_number_means(number: int, expected: ErrorClass) -> None:
    assert verdict(number).error_class is expected


def test_a_lost_link_and_a_time_that_is_up_are_ambiguous() -> None:
    """Microsoft's drivers call these -2, 64, 121, 233 and 10054; a server means other things by those numbers."""
    assert {LOST.error_class, SILENT.error_class} == {ErrorClass.AMBIGUOUS}
    assert verdict(121).error_class is ErrorClass.HOLD
    assert verdict(233).error_class is ErrorClass.ISOLATE


def test_who_is_refused_holds_the_connector_unless_a_query_says_so() -> None:
    """A trigger raises any number that it likes, for its own rows only."""
    error = judge(verdict(18456), Phase.EXECUTE, "mssql 18456")
    assert (error.error_class, error.level) == (ErrorClass.HOLD, HoldLevel.INTEGRATION)
    for phase in (Phase.CONNECT, Phase.LOCK):
        error = judge(verdict(18456), phase, "mssql 18456")
        assert (error.error_class, error.level) == (ErrorClass.HOLD, HoldLevel.CONNECTOR)


def test_a_conflict_leaves_no_doubt_even_in_commit() -> None:
    assert judge(verdict(3960), Phase.COMMIT, "mssql 3960").error_class is ErrorClass.RETRY
    assert judge(LOST, Phase.COMMIT, "mssql link").error_class is ErrorClass.AMBIGUOUS


def test_a_unique_key_is_told_from_other_data() -> None:
    assert verdict(2627).matter is Matter.UNIQUE_KEY


def test_no_reason_is_two_and_none_is_the_servers() -> None:
    assert UNLISTED not in VERDICTS.values()
    assert all(row.reason and "%" not in row.reason for row in VERDICTS.values())


@pytest.mark.parametrize(
    ("number", "message", "expected"),
    [
        (208, "Invalid object name 'dbo.nowhere'.", "table 'dbo.nowhere'"),
        (207, "Invalid column name 'emial'.", "column 'emial'"),
        (
            515,
            "Cannot insert the value NULL into column 'email', table 'crm.dbo.t'; column does not allow nulls.",
            "column 'email', table 'crm.dbo.t'",
        ),
        (
            2628,
            "String or binary data would be truncated in table 'dbo.t', column 'c'. Truncated value: 'x', table 'y'.",
            "table 'dbo.t', column 'c'",
        ),
        (2627, "Violation of PRIMARY KEY constraint 'PK'. The duplicate key value is (ann@example.com).", ""),
        (208, "Ungültiger Objektname 'x'.", ""),
    ],
)
def test_only_names_of_the_schema_are_told(number: int, message: str, expected: str) -> None:
    assert where(number, message) == expected
