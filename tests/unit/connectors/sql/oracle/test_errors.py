"""Oracle's numbers, the driver's codes, and what may be told of messages."""

from __future__ import annotations

import pytest

from workers.connectors.sql.oracle.errors import DRIVERS, VERDICTS, verdict, where
from workers.connectors.sql.verdicts import UNLISTED, judge
from workers.errors import ErrorClass, HoldLevel, Matter, Phase


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (60, ErrorClass.RETRY),
        (54, ErrorClass.RETRY),
        (8177, ErrorClass.RETRY),
        (12514, ErrorClass.RETRY),
        (1033, ErrorClass.RETRY),
        (3113, ErrorClass.AMBIGUOUS),
        (1013, ErrorClass.AMBIGUOUS),
        (1795, ErrorClass.SPLIT),
        (1704, ErrorClass.SPLIT),
        (1, ErrorClass.ISOLATE),
        (1400, ErrorClass.ISOLATE),
        (1438, ErrorClass.ISOLATE),
        (1722, ErrorClass.ISOLATE),
        (1861, ErrorClass.ISOLATE),
        (2291, ErrorClass.ISOLATE),
        (12899, ErrorClass.ISOLATE),
        (20500, ErrorClass.ISOLATE),
        (942, ErrorClass.HOLD),
        (904, ErrorClass.HOLD),
        (936, ErrorClass.HOLD),
        (1031, ErrorClass.HOLD),
        (1653, ErrorClass.HOLD),
        (9999, ErrorClass.UNKNOWN),
    ],
)
def test_a_number_means(number: int, expected: ErrorClass) -> None:
    assert verdict(number).error_class is expected


@pytest.mark.parametrize(
    ("driver", "text", "reason"),
    [
        ("DPY-4011", "the database or network closed the connection", "the link to the server was lost"),
        (
            "DPY-6000",
            "Listener refused connection. (Similar to ORA-12520)",
            "the listener has no room for another session",
        ),
        ("DPY-6000", "Listener refused connection. (Similar to ORA-9)", "the listener refuses the connection for now"),
        ("DPY-9999", "?", "an error of the driver that segsync has no rule for"),
    ],
)
def test_the_drivers_code_weighs_more_and_may_name_a_number(driver: str, text: str, reason: str) -> None:
    assert verdict(1, driver, text).reason == reason


def test_commit_says_what_it_rolled_back_for_in_its_second_line() -> None:
    text = "ORA-02091: transaction rolled back\nORA-00001: unique constraint (CRM.PK) violated"
    assert verdict(2091, "", text).matter is Matter.UNIQUE_KEY
    assert verdict(2091, "", "ORA-02091: transaction rolled back") is UNLISTED


def test_who_is_refused_before_any_query_holds_the_connector() -> None:
    for phase in (Phase.CONNECT, Phase.LOCK):
        error = judge(verdict(1017), phase, "oracle 1017")
        assert (error.error_class, error.level) == (ErrorClass.HOLD, HoldLevel.CONNECTOR)


def test_no_reason_is_the_servers() -> None:
    rows = [*VERDICTS.values(), *DRIVERS.values()]
    assert UNLISTED not in rows
    assert all(row.reason and "ORA-" not in row.reason for row in rows)


@pytest.mark.parametrize(
    ("number", "message", "expected"),
    [
        (904, 'ORA-00904: "T"."EMIAL": invalid identifier', "column 'EMIAL'"),
        (1400, 'ORA-01400: cannot insert NULL into ("CRM"."MEMBER"."EMAIL")', "table 'MEMBER', column 'EMAIL'"),
        (
            12899,
            'ORA-12899: value too large for column "CRM"."MEMBER"."NAME" (actual: 70, maximum: 60)',
            "table 'MEMBER', column 'NAME'",
        ),
        (1, "ORA-00001: unique constraint (CRM.PK) violated on ann@example.com", ""),
        (904, 'ORA-00904: "x", "y": ungültiger Bezeichner', ""),
    ],
)
def test_only_names_of_the_schema_are_told(number: int, message: str, expected: str) -> None:
    assert where(number, message) == expected
