"""ClickHouse's errors, and the assertion of what was set, without a server."""

from __future__ import annotations

import pytest

from workers.connectors.contract import Target
from workers.connectors.sql import extras
from workers.connectors.sql.clickhouse import errors, session
from workers.connectors.sql.clickhouse.vendor import CLICKHOUSE
from workers.connectors.sql.verdicts import UNLISTED
from workers.errors import ErrorClass, HoldLevel, TargetError

MISSING = (
    "Received ClickHouse exception, code: 60, server response: Code: 60. DB::Exception: Table crm.t does not exist. "
    "(UNKNOWN_TABLE) (version 26.9.2.1 (official build)) (for url http://127.0.0.1:8123)"
)


@pytest.mark.parametrize(
    ("error_class", "codes"),
    [
        (ErrorClass.RETRY, (3, 202, 203, 225, 242, 252, 285, 425, 439, 999)),
        (ErrorClass.AMBIGUOUS, (159, 209, 210, 319, 394, 1002)),
        (ErrorClass.SPLIT, (241, 168)),
        (ErrorClass.ISOLATE, (6, 26, 27, 38, 41, 53, 69, 70, 72, 130, 153, 190, 349, 427, 469)),
        (ErrorClass.HOLD, (60, 47, 15, 16, 34, 35, 50, 63, 352, 377, 81, 497, 516, 192, 193, 194, 243, 62)),
        (ErrorClass.UNKNOWN, (9999,)),
    ],
)
def test_each_code_has_its_class(error_class: ErrorClass, codes: tuple[int, ...]) -> None:
    assert {errors.verdict(code, "").error_class for code in codes} == {error_class}


def test_one_code_that_stands_for_several_things_is_told_apart_by_its_text() -> None:
    assert errors.verdict(62, "DB::Exception: Max query size exceeded (can be increased …)") is errors.TOO_LARGE
    assert errors.verdict(62, "DB::Exception: Syntax error: failed at position 1") is errors.SYNTAX
    assert errors.verdict(341, "Exception happened during execution of mutation 'm.txt'") is errors.MUTATION
    assert errors.verdict(341, "it is not finished").error_class is ErrorClass.AMBIGUOUS


def test_a_name_is_told_and_nothing_else() -> None:
    sentence = errors.said(MISSING)
    assert sentence == "DB::Exception: Table crm.t does not exist. (UNKNOWN_TABLE)"
    assert errors.where(60, sentence) == "table 'crm.t'"
    assert errors.named(60, sentence) == "crm.t"
    assert errors.where(53, "DB::Exception: Cannot convert string 'secret' to type Int64") == ""


def test_an_error_in_a_body_has_its_code() -> None:
    assert errors.code_in("\r\nCode: 241. DB::Exception: Memory limit exceeded") == 241
    assert errors.code_in("something else") is None
    assert UNLISTED.error_class is ErrorClass.UNKNOWN


def test_a_setting_that_is_not_kept_holds_the_connector() -> None:
    settings = session.pinned(Target("crm", "clickhouse", "clickhouse://h/d", timezone="Asia/Tokyo"))
    kept = list(settings.values())
    session.check(settings, lambda _question: kept)
    with pytest.raises(TargetError, match="session_timezone is 'UTC' instead of 'Asia/Tokyo'") as caught:
        session.check(settings, lambda _question: ["UTC" if value == "Asia/Tokyo" else value for value in kept])
    assert (caught.value.error_class, caught.value.level) == (ErrorClass.HOLD, HoldLevel.CONNECTOR)


def test_no_profile_gives_a_list_that_was_kept() -> None:
    """The engine that tests have keeps none: on a server with `use_query_cache` in the profile it is a minute old."""
    assert session.pinned(Target("crm", "clickhouse", "clickhouse://h/d"))["use_query_cache"] == "false"


def test_a_driver_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _module: None)
    for door in (CLICKHOUSE.link, CLICKHOUSE.examine):
        with pytest.raises(TargetError, match=r"expected pip install 'segsync\[clickhouse\]'"):
            door(Target("crm", "clickhouse", "clickhouse://h/d"))


def test_nothing_can_be_tried_and_taken_back() -> None:
    assert CLICKHOUSE.what_stays(Target("crm", "clickhouse", "clickhouse://h/d"), []) != ""
