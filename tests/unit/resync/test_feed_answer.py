"""What a source says by itself: a whole answer, or none; and what is told of one that is none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from workers.errors import ErrorClass, TargetError
from workers.resync import feed_answer
from workers.resync.feed import FeedSource
from workers.resync.feed_answer import entries
from workers.resync.profiles import UnfitSource
from workers.settings.feeds import FeedSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        (b'{"_id": 1}\n{"end": false, "count": 1}', "line 2 of its answer says end 'false'; expected true, as in"),
        (b'[{"_id": 1}] [', "its array does not end"),
        (b"", "its answer is empty"),
        (b"[" * 100_000, "its array does not end"),
    ],
)
def test_what_is_no_list_of_members(text: bytes, said: str) -> None:
    with pytest.raises((TargetError, UnfitSource), match=said):
        list(entries([text]))


def test_what_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_answer, "LONGEST_ARRAY", 10)
    monkeypatch.setattr(feed_answer, "LONGEST_LINE", 10)
    with pytest.raises(UnfitSource, match="expected pages, or a line for each member"):
        list(entries([b"[", b'{"_id": 123456}']))
    with pytest.raises(UnfitSource, match="a line is longer than"):
        list(entries([b'{"_id": ', b'"123456789"', b"}"]))


@pytest.mark.parametrize("count", ['"2"', "true", "-1", "2.0", "2e0", "1e9", "null", "[2]", "02"])
def test_a_count_that_is_no_whole_number_is_told_with_its_place(count: str) -> None:
    """An answer that says it so will say it again: it is not asked for five times."""
    text = b'{"_id": 1}\n{"_id": 2}\n{"end": true, "count": %b}\n' % count.encode()
    with pytest.raises((UnfitSource, TargetError)) as raised:
        list(entries([text]))
    if count == "02":  # which is no JSON
        assert "line 3 of its answer is no JSON object" in str(raised.value)
    else:
        assert f"line 3 of its answer says count {count!r}; expected a whole number, 2 after" in str(raised.value)


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ('{"end": true, "total": 2}', "line 3 of its answer has the keys 'end', 'total'; expected a profile with its"),
        ('{"end": true}', "line 3 of its answer has the keys 'end'; expected"),
        ('{"end": true, "count": 2, "more": 1}', "has the keys 'end', 'count', 'more'; expected"),
        ('{"end": "true", "count": 2}', "line 3 of its answer says end '\"true\"'; expected true"),
        ('{"end": 1, "count": 2}', "line 3 of its answer says end '1'; expected true"),
        ('{"end": true, "count": 3}', "had 2 members, and its end says another number, '3'"),
    ],
)
def test_a_last_line_of_another_form_is_told_as_it_is(last: str, said: str) -> None:
    with pytest.raises((UnfitSource, TargetError), match=re.escape(said)):
        list(entries([b'{"_id": 1}\n{"_id": 2}\n', last.encode()]))


def test_a_member_may_have_a_field_that_is_called_end() -> None:
    line = b'{"_id": 1, "end": true, "count": 7}'
    assert list(entries([line, b'\n{"end": true, "count": 1}'])) == [line]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            b'{"_id": 1}\n{"_id": 2, "a": "\xe4x"}\n{"end": true, "count": 2}',
            "member 2 of its answer has the byte 0xe4",
        ),
        (b'[{"_id": 1}, {"_id": 2, "a": "\xe4x"}]', "member 2 of its answer has the byte 0xe4 at place 18"),
        (b'{"\xe4x": 1, "_id": 1}\n', "line 1 of its answer has the byte 0xe4 at place 3, which is no UTF-8; expected"),
        (b"\xef\xbb\xbf[]", "its answer begins with the byte 0xef: it is neither"),
        (b"\xff\xfe[\x00", "its answer begins with the byte 0xff"),
        (b"id;name\n", "its answer begins with 'i': it is neither a JSON array nor lines"),
        (b'{"_id": 1}\n<html>\n', "line 2 of its answer is no JSON object (JSON is malformed: invalid character"),
        (b'[{"_id": 1},]', "or is no JSON (JSON is malformed: trailing comma in array"),
        (b'[{"_id": "\xe4x"},]', "its array has the byte 0xe4 at place 11"),
    ],
)
def test_what_is_no_text_or_no_json_is_told_with_its_place(text: bytes, said: str) -> None:
    source = FeedSource(FeedSettings("main", "x", {}, (), None, 9, 0.0, 1.0), lambda *_: (each for each in [text]))
    with pytest.raises((UnfitSource, TargetError), match=re.escape(said)):
        list(source.everything())
