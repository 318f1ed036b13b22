"""Members that a source tells by itself: pages, links, and their ends."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from workers.resync import feed_links
from workers.resync.feed import LEAST_ASKED, FeedSource
from workers.resync.feed_links import Links, next_link
from workers.resync.profiles import UnfitSource
from workers.settings.feeds import FeedSettings

if TYPE_CHECKING:
    from collections.abc import Generator

    from workers.resync.source import Id


def source(*answers: bytes, first: int | str | None = None, rows: int = 2) -> tuple[FeedSource, list[Id | None]]:
    asked: list[Id | None] = []
    coming = iter(answers)

    def ask(after: Id | None, _: Links) -> Generator[bytes]:
        asked.append(after)
        yield next(coming)

    return FeedSource(FeedSettings("main", "https://x/{segment_id}", {}, (), first, rows, 0.0, 1.0), ask), asked


def ids(found: FeedSource, after: Id | None = None) -> list[Id]:
    return [each for page in found.members(after) for each in page.ids]


def test_pages_are_asked_for_until_one_is_empty() -> None:
    """One that is not full proves nothing: a source may have a limit of its own."""
    found, asked = source(b'[{"_id":1},{"_id":2}]', b'[{"_id":5}]', b"[]", first=0)
    assert ids(found) == [1, 2, 5]
    assert asked == [0, 2, 5]


@pytest.mark.parametrize("below", [b'[{"_id":-7},{"_id":1}]', b'[{"_id":0},{"_id":1}]'])
def test_a_member_whom_no_page_gives_is_told_of(below: bytes) -> None:
    """Its row would be removed. What is no answer to such a question, or one that looks away, says nothing."""
    found, asked = source(below, first=0)
    with pytest.raises(UnfitSource, match="`_id` is at or below `first`, which is 0: no page gives it"):
        list(found.everything())
    assert asked == [LEAST_ASKED]

    for nothing in (b"", b"<html>", b"[]", b'[{"_id":1}]', b'[{"_id":"a"}]', b'[{"n":1}]'):
        found, asked = source(nothing, b'[{"_id":1}]', b"[]", first=0)
        assert [each for page in found.everything() for each in page.ids] == [1]
        assert asked == [LEAST_ASKED, 0, 1]


def test_what_is_no_page_is_given_up_while_it_comes() -> None:
    """A platform that does not know `{limit}` gives all members, which fit into no memory."""
    coming = iter(range(1, 10**9))
    lines = (b'{"_id": %d}\n' % number for number in coming)
    found = FeedSource(FeedSettings("main", "x", {}, (), 0, 10, 0.0, 1.0), lambda *_: lines)
    with pytest.raises(UnfitSource, match="or more; expected"):
        ids(found)
    assert next(coming) < 10_000


def test_pages_that_come_again_are_no_list() -> None:
    """They would be read for ever, with the lane at its mark."""
    found, _ = source(b'[{"_id":"b"},{"_id":"a"}]', b'[{"_id":"c"},{"_id":"a"}]', first="")
    with pytest.raises(UnfitSource, match="not in the order"):
        ids(found)


def test_a_reading_goes_on_after_a_member() -> None:
    found, asked = source(b'[{"_id":"c"}]', b'{"end": true, "count": 0}', first="")
    assert (ids(found, "b"), asked) == (["c"], ["b", "c"])


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([b'[{"_id":2},{"_id":1}]'], "not in the order of `_id`"),
        ([b'[{"_id":1}]', b'[{"_id":1}]'], "one `_id` twice"),
        ([b'[{"_id":1},{"_id":2},{"_id":3}]'], r"a page has 3 members, or more; expected \{limit\}, 2, at most"),
        ([b'[{"_id":"a"}]'], "expected both to be of one kind"),
        ([b'[{"name":"a"}]'], "member 1 of its answer is no profile: .*on page 1 of this reading"),
        ([b"[7]"], "member 1 of its answer is no profile: .*on page 1 of this reading"),
    ],
)
def test_pages_that_cannot_be_told_apart_are_refused(answers: list[bytes], said: str) -> None:
    found, _ = source(*answers, first=0)
    with pytest.raises(UnfitSource, match=said):
        ids(found)


@pytest.mark.parametrize("first", ["", 0])
def test_nobody_is_named_by_what_is_said_of_a_page(first: str | int) -> None:
    """It stands in the ledger, where no `erase` looks for people, and is seen by who may not see their ids."""
    names = [f"ann{number}@example.com" if first == "" else 7_310_000 + number for number in range(3)]
    page = json.dumps([{"_id": each} for each in names[:2]]).encode()
    for wrong in (page, b'[{"n":1}]', json.dumps([{"_id": names[2]}, {"_id": names[2]}]).encode()):
        found, _ = source(page, wrong, first=first)
        with pytest.raises(UnfitSource, match="on page 2 of this reading") as error:
            ids(found)
        assert not any(str(each) in str(error.value) for each in names)


def test_members_keep_their_json() -> None:
    found, _ = source(b'[{"_id": 7, "n": 1.50, "k": " A "}]')
    (page,) = found.members()
    assert page.profiles() == [b'{"_id": 7, "n": 1.50, "k": " A "}']
    assert page.keys(("k",)) == [(" A ",)]
    assert page.keys(("missing",)) == [None]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ('<https://x/m?page=2>; rel="next"', "https://x/m?page=2"),
        ("<?cursor=a%2Cb>; rel=next", "https://x/m?cursor=a%2Cb"),
        ('</1>; rel="prev", </3>; title="a, b"; rel="next last"', "https://x/3"),
        ('<https://X:443/2>; REL="NEXT"', "https://X:443/2"),
        ('</1>; rel="prev"', ""),
        ("", ""),
        ('</2>; rel="nextdoor"', ""),
        (r'</3>; title="a \"b\"; c, <next>"; rel="next"', "https://x/3"),
        ('</1>; title="the next; rel=next"; rel=prev', ""),
        ('</next>; rel="prev"; title=next', ""),
        ('</3>; rel="next"; rel="prev"', "https://x/3"),
        ("</3> ; rel = next ,", "https://x/3"),
    ],
)
def test_a_next_page_is_named_by_a_link(header: str, found: str) -> None:
    assert next_link([header], "https://x/m") == found


@pytest.mark.parametrize("target", ["http://x/2", "https://y/2", "https://x:444/2", "//y/2", "https://x:99999/2"])
def test_a_link_to_another_place_is_refused(target: str) -> None:
    with pytest.raises(UnfitSource, match="next page"):
        next_link([f'<{target}>; rel="next"'], "https://x/m")


@pytest.mark.parametrize(
    ("target", "said"), [("http://x/2", "'http://x:80'; expected 'https://x:443'"), ("//[x/2", "is no address")]
)
def test_a_link_says_where_it_leads(target: str, said: str) -> None:
    with pytest.raises(UnfitSource, match=re.escape(said)):
        next_link([f'<{target}>; rel="next"'], "https://x/m")


def test_no_message_of_a_link_shows_what_it_asks_for() -> None:
    """It may let somebody in, as a cursor that holds a token does."""
    with pytest.raises(UnfitSource) as raised:
        next_link(["</m?key=s3cret>; rel='next'"], "https://x/m")
    assert "s3cret" not in str(raised.value)
    assert "</m?…>; rel='next'" in str(raised.value)


def test_another_place_on_a_page_is_the_same_page() -> None:
    assert next_link(['<https://x/m#2>; rel="next"'], "https://x/m") == "https://x/m"


@pytest.mark.parametrize(
    "header",
    ["</2>; rel='next'", '/2; rel="next"', '</2>; rel="next', "</1>; rel=prev, /2; rel=next", '</2; rel="next"'],
)
def test_a_next_page_that_cannot_be_read_is_no_last_page(header: str) -> None:
    """Taken for one, it would cost all members behind it their rows."""
    with pytest.raises(UnfitSource, match="may name a next page"):
        next_link([header], "https://x/m")


def test_links_that_go_round_are_no_list() -> None:
    links = Links()
    links.asked("https://x/m?key=s3cret")
    for page in ("https://x/m?page=2", "https://x/m?page=3"):
        links.next = page
        assert links.go_on()
    for page in ("https://x/m?page=2", "https://x/m?key=s3cret"):
        links.next = page
        with pytest.raises(UnfitSource, match=r"page 3 of its answer names '/m\?…' as the next .*round in a circle"):
            links.go_on()


def test_links_without_end_are_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_links, "MOST_PAGES", 2)
    links = Links()
    for page in "bc":
        links.next = page
        assert links.go_on()
    links.next = "d"
    with pytest.raises(UnfitSource, match="page 3 of its answer names 'd' as the next one, after 2 pages; expected"):
        links.go_on()


def test_what_is_wrong_on_a_page_is_told_with_it() -> None:
    answers = iter([b'[{"_id":1}]', b'[{"_id":2},{"n":3}]'])

    def ask(_: object, links: Links) -> Generator[bytes]:
        links.next = "https://x/2"
        yield next(answers)

    found = FeedSource(FeedSettings("main", "https://x/1", {}, (), None, 2, 0.0, 1.0), ask)
    with pytest.raises(UnfitSource, match=r"member 2 of its answer is no profile: _id is missing.*\(on page 2 by its"):
        ids(found)
