"""What a run may do by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workers.resync.judging import Accepted, Today, doubts, doubts_of_clearing
from workers.resync.keys_on_disk import KeyDifference

NOTHING = Accepted()
USUAL = Today()


def found(**numbers: Any) -> KeyDifference:
    return KeyDifference(Path(), **{"members": 100, "rows": 100, **numbers})


@pytest.mark.parametrize(
    ("difference", "today", "shared", "told"),
    [
        (found(), USUAL, "", ""),
        (found(strays=10, missing=200), USUAL, "", ""),
        (found(rows=0, missing=100), USUAL, "", ""),
        (found(members=0), USUAL, "", "the source gives no members at all"),
        (found(strays=11), USUAL, "", "11 of 100 rows would be removed, more than 10%"),
        (found(strays=2), Today(rows=100, removed=19), "", "(with 19 of today)"),
        (found(strays=100, members=1), Today(rows=100_000), "", "100 of 100 rows would be removed, more than 10%"),
        (found(strays=20, rows=20), Today(rows=100_000), "", ""),
        (found(strays=5, repeated_strays=6), USUAL, "", "11 of 100 rows would be removed, more than 10%, of 5 keys"),
        (found(strays=2, repeated_strays=6), Today(rows=100, removed=13), "", "8 of 100 rows would be removed (with"),
        (found(strays=4, repeated_strays=6), USUAL, "", ""),
        (found(strays=1), Today(ever=False), "", "it is the first time"),
        (found(strays=1), USUAL, "'other'", "'other' may keep rows in the same table"),
        (found(missing=201), USUAL, "", "more than 2 times that"),
        (found(spelled=2), USUAL, "", "2 of 100 rows are members' spelled otherwise"),
    ],
)
def test_what_looks_like_a_mistake_needs_a_word(
    difference: KeyDifference, today: Today, shared: str, told: str
) -> None:
    reasons = doubts(difference, NOTHING, today, shared=shared)
    assert len(reasons) == bool(told)
    assert told in "".join(reasons)


def test_a_segment_that_has_just_come_into_scope_may_miss_nearly_all() -> None:
    """What was added since is in the target, and no one else. All that may remove anything is doubted as ever."""
    assert doubts(found(rows=1, missing=99), NOTHING, USUAL, entering=True) == []
    assert len(doubts(found(strays=11, missing=500), NOTHING, USUAL, entering=True)) == 1
    assert len(doubts(found(missing=500), Accepted(0, 499), USUAL, entering=True)) == 1


def test_a_word_is_a_number() -> None:
    many = found(members=0, strays=100, missing=500)
    assert doubts(many, Accepted(100, 500), Today(ever=False), shared="'other'") == []
    assert doubts(many, Accepted(99, 500), USUAL) == ["100 rows would be removed, more than the 99 that were accepted"]
    assert doubts(many, Accepted(100, 499), USUAL) == ["500 members are missing, more than the 499 that were accepted"]


@pytest.mark.parametrize(
    ("members", "accepted", "told"),
    [
        (0, NOTHING, "the source gives no members at all"),
        (0, Accepted(0, 2), "the source gives no members at all"),
        (0, Accepted(0, 0), ""),
        (0, Accepted(0), ""),
        (2, NOTHING, ""),
        (2, Accepted(0, 2), ""),
        (3, Accepted(0, 2), "3 members would be told, more than the 2 that were accepted"),
    ],
)
def test_who_has_seen_members_says_nothing_of_a_source_without_any(members: int, accepted: Accepted, told: str) -> None:
    """All rows would go, and the numbers were those of a source that was well."""
    reasons = doubts_of_clearing(found(members=members, missing=members, rows=0), accepted, USUAL)
    assert reasons == ([told] if told else [])
