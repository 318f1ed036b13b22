"""What a source's list of members may hold, on each database, and what is no list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.resync.platform import LISTED, Platform
from workers.resync import changing, comparing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

ACCEPTED: dict[str, Any] = {"accept_removals": 100, "accept_adds": 1000}
on_one = pytest.mark.parametrize("target", ["sqlite"], indirect=True)

NO_CASE = {"sqlite": "custom_id COLLATE NOCASE", "postgresql": "lower(custom_id)", "mysql": "lower(custom_id)"}
"""An order in which `D` comes last, and is before all others for a `>` that compares bytes."""
BINARY = {"sqlite": "custom_id", "postgresql": 'custom_id COLLATE "C"', "mysql": "CAST(custom_id AS BINARY)"}


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    return Platform(make_job(target))


def page_by_text(platform: Platform, members_query: str | None = LISTED) -> None:
    dialect = platform.target.dialect
    quoted = "`" if dialect == "mysql" else '"'
    platform.configure(
        members=f"SELECT custom_id AS _id, custom_id AS {quoted}CustomID{quoted} FROM membership WHERE segment_id = "
        f"{{segment_id}} AND {BINARY[dialect]} > {{after}} ORDER BY {NO_CASE[dialect]} LIMIT {{limit}}",
        first="''",
        members_query=members_query,
    )


def test_pages_in_an_order_of_their_own_lose_no_member(platform: Platform) -> None:
    """Behind `c` the database finds no `D`: read by pages, it would be no member, and its row removed."""
    page_by_text(platform)
    platform.has(7, "a", "b", "c", "D", "missing")
    platform.target_has(7, "a", "b", "c", "D", "x")
    run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, run.why) == ("done", "")
    assert (run.members, run.removed) == (5, 1)
    assert platform.rows(7) == {"a", "b", "c", "D", "missing"}


@on_one
@pytest.mark.parametrize("mode", ["diff", "replace"])
def test_texts_of_a_large_segment_are_told_as_they_were_compared(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Told by pages, `D` would be told to nobody, and in the mode replace have lost its row."""
    monkeypatch.setattr(changing, "SMALL", 2)
    page_by_text(platform, members_query=LISTED if mode == "diff" else None)
    platform.has(7, "a", "b", "c", "D")
    platform.target_has(7, "a")
    run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, run.mode, run.added) == ("done", mode, 4)
    assert platform.rows(7) == {"a", "b", "c", "D"}


@on_one
def test_a_column_that_is_missing_empties_no_field_of_all_rows(platform: Platform) -> None:
    """As `Seen` without quotes is `seen` to PostgreSQL: missing is null, and each member would be told with that."""
    loop = "{for $index, $lead = $batch}({segment_id}, '{$lead.CustomID}', '{$lead.Seen}'){autocomma}{end}"
    add = f"INSERT INTO member (segment_id, client_id, updated) VALUES {loop}"
    add += " ON CONFLICT (segment_id, client_id) DO UPDATE SET updated = excluded.updated"
    platform.configure(add=add)
    platform.has(7, "a")
    platform.target.run("INSERT INTO member (segment_id, client_id, updated) VALUES (7, 'a', 'yesterday')")
    run = platform.resync(7)
    assert run.outcome == "needs confirmation"
    assert "the source has no column 'Seen', which the query `add` names" in run.why
    assert platform.target.run("SELECT updated FROM member")[0][0] == "yesterday"
    assert platform.resync(7, "verify").outcome == "equal"

    platform.configure(members=platform.paged.replace("SELECT", 'SELECT NULL AS "Seen",', 1), add=add)
    assert platform.resync(7).outcome == "done"
    assert platform.target.run("SELECT updated FROM member")[0][0] is None


@on_one
def test_a_column_that_is_missing_is_none_of_a_target_without_rows(platform: Platform) -> None:
    """A field that only some profiles have was asked about for each new segment. What nobody lists may have rows."""
    loop = "{for $index, $lead = $batch}({segment_id}, '{$lead.CustomID}', '{$lead.Seen}'){autocomma}{end}"
    add = f"INSERT INTO member (segment_id, client_id, updated) VALUES {loop}"
    platform.configure(add=add)
    platform.has(7, "a")
    assert (platform.resync(7).outcome, platform.rows(7)) == ("done", {"a"})
    platform.configure(add=add, members_query=None)
    platform.has(8, "a")
    asking = platform.resync(8)
    assert (asking.outcome, "no column 'Seen'" in asking.why) == ("needs confirmation", True)


@on_one
@pytest.mark.parametrize("paged", [False, True])
def test_more_than_a_mark_can_have_before_it_changes_nothing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, *, paged: bool
) -> None:
    """What has no place before it made a chunk that nobody could read, and held the lane for ever."""
    monkeypatch.setattr(changing, "SMALL", 2)
    monkeypatch.setattr(comparing, "MOST_UNDER_A_MARK", 3)
    if not paged:
        page_by_text(platform, members_query=LISTED)
    platform.has(7, "a", "b", "c", "D")
    platform.target_has(7, "x")
    run = platform.resync(7, **ACCEPTED)
    if paged:
        assert (run.outcome, platform.rows(7)) == ("done", {"a", "b", "c", "D"})
        return
    assert (run.outcome, platform.rows(7), platform.lane(7)) == ("failed", {"x"}, {})
    assert "1 rows to remove and 4 members to tell are more than the 3" in run.why


@on_one
def test_only_missing_members_need_room_before_a_mark_where_no_others_are_told(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a table that has a key twice: such a segment could not be made equal at all."""
    monkeypatch.setattr(comparing, "MOST_UNDER_A_MARK", 3)
    platform.without_unique_key()
    platform.has(7, "a", "b", "c", "D")
    platform.target_has(7, "a", "a", "b", "c")
    run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, run.added, platform.rows(7)) == ("done", 1, {"a", "b", "c", "D"})


@on_one
def test_a_join_behind_the_limit_loses_nobody(platform: Platform) -> None:
    """Its pages have fewer rows than the LIMIT has let through."""
    platform.target.run("CREATE TABLE profile (id bigint, custom_id varchar(255))")
    platform.configure(
        members='SELECT p.id AS _id, p.custom_id AS "CustomID" FROM (SELECT id FROM membership WHERE segment_id = '
        "{segment_id} AND id > {after} ORDER BY id LIMIT {limit}) m JOIN profile p ON p.id = m.id ORDER BY p.id"
    )
    keys = [f"k{number}" for number in range(12)]
    platform.has(7, *keys)
    platform.target.run("INSERT INTO profile SELECT id, custom_id FROM membership WHERE id NOT IN (1, 2, 3, 7)")
    platform.target_has(7, *keys)
    run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, run.members, run.removed) == ("done", 8, 4)
    assert platform.rows(7) == set(keys) - {"k0", "k1", "k2", "k6"}


@pytest.mark.parametrize("paged", [True, False])
def test_a_member_that_is_given_twice_is_a_wrong_query(platform: Platform, *, paged: bool) -> None:
    """One with two keys would lose the row of one where a page ends between them."""
    platform.configure(members=platform.paged if paged else platform.whole)
    platform.has(7, "a", "b", "c")
    platform.target.run("INSERT INTO membership VALUES (7, 2, 'second')")
    platform.target_has(7, "a", "b", "c", "second")
    run = platform.resync(7, **ACCEPTED)
    assert run.outcome == "failed"
    assert "gives one `_id` twice" in run.why
    assert platform.rows(7) == {"a", "b", "c", "second"}
