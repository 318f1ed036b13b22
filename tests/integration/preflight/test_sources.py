"""`check --connect` looks at sources, too: what they give first, and what their pages cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.resync.platform import Platform
from tests.servers.platform_http import Answer, answering
from workers.preflight.targets import examine_all
from workers.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

on_one = pytest.mark.parametrize("target", ["sqlite"], indirect=True)


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    return Platform(make_job(target))


def steps(platform: Platform) -> dict[str, tuple[str, str]]:
    """Of the source, by name: mark, and what is said."""
    (found,) = [each for each in examine_all(load(platform.job.installation.file)) if each.connector == "sources.main"]
    return {step.name: (step.mark, step.what) for step in found.steps}


def analyzed(platform: Platform, *tables: str) -> list[str]:
    """What has the planner look at the tables."""
    words = {"mysql": "ANALYZE TABLE", "postgresql": "ANALYZE", "sqlite": "ANALYZE"}[platform.target.dialect]
    return [f"{words} {table}" for table in tables or ("membership",)]


def test_a_source_is_asked_for_its_first_page_and_its_plan(platform: Platform) -> None:
    platform.has(1, "a", "b", "c")
    found = steps(platform)
    assert found["members"] == ("fine", "2 first members, with the fields _id, CustomID")
    assert found["pages"][0] == "warning"
    assert "each page passes over rows of other segments" in found["pages"][1]
    assert "keys" not in found


def test_what_a_page_costs_is_told_by_the_plan(platform: Platform) -> None:
    """No sort is not enough: an index of `_id` alone gives the order, and reads the whole table for it."""
    many = [f"k{n}" for n in range(20)]
    for segment in (1, 2, 3):
        platform.has(segment, *many)
    platform.target.run("CREATE INDEX by_id ON membership (id)", *analyzed(platform))
    mark, said = steps(platform)["pages"]
    assert (mark, said.partition(" (")[0]) == ("warning", "each page passes over rows of other segments")
    platform.target.run("CREATE INDEX by_segment ON membership (segment_id, id)", *analyzed(platform))
    assert steps(platform)["pages"] == ("fine", "each page begins at `{after}`, by an index")


@pytest.mark.parametrize("target", ["postgresql"], indirect=True)
def test_a_table_that_is_small_today_is_judged_by_its_indexes(platform: Platform) -> None:
    """PostgreSQL reads such a one whole, whatever it has."""
    platform.has(1, "a", "b")
    platform.has(2, "c", "d")
    platform.target.run("CREATE INDEX by_segment ON membership (segment_id, id)", *analyzed(platform))
    platform.configure(members=platform.paged.replace("{limit}", "{limit} + 5000"))
    assert steps(platform)["pages"] == ("fine", "each page begins at `{after}`, by an index")


def test_a_join_that_begins_at_the_wrong_place_is_told(platform: Platform) -> None:
    """`{after}` beside the joined table's column: each page reads all of the segment's members before it again."""
    many = [f"k{n}" for n in range(20)]
    for segment in (1, 2, 3):
        platform.has(segment, *many)
    numbers = "SELECT id FROM membership"
    platform.target.run(
        "CREATE TABLE profile (id bigint PRIMARY KEY)",
        f"INSERT INTO profile {numbers}",
        "CREATE INDEX by_segment ON membership (segment_id, id)",
        *analyzed(platform, "membership", "profile"),
    )
    q = "`" if platform.target.dialect == "mysql" else '"'
    join = f"SELECT p.id AS _id, m.custom_id AS {q}CustomID{q} FROM membership m JOIN profile p ON p.id = m.id "
    here = "WHERE m.segment_id = {segment_id} AND m.id > {after} AND p.id > {after} ORDER BY m.id LIMIT {limit}"
    platform.configure(members=join + here)
    assert steps(platform)["pages"] == ("fine", "each page begins at `{after}`, by an index")
    platform.configure(members=join + here.replace("m.id > {after} AND ", "").replace("BY m.id", "BY p.id"))
    mark, said = steps(platform)["pages"]
    if platform.target.dialect == "mysql":  # which knows by itself that the one is the other
        assert mark == "fine"
    else:
        assert (mark, said.partition(" (")[0]) in {
            ("warning", "each page passes over what is before `{after}`"),
            ("warning", "each page sorts all that is behind `{after}`"),
        }


@on_one
def test_what_is_wrong_with_a_source_is_said(platform: Platform) -> None:
    platform.configure(members=platform.whole.replace("CustomID", "CustomId"))
    found = steps(platform)
    assert found["keys"] == ("mistake", "it gives no 'CustomID', the key of members: no member could be told")
    assert found["pages"][0] == "warning"
    platform.configure(members="SELECT nothing FROM nowhere WHERE {segment_id} = 1", extra='fresh = "SELECT 1"')
    found = steps(platform)
    assert found["members"][0] == "mistake"
    assert found["fresh"] == ("fine", "its data is 1.0 s old")
    platform.configure(extra='fresh = "SELECT NULL"')
    found = steps(platform)
    assert (found["fresh"][0], found["members"][0]) == ("mistake", "fine")
    loop = "{for $index, $lead = $batch}({segment_id}, '{$lead.CustomID}', '{$lead.Seen}'){autocomma}{end}"
    platform.configure(add=f"INSERT INTO member (segment_id, client_id, updated) VALUES {loop}")
    told = "it gives no 'Seen', which the query `add` of members names: a run would ask for your word"
    assert steps(platform)["fields"] == ("warning", told)


@on_one
def test_a_source_over_http_is_asked_once(platform: Platform) -> None:
    with answering(lambda _: Answer(b'[{"_id": 1, "CustomId": "a"}]')) as server:
        platform.configure_feed(f'url = "{server.url}/{{segment_id}}"')
        found = steps(platform)
        assert [asked.path for asked in server.asked] == ["/1"]
    assert found["members"] == ("fine", "its first answer is whole, and has 1 members")
    assert found["keys"][0] == "mistake"
    assert steps(platform)["members"][0] == "mistake"


@on_one
def test_a_list_of_segments_is_tried(platform: Platform) -> None:
    """To its end, since a list that is cut off is none; and what `--all` would ask for is said."""
    platform.target.run("CREATE TABLE listed (id bigint)", "INSERT INTO listed VALUES (7), (8)")
    platform.configure(extra="segments = 'SELECT id FROM listed'")
    assert steps(platform)["segments"] == ("fine", "2 are listed, and 2 of them are in an integration's scope")
    platform.configure(extra="segments = 'SELECT id AS segment FROM listed'")
    assert steps(platform)["segments"][0] == "mistake"
    platform.configure(extra="segments = 'SELECT id FROM listed'", scope='{ database = "main", groups = ["sales"] }')
    mark, said = steps(platform)["segments"]
    assert (mark, said.partition(":")[0]) == ("warning", "2 are listed, and 0 of them are in an integration's scope")


@on_one
@pytest.mark.parametrize(
    ("body", "mark", "said"),
    [
        (b'[{"id": 7}]', "fine", "1 are listed"),
        (b"[]", "warning", "0 are listed, and 0 of them are in an integration's scope: `segsync resync --all` would"),
        (b'[{"id": 7}', "mistake", "its array does not end"),
        (b'[{"id": 7}, {"id": "7"}]', "mistake", "gives one id twice, '7'"),
    ],
)
def test_a_list_of_segments_over_http_is_tried(platform: Platform, body: bytes, mark: str, said: str) -> None:
    with answering(lambda asked: Answer(body if asked.path == "/all" else b"[]")) as server:
        platform.configure_feed(f'url = "{server.url}/{{segment_id}}"\nsegments = "{server.url}/all"')
        found = steps(platform)
    assert found["segments"][0] == mark
    assert said in found["segments"][1]
    assert found["members"][0] == "fine"


@on_one
def test_the_list_of_a_target_is_tried(platform: Platform) -> None:
    def found() -> list[str]:
        (target,) = [each for each in examine_all(load(platform.job.installation.file)) if each.connector == "crm"]
        return [finding.what for finding in target.findings if finding.where.endswith("queries.members")]

    assert found() == []
    platform.configure(members_query="SELECT client_id, segment_id FROM member WHERE segment_id = {segment_id}")
    assert "gives 2 columns, and the key has 1" in found()[0]
    platform.configure(members_query="SELECT client FROM member WHERE segment_id = {segment_id}")
    assert len(found()) == 1
