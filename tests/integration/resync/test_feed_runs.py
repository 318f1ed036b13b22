"""Whole runs from a platform that answers by itself: over HTTP, and by a program."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.resync.platform import Platform
from tests.servers.platform_http import Answer, Asked, answering
from workers.resync import failing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

on_one = pytest.mark.parametrize("target", ["sqlite"], indirect=True)
ACCEPTED: dict[str, Any] = {"accept_removals": 1_000, "accept_adds": 1_000}
DELAY = 'delay = "0s"'


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    return Platform(make_job(target))


def lines(*ids: int) -> bytes:
    members = [json.dumps({"_id": id_, "CustomID": f"c{id_}"}) for id_ in ids]
    return "\n".join([*members, json.dumps({"end": True, "count": len(ids)})]).encode()


@on_one
@pytest.mark.parametrize("paged", [True, False])
def test_a_target_is_made_equal_to_what_a_platform_answers(platform: Platform, *, paged: bool) -> None:
    def answer(asked: Asked) -> Answer:
        query = parse_qs(urlsplit(asked.path).query)
        found = [id_ for id_ in range(1, 6) if id_ > int(query.get("after", ["0"])[0])]
        return Answer(lines(*found[: int(query.get("limit", ["9"])[0])]))

    with answering(answer) as server:
        pages = ("?after={after}&limit={limit}", "first = 0\nrows = 2") if paged else ("", "")
        platform.configure_feed(f'url = "{server.url}/{{segment_id}}{pages[0]}"\n{pages[1]}\n{DELAY}')
        platform.target_has(7, "c1", "x")
        run = platform.resync(7, **ACCEPTED)

    assert (run.outcome, run.why) == ("done", "")
    assert platform.rows(7) == {"c1", "c2", "c3", "c4", "c5"}
    assert (run.members, run.rows, run.removed, run.added) == (5, 2, 1, 5)
    assert len(server.asked) == (5 if paged else 1), "what was compared is told, and nothing read again"


@on_one
@pytest.mark.parametrize("cut", [False, True])
def test_pages_may_name_the_next_one(platform: Platform, monkeypatch: pytest.MonkeyPatch, *, cut: bool) -> None:
    """And headers with secrets go to each. What breaks off on any page is no list."""
    monkeypatch.setattr(failing, "MOST_TRIES", 1)
    monkeypatch.setenv("FEED_KEY", "k")

    def answer(asked: Asked) -> Answer:
        if "cursor=2" in asked.path:
            return Answer(b'[{"_id": 3, "CustomID": "c3"}' + (b"" if cut else b"]"))
        return Answer(lines(1, 2), headers=(("Link", '<?cursor=2>; rel="next"'),))

    with answering(answer) as server:
        platform.configure_feed(f'url = "{server.url}/{{segment_id}}"\n{DELAY}\nheaders = {{ Key = "${{FEED_KEY}}" }}')
        platform.target_has(7, "c1", "c3", "x")
        run = platform.resync(7, **ACCEPTED)

    assert {asked.headers["key"] for asked in server.asked} == {"k"}
    assert [asked.path for asked in server.asked] == ["/7", "/7?cursor=2"], (
        "once, for what is compared and what is told"
    )
    assert (run.outcome, platform.rows(7)) == (("failed", {"c1", "c3", "x"}) if cut else ("done", {"c1", "c2", "c3"}))


@on_one
def test_an_answer_that_breaks_off_removes_nothing(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failing, "MOST_TRIES", 1)
    body = lines(1, 2, 3)
    with answering(lambda _: Answer(body[:-8])) as server:
        platform.configure_feed(f'url = "{server.url}/{{segment_id}}"\n{DELAY}')
        platform.target_has(7, "c1", "x")
        run = platform.resync(7, **ACCEPTED)
        assert run.outcome == "failed"
        assert "no JSON object" in run.why
        assert platform.rows(7) == {"c1", "x"}
        assert platform.lane(7) == {}

        server.answer = lambda _: Answer(b"[]")
        empty = platform.resync(7, accept_adds=10)
        assert (empty.outcome, platform.rows(7)) == ("needs confirmation", {"c1", "x"})


@on_one
@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (lines(1, 2).replace(b": 2}", b': "2"}'), (), "line 3 of its answer says count"),
        (b'[{"_id": 1, "CustomID": "c1"}, {"_id": 2, "CustomID": "\xe4x"}]', (), "member 2 of its answer has the byte"),
        (lines(1, 2), (("Link", '</7>; rel="last next"'),), "page 1 of its answer names '/7' as the next one, which"),
    ],
)
def test_a_broken_answer_removes_nothing_and_says_where(
    platform: Platform, body: bytes, headers: tuple[tuple[str, str], ...], said: str
) -> None:
    """At the first try: it will not be another one by itself."""
    with answering(lambda _: Answer(body, headers=headers)) as server:
        platform.configure_feed(f'url = "{server.url}/{{segment_id}}"\n{DELAY}')
        platform.target_has(7, "c1", "x")
        run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, said in run.why) == ("failed", True), run.why
    assert (platform.rows(7), len(server.asked)) == ({"c1", "x"}, 1)


@on_one
def test_a_target_is_made_equal_to_what_a_program_prints(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "members.py"
    script.write_text(f"import sys\nassert sys.argv[1] == '7'\nprint({lines(1, 2).decode()!r})\n")
    platform.configure_feed(f"command = {json.dumps([sys.executable, str(script), '{segment_id}'])}\n{DELAY}")
    run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, "may not be run here" in run.why) == ("failed", True)

    monkeypatch.setenv("SEGSYNC_SOURCE_COMMANDS", sys.executable)
    assert platform.resync(7, **ACCEPTED).outcome == "done"
    assert platform.rows(7) == {"c1", "c2"}


@on_one
@pytest.mark.parametrize("mode", ["diff", "replace"])
def test_pages_of_texts_remove_nobody_by_themselves(platform: Platform, mode: str) -> None:
    """`>` compares bytes here and the pages do not: behind `c` there is no `D`, and nothing tells."""
    ids = ["a", "b", "c", "D"]

    def answer(asked: Asked) -> Answer:
        after = parse_qs(urlsplit(asked.path).query, keep_blank_values=True)["after"][0]
        return Answer(json.dumps([{"_id": id_, "CustomID": id_} for id_ in ids if id_ > after][:3]).encode())

    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    redis.hset(keys.removals("members"), "ever", 1)
    redis.sadd(keys.resync("members"), "7")
    with answering(answer) as server:
        url = f"{server.url}/{{segment_id}}?after={{after}}&limit={{limit}}"
        source = f'url = "{url}"\nfirst = ""\nrows = 3\n{DELAY}'
        platform.configure_feed(source, **({} if mode == "diff" else {"members": None}))
        platform.target_has(7, *ids)
        run = platform.resync(7)
        assert (run.outcome, run.mode) == ("needs confirmation", mode)
        assert "pages of texts skip members" in run.why
        assert platform.rows(7) == set(ids)

        platform.target.run("DELETE FROM member WHERE client_id = 'D'")
        if mode == "diff":
            run = platform.resync(7)
            assert (run.outcome, "may have skipped members" in run.why) == ("done", True)
            assert redis.smembers(keys.resync("members")) == {b"7"}
        run = platform.resync(7, **ACCEPTED)
        assert (run.outcome, run.why) == ("done", "")
        assert redis.smembers(keys.resync("members")) == set()


@on_one
@pytest.mark.parametrize("indent", [None, 1])
def test_what_is_printed_for_people_is_told_whole(platform: Platform, indent: int | None) -> None:
    """A profile of several lines is one, and no line of it is another."""
    members = [
        {"_id": 1, "CustomID": "a", "friends": [{"_id": 2, "CustomID": "no member"}]},
        {"_id": 3, "CustomID": "b"},
    ]
    text = json.dumps(members, indent=indent).replace('[{"_id": 2', '[\n{"_id": 2').replace('member"}]', 'member"}\n]')
    with answering(lambda _: Answer(text.encode())) as server:
        platform.configure_feed(f'url = "{server.url}/{{segment_id}}"\n{DELAY}')
        run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, run.added) == ("done", 2)
    assert platform.rows(7) == {"a", "b"}
