"""An operation's number is where it came in, never a counter (rule 1)."""

from __future__ import annotations

from itertools import pairwise

from workers.events.parsing import Kind
from workers.lanes.chunks import MAX_MS, MAX_N, Operation

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
