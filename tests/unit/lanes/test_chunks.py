"""An operation's number is where it came in, never a counter (rule 1)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from workers.events.event import Kind
from workers.events.sequence import MAX_MS, MAX_N, Sequence
from workers.lanes.chunks import Operation

IN_ORDER = [(9, 0, 0), (9, 0, 1), (9, 0, 10), (9, 1, 0), (9, 10, 0), (10, 0, 0), (10, 0, 9_999_999), (MAX_MS, MAX_N, 0)]


def operation(ms: int, n: int, index: int) -> Operation:
    return Operation(ms, n, index, Kind.ADD, None, b"{}")


def test_sequences_are_text_of_one_length_in_the_order_of_stream_ids_and_places() -> None:
    sequences = [operation(*each).sequence for each in IN_ORDER]
    assert sequences == sorted(set(sequences))
    assert {len(each) for each in sequences} == {27}


def test_the_number_that_templates_see_never_falls_and_has_63_bits() -> None:
    numbers = [operation(*each).number for each in IN_ORDER]
    assert all(before <= after for before, after in pairwise(numbers))
    assert all(
        (before < after) == (a[:2] < b[:2]) for (a, before), (b, after) in pairwise(zip(IN_ORDER, numbers, strict=True))
    )
    assert numbers[-1] == 2**63 - 1


def test_a_sequence_comes_back_from_its_text() -> None:
    for each in IN_ORDER:
        assert Sequence.from_text(operation(*each).sequence) == each
    for wrong in ("", "1" * 26, "1" * 28, "-" + "1" * 26, "²" * 27):
        with pytest.raises(ValueError, match="expected 27 digits"):
            Sequence.from_text(wrong)


def test_the_next_event_comes_after_every_profile_of_this_one_and_before_all_others() -> None:
    for ms, n, _ in IN_ORDER[:-1]:
        after = Sequence(ms, n).next_event()
        assert str(Sequence(ms, n, 9_999_999)) < str(after)
        assert after.number == Sequence(ms, n).number + 1
    assert not Sequence(MAX_MS, MAX_N).next_event().fits
