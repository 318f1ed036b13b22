"""What a verdict comes to, by what was going on."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from workers.connectors.sql.mysql import errors as mysql_errors
from workers.connectors.sql.mysql.codes import VERDICTS
from workers.connectors.sql.postgresql import errors as postgresql_errors
from workers.connectors.sql.sqlite import errors as sqlite_errors
from workers.connectors.sql.verdicts import DEFERRED, LONGEST_DETAIL, UNLISTED, Verdict, judge, target
from workers.errors import ErrorClass, HoldLevel, Phase

if TYPE_CHECKING:
    from collections.abc import Iterable

LANE, INTEGRATION, CONNECTOR = HoldLevel.LANE, HoldLevel.INTEGRATION, HoldLevel.CONNECTOR


def come_to(error_class: ErrorClass, phase: Phase, *, undone: bool = False) -> tuple[ErrorClass, HoldLevel | None]:
    error = judge(Verdict(error_class, "x", undone=undone), phase, "code")
    return error.error_class, error.level if error.error_class is ErrorClass.HOLD else None


@pytest.mark.parametrize("error_class", ErrorClass)
def test_whatever_is_met_while_connecting_holds_the_connector_or_is_retried(error_class: ErrorClass) -> None:
    passing = error_class in {ErrorClass.RETRY, ErrorClass.AMBIGUOUS}
    expected = (ErrorClass.RETRY, None) if passing else (ErrorClass.HOLD, CONNECTOR)
    assert come_to(error_class, Phase.CONNECT) == expected


@pytest.mark.parametrize(
    ("error_class", "expected"),
    [
        (ErrorClass.RETRY, (ErrorClass.RETRY, None)),
        (ErrorClass.AMBIGUOUS, (ErrorClass.RETRY, None)),
        (ErrorClass.SPLIT, (ErrorClass.UNKNOWN, None)),
        (ErrorClass.ISOLATE, (ErrorClass.UNKNOWN, None)),
        (ErrorClass.HOLD, (ErrorClass.HOLD, CONNECTOR)),
        (ErrorClass.UNKNOWN, (ErrorClass.UNKNOWN, None)),
    ],
)
def test_before_the_users_queries_nothing_is_the_datas_fault(
    error_class: ErrorClass, expected: tuple[ErrorClass, HoldLevel | None]
) -> None:
    assert come_to(error_class, Phase.LOCK) == expected


@pytest.mark.parametrize("phase", [Phase.EXECUTE, Phase.COMMIT])
def test_what_a_query_meets_holds_no_connector(phase: Phase) -> None:
    """It was let in; and a trigger may name a code of logins, of a damaged table or of TLS for one row."""
    assert judge(target("x"), phase, "code").level is INTEGRATION
    assert judge(target("x"), Phase.LOCK, "code").level is CONNECTOR


@pytest.mark.parametrize(
    "full",
    [
        mysql_errors.verdict(1021, "HY000"),
        mysql_errors.verdict(1114, "HY000"),
        postgresql_errors.verdict("53100"),
        sqlite_errors.verdict("SQLITE_FULL", ""),
    ],
)
def test_a_full_disk_is_retried(full: Verdict) -> None:
    """Somebody makes room, and what waits goes on: nothing has to be told to try again."""
    assert full.error_class is ErrorClass.RETRY


@pytest.mark.parametrize("code", [2002, 2013, 2026, 2059])
def test_a_code_of_the_clients_that_a_server_sends_is_a_triggers_own(code: int) -> None:
    assert mysql_errors.verdict(code, "HY000").error_class is ErrorClass.ISOLATE
    assert mysql_errors.verdict(code).error_class is not ErrorClass.ISOLATE


@pytest.mark.parametrize("error_class", ErrorClass)
def test_the_table_holds_for_the_users_queries(error_class: ErrorClass) -> None:
    expected = INTEGRATION if error_class is ErrorClass.HOLD else None
    assert come_to(error_class, Phase.EXECUTE) == (error_class, expected)


@pytest.mark.parametrize(
    ("error_class", "expected"),
    [
        (ErrorClass.RETRY, (ErrorClass.AMBIGUOUS, None)),
        (ErrorClass.AMBIGUOUS, (ErrorClass.AMBIGUOUS, None)),
        (ErrorClass.SPLIT, (ErrorClass.SPLIT, None)),
        (ErrorClass.ISOLATE, (ErrorClass.ISOLATE, None)),
        (ErrorClass.HOLD, (ErrorClass.HOLD, INTEGRATION)),
        (ErrorClass.UNKNOWN, (ErrorClass.UNKNOWN, None)),
    ],
)
def test_a_commit_that_failed_may_have_been_done(
    error_class: ErrorClass, expected: tuple[ErrorClass, HoldLevel | None]
) -> None:
    assert come_to(error_class, Phase.COMMIT) == expected


def test_a_commit_that_the_server_says_it_undid_is_retried() -> None:
    assert come_to(ErrorClass.RETRY, Phase.COMMIT, undone=True) == (ErrorClass.RETRY, None)


def test_data_refused_at_commit_says_what_to_do() -> None:
    assert judge(Verdict(ErrorClass.ISOLATE, "x"), Phase.COMMIT, "code").reason == DEFERRED


def test_the_vendors_text_is_kept_apart_and_bounded() -> None:
    error = judge(Verdict(ErrorClass.ISOLATE, "ours"), Phase.EXECUTE, "code", where="table 't'", detail="v" * 9000)
    assert (str(error), len(error.detail)) == ("code: ours (table 't')", LONGEST_DETAIL)


def all_verdicts() -> Iterable[Verdict]:
    yield UNLISTED
    yield from VERDICTS.values()
    yield from postgresql_errors.VERDICTS.values()
    yield from (verdict for _, verdict in postgresql_errors.CONNECTING)
    yield from sqlite_errors.VERDICTS.values()
    yield from (verdict for _, verdict in sqlite_errors.TEXTS)


def test_every_reason_is_a_sentence_of_ours() -> None:
    for verdict in all_verdicts():
        assert verdict.reason
        assert not verdict.reason.endswith(".")
        assert verdict.reason[0].islower() or verdict.reason.startswith(("TLS", "ON CONFLICT"))


def test_codes_that_no_table_names_are_unknown() -> None:
    assert mysql_errors.verdict(9999) is mysql_errors.verdict(9999, "42000") is UNLISTED
    assert mysql_errors.verdict(1999, "42000").error_class is ErrorClass.HOLD, "of the server's own, the statement's"
    assert mysql_errors.verdict(1461, "42000").error_class is ErrorClass.RETRY, "the server's, and not the statement's"
    assert mysql_errors.verdict(1162, "42000").error_class is ErrorClass.ISOLATE
    assert postgresql_errors.verdict("26000") is UNLISTED
    assert postgresql_errors.verdict("ZZ999").error_class is ErrorClass.ISOLATE, "a user's own class"
    assert sqlite_errors.verdict("SQLITE_NEW", "") is UNLISTED
    assert postgresql_errors.connecting("etwas ging schief") is UNLISTED


def test_a_sqlstate_is_judged_by_itself_or_by_its_class() -> None:
    assert postgresql_errors.verdict("22001") is not postgresql_errors.verdict("22099")
    assert postgresql_errors.verdict("22099") is postgresql_errors.VERDICTS["22"]
    assert postgresql_errors.verdict("08P01") is postgresql_errors.LOST
    assert postgresql_errors.verdict(None) is postgresql_errors.LOST


def test_an_extended_sqlite_code_is_judged_by_itself_or_by_its_primary_one() -> None:
    assert sqlite_errors.verdict("SQLITE_BUSY_SNAPSHOT", "") is sqlite_errors.VERDICTS["SQLITE_BUSY"]
    assert sqlite_errors.verdict("SQLITE_IOERR_FSYNC", "") is sqlite_errors.VERDICTS["SQLITE_IOERR"]


def test_a_sqlite_code_without_a_name_has_its_primary_ones() -> None:
    error = sqlite3.IntegrityError()
    error.sqlite_errorname, error.sqlite_errorcode = "unknown", 3091
    assert sqlite_errors.named(error) == "SQLITE_CONSTRAINT"
    error.sqlite_errorcode = 99
    assert sqlite_errors.named(error) == "SQLITE_99"
    assert sqlite_errors.named(sqlite3.ProgrammingError()) is None


def test_a_host_name_is_no_reason() -> None:
    said = 'connection to server at "database.role.SSL" (10.0.0.1), port 5432 failed: Connection refused'
    assert postgresql_errors.connecting(said).error_class is ErrorClass.RETRY


@pytest.mark.parametrize(
    ("code", "message", "where"),
    [
        (1146, "Table 'crm.people' doesn't exist", "table 'crm.people'"),
        (1048, "Column 'email' cannot be null", "column 'email'"),
        (1142, "INSERT command denied to user 'u'@'h' for table `crm`.`people`", "table 'crm.people'"),
        (1366, "Incorrect integer value: 'x' for column 'n' at row 1", ""),
        (1062, "Duplicate entry 'ann' for key 'name'", ""),
        (1406, "Data too long for column 'ann@example.com' at row 1", ""),
        (1406, "x Data too long for column 'n' at row 1", ""),
        (1054, "Unknown column 'ann@example.com' in 'field list'", ""),
    ],
)
def test_names_are_taken_only_from_messages_that_hold_nothing_else(code: int, message: str, where: str) -> None:
    assert mysql_errors.where(code, message) == where


@pytest.mark.parametrize(("code", "own"), [(1044, "42000"), (1045, "28000"), (1046, "3D000"), (1049, "42000")])
def test_a_signal_that_borrows_a_logins_code_is_one_profiles(code: int, own: str) -> None:
    assert mysql_errors.verdict(code, "HY000").error_class is ErrorClass.ISOLATE
    assert mysql_errors.verdict(code, own) is mysql_errors.verdict(code) is VERDICTS[code]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('FATAL: password authentication failed for user "u"', "refuses this user or password"),
        ('FATAL: no pg_hba.conf entry for host "h"', "accepts no connections from this host"),
        ('FATAL: GSSAPI authentication failed for user "u"', "the server refuses this user"),
    ],
)
def test_what_a_primary_refuses_is_no_failover(said: str, reason: str) -> None:
    """Of two hosts the standby is not what target_session_attrs asks for, as always."""
    both = f'connection to server at "a" failed: {said}\nconnection to server at "b" failed: session is read-only'
    found = postgresql_errors.connecting(both)
    assert (found.error_class, reason in found.reason) == (ErrorClass.HOLD, True), found
