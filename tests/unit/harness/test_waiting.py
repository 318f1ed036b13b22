"""Waiting for a condition ends with it, or says what did not come."""

from __future__ import annotations

from itertools import count

import pytest

from tests.waiting import A_PROCESS, EVERY, SELDOM, TimedOut, until


def test_what_holds_is_given_back_as_soon_as_it_does() -> None:
    looks = count()
    assert until(lambda: next(looks) == 3 and "there", "the third look") == "there"
    assert next(looks) == 4


def test_what_never_comes_is_named() -> None:
    with pytest.raises(TimedOut, match=r"not within 0\.05 s: a miracle, of which nobody knows"):
        until(lambda: False, lambda: "a miracle, of which nobody knows", seconds=0.05)


def test_what_takes_long_is_looked_at_more_seldom_and_never_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    looks = count()
    until(lambda: next(looks) == 30, seldom=SELDOM)
    assert pauses[0] == EVERY
    assert pauses == sorted(pauses)
    assert pauses[-1] == SELDOM
    pauses.clear()
    until(lambda: pauses, every=A_PROCESS)
    assert pauses == [A_PROCESS]
