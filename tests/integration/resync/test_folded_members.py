"""Members whom a target keeps in one row, or in one that is spelled otherwise: they are not missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.resync.platform import Platform
from workers.cli.commands.resync import _verdict
from workers.resync import folded

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase
    from workers.resync.run import ResyncRun

ACCEPTED: dict[str, Any] = {"accept_removals": 100, "accept_adds": 1000}
on_mysql = pytest.mark.parametrize("target", ["mysql"], indirect=True)
UNICODE = "varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL"


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    return Platform(make_job(target))


def column_is(platform: Platform, kind: str) -> None:
    """Of the key, in a table that takes each key once."""
    columns = f"segment_id bigint, client_id {kind}, updated varchar(40), UNIQUE (segment_id, client_id)"
    platform.target.run("DROP TABLE member", f"CREATE TABLE member ({columns})")


def told(run: ResyncRun) -> tuple[str, int, int, int, int]:
    return run.outcome, run.missing, run.strays, run.spelled, run.folded


EXACT = ", exact binary(32) AS (UNHEX(SHA2(client_id, 256))) STORED, UNIQUE (segment_id, exact)"
COLUMNS = {"mysql": UNICODE, "postgresql": "integer", "sqlite": "text COLLATE NOCASE"}
ALIKE = {
    "mysql": ("Ann", "ann", "José", "JOSE"),
    "postgresql": ("7", "007", "8", "08"),
    "sqlite": ("Ann", "ann", "b", "B"),
}


def test_members_who_share_a_row_are_told_as_that(platform: Platform) -> None:
    """A resync had told them, and `verify` said for ever that half of them were missing."""
    dialect = platform.target.dialect
    column_is(platform, COLUMNS[dialect])
    platform.has(7, *ALIKE[dialect])
    assert platform.resync(7).outcome == "done"
    assert len(platform.target.members()) == 2
    run = platform.resync(7, "verify")
    assert (told(run), run.rows, run.looks) == (("equal", 0, 0, 0, 2), 2, 0)
    assert len(platform.shown(run)["folded"]) == 2
    assert "; 2 members folded: the target takes" in _verdict(run)
    again = platform.resync(7)
    assert (told(again), again.added) == (("done", 0, 0, 0, 2), 4)


@pytest.mark.parametrize("target", ["mysql", "postgresql"], indirect=True)
def test_a_row_that_the_target_has_spelled_otherwise_is_its_members(platform: Platform) -> None:
    """Keys with zeros in a column of numbers: all rows of a segment are spelled so, and nobody's word is asked for."""
    column_is(platform, "integer")
    platform.has(7, "00042", "0043")
    platform.target_has(7, "42")
    run = platform.resync(7, "verify")
    assert (told(run), platform.shown(run)) == (
        ("differs", 1, 0, 0, 1),
        {"folded": ["00042"], "missing": ["0043"]},
    )
    assert told(platform.resync(7)) == ("done", 1, 0, 0, 1)
    assert told(platform.resync(7, "verify")) == ("equal", 0, 0, 0, 2)


def test_what_a_target_keeps_apart_is_missing(platform: Platform) -> None:
    """Though a fold takes them for one."""
    platform.has(7, "Ann", "ann", "7", "007")
    platform.target_has(7, "ann", "7")
    assert told(platform.resync(7, "verify")) == ("differs", 2, 0, 0, 0)


@on_mysql
def test_a_member_who_is_alike_in_another_language_alone_is_missing(platform: Platform) -> None:
    """A fold takes all three for one, and the target two of them: the row that it names says nothing of the third."""
    column_is(platform, UNICODE)
    platform.has(7, "ann", "Ann", "aann")
    platform.target_has(7, "ann")
    run = platform.resync(7, "verify")
    assert (told(run), platform.shown(run)) == (("differs", 1, 0, 0, 1), {"folded": ["Ann"], "missing": ["aann"]})


@on_mysql
@pytest.mark.parametrize("key", ["", EXACT])
def test_a_table_that_could_have_both_rows_is_not_asked(platform: Platform, key: str) -> None:
    """It takes the two for equal where it compares them, and none the less keeps a row for each."""
    platform.target.run("DROP TABLE member", f"CREATE TABLE member (segment_id bigint, client_id {UNICODE}{key})")
    loop = "{for $index, $lead = $batch}({segment_id}, '{$lead.CustomID}'){autocomma}{end}"
    platform.configure(add=f"INSERT INTO member (segment_id, client_id) VALUES {loop}")
    platform.has(7, "Ann", "ann")
    platform.target_has(7, "ann")
    assert told(platform.resync(7, "verify")) == ("differs", 1, 0, 0, 0)


@pytest.mark.parametrize("target", ["postgresql"], indirect=True)
def test_a_key_that_the_target_cannot_be_asked_for_is_missing_alone(platform: Platform) -> None:
    """A column of numbers refuses the whole question for it."""
    column_is(platform, "integer")
    platform.has(7, "7", "007", "A-1", *(f"000{number}" for number in range(10, 20)))
    platform.target_has(7, "7", *map(str, range(10, 20)))
    run = platform.resync(7, "verify")
    assert (told(run), platform.shown(run)["missing"]) == (("differs", 1, 0, 0, 11), ["A-1"])


@pytest.mark.parametrize("target", ["postgresql"], indirect=True)
def test_a_target_that_refuses_all_is_soon_left_alone(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folded, "MOST_REFUSED", 3)
    asked, ask = [0], folded._Question.ask

    def counts(*given: Any) -> Any:
        asked[0] += 1
        return ask(*given)

    monkeypatch.setattr(folded._Question, "ask", counts)
    column_is(platform, "integer")
    platform.has(7, "7", *(f"A-{number}" for number in range(20)))
    platform.target_has(7, "7")
    assert told(platform.resync(7, "verify")) == ("differs", 20, 0, 0, 0)
    assert asked[0] == 2 * 4, "at each look"


@on_mysql
@pytest.mark.parametrize(("setting", "value"), [("MOST_ASKED", 1), (None, "exact")])
def test_who_says_otherwise_or_lacks_too_much_is_not_asked(
    platform: Platform, setting: str | None, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if setting:
        monkeypatch.setattr(folded, setting, value)
    else:
        platform.configure(ordering=f'"{value}"')
    column_is(platform, UNICODE)
    platform.has(7, "Ann", "ann", "Bob", "bob")
    platform.target_has(7, "ann", "bob")
    assert told(platform.resync(7, "verify")) == ("differs", 2, 0, 0, 0)


@on_mysql
def test_keys_of_several_fields_are_asked_for_as_one(platform: Platform) -> None:
    made = f"CREATE TABLE pair (segment_id bigint, a {UNICODE}, b int, UNIQUE (segment_id, a, b))"
    platform.target.run(made, "INSERT INTO pair VALUES (7, 'ann', 1), (7, 'ann', 2), (7, 'it''s', 3)")
    place = "SUBSTRING_INDEX(custom_id, ' ', {})"
    platform.configure(
        members=f"SELECT id AS _id, {place.format(1)} AS a, {place.format(-1)} AS b FROM membership "
        "WHERE segment_id = {segment_id}",
        members_query="SELECT a, b FROM pair WHERE segment_id = {segment_id}",
        scope='{ database = "main", segments = "all" }\nkey = ["a", "b"]',
        add="INSERT INTO pair (segment_id, a, b) VALUES ({segment_id}, '{lead.a}', '{lead.b}') "
        "ON DUPLICATE KEY UPDATE b = VALUES(b)",
        remove="DELETE FROM pair WHERE segment_id = {segment_id} AND a = '{lead.a}' AND b = '{lead.b}'",
        leave_out=("key", "batch", "clear", "segment_delete"),
    )
    platform.has(7, "ann 1", "Ann 1", "ann 02", "Ann 3", "IT'S 3")
    run = platform.resync(7, "verify")
    assert (told(run), platform.shown(run)["missing"]) == (("differs", 1, 0, 0, 3), ["Ann, 3"])
