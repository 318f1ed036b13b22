"""How a position is written in a target's table."""

from __future__ import annotations

import pytest

from workers.connectors.sql.positions import Reached
from workers.events.sequence import MAX_MS, MAX_N, TEXT_LENGTH, Sequence

FIRST, LAST = Sequence(0, 0), Sequence(MAX_MS, MAX_N, 9_999_999)


@pytest.mark.parametrize("sequence", [FIRST, Sequence(1_793_000_000_000, 35, 36), Sequence(1, 36, 35), LAST])
def test_a_position_comes_back_as_it_was_written(sequence: Sequence) -> None:
    position = Reached(str(sequence), "aazzz")
    assert Reached.from_text(str(position)) == position
    assert len(str(position)) == TEXT_LENGTH, "there is no room for more in the table"
    assert str(position)[:13] == str(sequence)[:13], "by which old ones are deleted"


def test_one_with_capitals_is_read_and_is_another() -> None:
    """As they were written for a while."""
    position = Reached(str(LAST), "aazzz")
    capitals = Reached.from_text(str(position)[:-5] + "AAZZZ")
    assert (capitals.sequence, capitals.fingerprint == position.fingerprint) == (position.sequence, False)


@pytest.mark.parametrize("sequence", ["", str(FIRST), str(LAST)])
def test_one_without_a_fingerprint_is_a_sequence(sequence: str) -> None:
    assert str(Reached(sequence)) == sequence
    assert Reached.from_text(sequence) == Reached(sequence)


@pytest.mark.parametrize(
    "text", ["1", "9" * 26, "9" * 28, "x" * 27, f"{0:013d}" + "0" * 9, f"{0:013d}" + "0" * 8 + "-" + "abcde"]
)
def test_what_is_no_position_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=text[:20]):
        Reached.from_text(text)
