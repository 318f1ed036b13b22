"""Runs of a table whose rows are named by two columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.resync.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

ACCEPTED: dict[str, Any] = {"accept_removals": 100, "accept_adds": 1000}


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    return Platform(make_job(target))


def pairs(platform: Platform, members_query: str) -> None:
    """Rows with a key of two columns, and a source that gives both fields."""
    q, upsert = ("`", "ON DUPLICATE KEY UPDATE country = country") if platform.target.dialect == "mysql" else ('"', "")
    source = f"SELECT id AS _id, custom_id AS {q}CustomID{q}, 'de' AS {q}Country{q} FROM membership"
    where = "segment_id = {segment_id} AND client_id = '{lead.CustomID}' AND country = '{lead.Country}'"
    platform.configure(
        members=f"{source} WHERE segment_id = {{segment_id}}",
        members_query=members_query,
        scope='{ database = "main", segments = "all" }\nkey = ["CustomID", "Country"]',
        add="INSERT INTO pair (segment_id, client_id, country) VALUES ({segment_id}, '{lead.CustomID}', "
        f"'{{lead.Country}}') {upsert or 'ON CONFLICT DO NOTHING'}",
        remove=f"DELETE FROM pair WHERE {where}",
        leave_out=("key", "batch", "clear", "segment_delete"),
    )


def test_a_listing_with_a_column_too_few_removes_nothing(platform: Platform) -> None:
    """Of the same query with all columns of the key, strays go and members are told."""
    target, listed = platform.target, "SELECT client_id{} FROM pair WHERE segment_id = {{segment_id}}"
    target.run(
        "CREATE TABLE pair (segment_id bigint, client_id varchar(99), country varchar(9), "
        "PRIMARY KEY (segment_id, client_id, country))",
        "INSERT INTO pair VALUES (7, 'a', 'de'), (7, 'b', 'de'), (7, 'b', 'fr')",
    )
    pairs(platform, listed.format(""))
    platform.has(7, "a", "b", "c")
    run = platform.resync(7, **ACCEPTED)
    assert run.outcome == "failed"
    assert "`members` gives 1 column, and the key has 2" in run.why
    platform.job.installation.producer.add(7, [{"_id": "d", "CustomID": "d", "Country": "de"}])
    platform.job.drain()

    def rows() -> list[tuple[object, ...]]:
        return sorted(tuple(row) for row in target.run("SELECT client_id, country FROM pair"))

    assert rows() == [("a", "de"), ("b", "de"), ("b", "fr"), ("d", "de")]
    pairs(platform, listed.format(", country"))
    platform.has(7, "d")
    run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, run.mode, run.strays, run.missing) == ("done", "diff", 1, 1)
    assert rows() == [("a", "de"), ("b", "de"), ("c", "de"), ("d", "de")]
