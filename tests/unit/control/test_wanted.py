"""Who is asked for: names that no store can be asked for are refused, with their place."""

from __future__ import annotations

import pytest

from workers.control.wanted import wanted
from workers.errors import WrongUsage


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("a\0b", "profile 2: a NUL in it; expected an `_id` or a key as text"),
        ('["\\ud800"]', "profile 2: half of a surrogate pair in it; expected an `_id` or a key as text"),
        ('["a","\\udfff"]', "profile 2: half of a surrogate pair in it; expected an `_id` or a key as text"),
        ("\ud800", "profile 2: empty, or no text; expected an `_id` or a key"),
    ],
)
def test_who_cannot_be_named_is_refused(profile: str, said: str) -> None:
    with pytest.raises(WrongUsage, match=said):
        wanted(["A-17", profile], [])


@pytest.mark.parametrize("profile", ['["a\\u0000b","c"]', '["\\ud83d\\ude00"]', '["a', "[[1]]"])
def test_whatever_text_is_may_be_named(profile: str) -> None:
    assert wanted([profile], []) == (frozenset({profile}), frozenset())
