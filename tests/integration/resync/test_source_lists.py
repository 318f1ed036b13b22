"""What a source's list of members may hold, on each database, and what is no list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.resync.platform import Platform
from workers.resync import changing

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


def page_by_text(platform: Platform) -> None:
    dialect = platform.target.dialect
    quoted = "`" if dialect == "mysql" else '"'
    platform.configure(
        members=f"SELECT custom_id AS _id, custom_id AS {quoted}CustomID{quoted} FROM membership WHERE segment_id = "
        f"{{segment_id}} AND {BINARY[dialect]} > {{after}} ORDER BY {NO_CASE[dialect]} LIMIT {{limit}}",
        first="''",
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
def test_pages_that_skip_members_of_a_large_segment_are_told(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody loses a row, and that somebody has none is said."""
    monkeypatch.setattr(changing, "SMALL", 2)
    page_by_text(platform)
    platform.has(7, "a", "b", "c", "D")
    run = platform.resync(7, **ACCEPTED)
    assert run.outcome == "failed"
    assert "its pages gave 3 of 4 members" in run.why
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    assert redis.smembers(keys.resync("members")) == {b"7"}


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
