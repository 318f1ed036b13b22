"""Waiting for a condition ends with it, or says what did not come."""

from __future__ import annotations

from itertools import count

import pytest

from tests.waiting import TimedOut, until


def test_what_holds_is_given_back_as_soon_as_it_does() -> None:
    looks = count()
    assert until(lambda: next(looks) == 3 and "there", "the third look") == "there"
    assert next(looks) == 4


def test_what_never_comes_is_named() -> None:
    with pytest.raises(TimedOut, match=r"not within 0\.05 s: a miracle, of which nobody knows"):
        until(lambda: False, lambda: "a miracle, of which nobody knows", seconds=0.05)
