"""`--all` where a source lists its segments: those that nobody has told segsync of, too."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add
from tests.integration.resync.platform import Platform
from workers.control import listed
from workers.control import resync as control
from workers.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

on_one = pytest.mark.parametrize("target", ["sqlite"], indirect=True)
SALES = '{ database = "main", groups = ["sales"] }'
LIST = "delay = \"0s\"\nsegments = '''SELECT id, name, {groups} AS {q}groups{q} FROM listed'''"
ARRAY = {
    "sqlite": "groups",
    "mysql": "groups_",
    "postgresql": "ARRAY(SELECT json_array_elements_text(groups::json))",
}


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    found = Platform(make_job(target))
    column = "groups_" if target.dialect == "mysql" else "groups"
    found.target.run(f"CREATE TABLE listed (id bigint, name varchar(99), {column} varchar(99))")
    quoted = "`" if target.dialect == "mysql" else '"'
    found.configure(scope=SALES, extra=LIST.format(groups=ARRAY[target.dialect], q=quoted))
    return found


def lists(platform: Platform, *segments: tuple[int, str, list[str]]) -> None:
    for id_, name, groups in segments:
        platform.target.run(f"INSERT INTO listed VALUES ({id_}, '{name}', '{json.dumps(groups)}')")


@contextmanager
def routing(platform: Platform) -> Iterator[None]:
    """A worker of the queue `route`."""
    over, runtime = threading.Event(), platform.job.installation.runtime()

    def route() -> None:
        while not over.wait(0.02):
            runtime.route("token", 1)

    thread = threading.Thread(target=route)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def all_of(platform: Platform) -> list[str]:
    with routing(platform):
        return control.segments_of(platform.job.runtime, "members", [], every=True, needed=False)


def test_old_segments_are_taught_and_made_equal(platform: Platform) -> None:
    """A first start: nobody has ever pushed anything of them. What is not in scope stays out."""
    lists(platform, (7, "seven", ["sales", "eu"]), (8, "eight", ["other"]), (9, "nine", ["sales"]))
    platform.job.push({"type": "segment_upsert", "segment": {"id": 5, "groups": ["sales"]}}, add(5, "gone"))
    platform.delivered()
    platform.has(7, "a")
    platform.has(8, "b")

    assert sorted(all_of(platform)) == ["7", "9"], "5 is not listed any more"

    run = platform.resync(7)
    assert (run.outcome, platform.rows(7), platform.rows(8)) == ("done", {"a"}, set())
    platform.delivered()
    assert platform.target.names()["7"] == "seven"
    assert platform.job.installation.redis.hexists(platform.job.installation.keys.segments, "8") == 0


@on_one
def test_only_what_is_news_is_taught(platform: Platform) -> None:
    lists(platform, (7, "seven", ["sales"]))
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    counts = []
    for _ in range(2):
        assert all_of(platform) == ["7"]
        counts.append(redis.hget(keys.routed, "events"))
    assert counts == [b"1", b"1"]

    platform.target.run("UPDATE listed SET groups = '[]'")
    assert all_of(platform) == [], "it has left"
    assert redis.hget(keys.routed, "events") == b"2"


@on_one
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("INSERT INTO listed VALUES (7, 'again', '[]')", "one id twice, '7'; expected"),
        ("UPDATE listed SET groups = 'sales, eu'", "groups that are no list in row 1: 'sales, eu'; expected"),
        ("UPDATE listed SET id = NULL", "an id that is none in row 1: None is NoneType; expected a whole number"),
        ("INSERT INTO listed VALUES (8.5, 'half', '[]')", "an id that is none in row 2: 8.5 is float"),
        ("DROP TABLE listed", "its segments cannot be listed"),
    ],
)
def test_what_is_no_list_of_segments_asks_for_nothing(platform: Platform, change: str, said: str) -> None:
    lists(platform, (7, "seven", ["sales"]))
    platform.target.run(change)
    with pytest.raises(WrongUsage, match=said):
        all_of(platform)


@on_one
def test_where_nobody_routes_it_is_said(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed, "PATIENCE_SECONDS", 0)
    lists(platform, (7, "seven", ["sales"]))
    wanted: dict[str, Any] = {"every": True, "needed": False}
    with pytest.raises(WrongUsage, match="not routed"):
        control.segments_of(platform.job.runtime, "members", [], **wanted)
