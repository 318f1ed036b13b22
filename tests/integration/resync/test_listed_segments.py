"""`--all` where a source lists its segments: those that nobody has told segsync of, too."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add
from tests.integration.resync.platform import Platform
from tests.integration.resync.test_feed_runs import lines
from tests.servers.platform_http import Answer, Asked, answering
from workers.control import listed
from workers.control import resync as control
from workers.errors import SettingsError, WrongUsage
from workers.resync import segment_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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


def told(*segments: dict[str, Any], lines_: bool = True) -> bytes:
    if not lines_:
        return json.dumps(segments).encode()
    return "\n".join(map(json.dumps, (*segments, {"end": True, "count": len(segments)}))).encode()


SEVEN, NINE = {"id": 7, "name": "seven", "groups": ["sales"]}, {"id": "9", "groups": ["sales", "eu"], "tags": None}
OTHER = {"id": 8, "name": "eight", "groups": []}


@on_one
@pytest.mark.parametrize("as_lines", [True, False])
def test_a_platform_lists_its_segments_over_http(platform: Platform, *, as_lines: bool) -> None:
    """A first start; and its pages may name the next one."""

    def answer(asked: Asked) -> Answer:
        if asked.path == "/segments":
            return Answer(told(SEVEN, lines_=as_lines), headers=(("Link", '<?page=2>; rel="next"'),))
        if asked.path == "/segments?page=2":
            return Answer(told(OTHER, NINE, lines_=as_lines))
        return Answer(lines(1, 2))

    with answering(answer) as server:
        source = f'url = "{server.url}/of/{{segment_id}}"\nsegments = "{server.url}/segments"\ndelay = "0s"\n'
        platform.configure_feed(source + 'headers = { Tenant = "secret" }', scope=SALES)
        assert all_of(platform) == ["7", "9"]
        assert {asked.headers["tenant"] for asked in server.asked} == {"secret"}
        run = platform.resync(9)
    assert (run.outcome, platform.rows(9)) == ("done", {"c1", "c2"})
    platform.delivered()
    assert platform.target.names()["7"] == "seven"


@on_one
def test_a_program_lists_its_segments(platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "platform.py"
    script.write_text(f"import sys\nprint({told(SEVEN, OTHER).decode()!r} if sys.argv[1] == 'all' else '[]')\n")
    members, segments = ([sys.executable, str(script), each] for each in ("{segment_id}", "all"))
    source = f"command = {json.dumps(members)}\nsegments = {json.dumps(segments)}\ndelay = '0s'"
    platform.configure_feed(source, scope=SALES)
    with pytest.raises(SettingsError, match=r"sources.main.segments: .* may not be run here"):
        all_of(platform)

    monkeypatch.setenv("SEGSYNC_SOURCE_COMMANDS", sys.executable)
    assert all_of(platform) == ["7"]


@on_one
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "its answer is empty"),
        (told(SEVEN, NINE)[:-3], "is no JSON object"),
        (told(SEVEN, NINE).rpartition(b"\n")[0], "ended without a last line"),
        (told(SEVEN, lines_=False)[:-1], "its array does not end"),
        (b"<html>", "neither a JSON array nor lines"),
        (b"[7, 8]", "what is no object in row 1: '7'; expected id, and any of name, groups and tags"),
        (told({"id": 7, "group": ["sales"]}), "the columns 'id', 'group'; expected id, and any of"),
        (told({"name": "seven"}), "the columns 'name'; expected id"),
        (told(SEVEN, {"id": "7"}), "one id twice, '7'; expected each segment once"),
        (told(SEVEN, {"id": 8.5}), "an id that is none in row 2: 8.5 is float; expected a whole number or a text"),
        (told({"id": True}), "an id that is none in row 1: True is bool"),
        (told({"id": "x" * 256}), "no segment in row 1, .*: segment.id: has 256 bytes; expected at most 255"),
        (told({"id": "a\nb"}), "holds a control character; expected plain text"),
        (told({"id": 7, "name": "x" * 4_097}), "segment.name: .* more than 4,096 bytes"),
        (told({"id": 7, "name": ["x"]}), r"a name that is none in row 1: \['x'\]; expected a text"),
        (told({"id": 7, "groups": "sales"}), "groups that are no list in row 1: 'sales'; expected an array"),
        (told({"id": 7, "tags": [1.5]}), r"tags that are no list in row 1: \[1.5\]; expected an array"),
        (told({"id": 7, "tags": [""]}), r"segment.tags\[0\]: is empty; expected"),
        (told({"id": 7, "tags": [*range(1_001)]}), "segment.tags: expected at most 1,000, got 1,001"),
    ],
)
def test_what_a_platform_answers_that_is_no_list_asks_for_nothing(platform: Platform, body: bytes, said: str) -> None:
    """And teaches nothing, whatever it began with."""
    with answering(lambda _: Answer(body)) as server:
        source = f'url = "{server.url}/of/{{segment_id}}"\nsegments = "{server.url}/segments"\ndelay = "0s"'
        platform.configure_feed(source, scope=SALES)
        with pytest.raises(WrongUsage, match=f"sources.main: its segments cannot be listed: .*{said}"):
            all_of(platform)
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    assert (redis.xlen(keys.events), redis.hlen(keys.segments)) == (0, 0)


@on_one
def test_a_list_that_names_nothing_asks_for_nothing(platform: Platform) -> None:
    with answering(lambda _: Answer(told())) as server:
        source = f'url = "{server.url}/of/{{segment_id}}"\nsegments = "{server.url}/segments"\ndelay = "0s"'
        platform.configure_feed(source, scope=SALES)
        platform.has(7, "a")
        assert all_of(platform) == []


@on_one
def test_a_list_that_never_ends_is_given_up(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_list, "MOST", 1)
    with answering(lambda _: Answer(told(SEVEN, NINE))) as server:
        source = f'url = "{server.url}/of/{{segment_id}}"\nsegments = "{server.url}/segments"\ndelay = "0s"'
        platform.configure_feed(source, scope=SALES)
        with pytest.raises(WrongUsage, match="more than 1 segments; expected no more"):
            all_of(platform)


@on_one
def test_a_name_that_no_event_could_have_is_told(platform: Platform) -> None:
    """It would be taken into the intake, and end in the quarantine."""
    platform.target.run(f"INSERT INTO listed VALUES (7, '{'x' * 4_097}', '[]')")
    with pytest.raises(WrongUsage, match=r"no segment in row 1, '7': segment.name: .* more than 4,096 bytes"):
        all_of(platform)
