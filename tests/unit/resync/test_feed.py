"""What a source tells by itself: a whole answer, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workers.errors import ErrorClass, TargetError
from workers.resync import feed
from workers.resync.feed import LEAST_ASKED, FeedSource, entries
from workers.resync.feed_links import Links, next_link
from workers.resync.profiles import UnfitSource
from workers.settings.feeds import FeedSettings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from workers.resync.source import Id

LINES = b'{"_id": 1, "a": "\xc3\xa4\\n"}\n{"_id": "x y", "a": {"end": true}}\n\n{"end": true, "count": 2}\n'
ARRAY = b' [{"_id": 1, "a": [1, 2]},\n {"_id": "x", "a": "]"}] '


def byte_by_byte(text: bytes) -> Iterator[bytes]:
    return (text[at : at + 1] for at in range(len(text)))


@pytest.mark.parametrize("text", [LINES, ARRAY])
def test_an_answer_may_come_in_any_pieces(text: bytes) -> None:
    whole, pieces = list(entries([text])), list(entries(byte_by_byte(text)))
    assert (len(whole), whole) == (2, pieces)


@pytest.mark.parametrize("text", [LINES, ARRAY])
def test_what_is_cut_off_at_any_byte_is_no_answer(text: bytes) -> None:
    """But for blanks at its end, which say nothing."""
    for end in range(len(text.rstrip())):
        with pytest.raises(TargetError) as raised:
            list(entries([text[:end]]))
        assert raised.value.error_class is ErrorClass.RETRY


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"<html>sign in</html>", "neither a JSON array nor lines"),
        (b'{"error": "no such segment"}', "ended without a last line"),
        (b'{"_id": 1}\n{"end": true, "count": 2}', "had 1 members, and its end says another number"),
        (b'{"_id": 1}\n{"end": true, "count": 1}\n{"_id": 2}', "something follows the line that ends"),
        (b'{"_id": 1}\n{"end": false, "count": 1}', "ended without a last line"),
        (b'[{"_id": 1}] [', "its array does not end"),
        (b"", "its answer is empty"),
        (b"[" * 100_000, "its array does not end"),
    ],
)
def test_what_is_no_list_of_members(text: bytes, said: str) -> None:
    with pytest.raises((TargetError, UnfitSource), match=said):
        list(entries([text]))


def test_what_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "LONGEST_ARRAY", 10)
    monkeypatch.setattr(feed, "LONGEST_LINE", 10)
    with pytest.raises(UnfitSource, match="expected pages, or a line for each member"):
        list(entries([b"[", b'{"_id": 123456}']))
    with pytest.raises(UnfitSource, match="a line is longer than"):
        list(entries([b'{"_id": ', b'"123456789"', b"}"]))


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
    with pytest.raises(UnfitSource, match=r"`_id` is (-7|0), and `first` is 0: no page gives it"):
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
        ([b'[{"name":"a"}]'], "a member is no profile"),
        ([b"[7]"], "a member is no profile"),
    ],
)
def test_pages_that_cannot_be_told_apart_are_refused(answers: list[bytes], said: str) -> None:
    found, _ = source(*answers, first=0)
    with pytest.raises(UnfitSource, match=said):
        ids(found)


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
    "header",
    ["</2>; rel='next'", '/2; rel="next"', '</2>; rel="next', "</1>; rel=prev, /2; rel=next", '</2; rel="next"'],
)
def test_a_next_page_that_cannot_be_read_is_no_last_page(header: str) -> None:
    """Taken for one, it would cost all members behind it their rows."""
    with pytest.raises(UnfitSource, match="may name a next page"):
        next_link([header], "https://x/m")


def test_links_that_go_round_are_no_list() -> None:
    links = Links()
    for page in "ab":
        links.next = page
        assert links.go_on()
    links.next = "a"
    with pytest.raises(UnfitSource, match="round in a circle"):
        links.go_on()
