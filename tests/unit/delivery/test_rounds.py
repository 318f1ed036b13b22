"""Rounds end as the operations taken one by one would, for any target that equates what it likes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.delivery.rounds import into_rounds
from workers.integrations import Ordering

SPELLINGS = ["7", "007", "7.0", "8", "08", "A", "a ", "b", "José", "Jose\u0301"]
operations = st.lists(st.tuples(st.booleans(), st.sampled_from(SPELLINGS)), max_size=30)


def merged(came: list[tuple[bool, str]]) -> list[tuple[bool, tuple[str, ...], int]]:
    """The last operation of each very same key, in the order they came."""
    last = {key: index for index, (_, key) in enumerate(came)}
    return [(add, (key,), index) for index, (add, key) in enumerate(came) if last[key] == index]


def run(came: list[tuple[bool, str]], order: list[int], same: dict[str, str]) -> dict[str, int]:
    """A table whose key equates as `same` says, after these operations; the value is the operation that wrote it."""
    table: dict[str, int] = {}
    for index in order:
        add, key = came[index]
        if add:
            table[same[key]] = index
        else:
            table.pop(same[key], None)
    return table


def order_of(came: list[tuple[bool, str]], ordering: Ordering) -> list[int]:
    kept = merged(came) if ordering.merges else [(add, (key,), index) for index, (add, key) in enumerate(came)]
    return [index for one in into_rounds(kept, ordering) for index in (*one.removes, *one.adds)]


FOLDS = {
    spelling: group for group in ("7|007|7.0", "8|08", "A|a ", "b", "José|Jose\u0301") for spelling in group.split("|")
}
EXACT = {spelling: spelling for spelling in SPELLINGS}


@given(operations)
def test_folded_ends_as_one_by_one_wherever_the_target_equates_what_folds(came: list[tuple[bool, str]]) -> None:
    for same in (FOLDS, EXACT):
        assert run(came, order_of(came, Ordering.FOLDED), same) == run(came, list(range(len(came))), same)


@given(operations)
def test_strict_runs_everything_as_it_came(came: list[tuple[bool, str]]) -> None:
    for ordering in (Ordering.STRICT, Ordering.CATALOG):
        assert order_of(came, ordering) == list(range(len(came)))


@given(operations)
def test_exact_is_one_round(came: list[tuple[bool, str]]) -> None:
    assert len(into_rounds(merged(came), Ordering.EXACT)) <= 1


@given(operations, st.sampled_from(Ordering))
def test_no_statement_has_two_spellings_of_one_row(came: list[tuple[bool, str]], ordering: Ordering) -> None:
    if ordering is Ordering.EXACT:
        return
    kept = merged(came) if ordering.merges else [(add, (key,), index) for index, (add, key) in enumerate(came)]
    for one in into_rounds(kept, ordering):
        for statement in (one.removes, one.adds):
            rows = [FOLDS[came[index][1]] for index in statement]
            assert len(set(rows)) == len(rows)


def test_a_row_that_is_removed_and_comes_again_needs_no_second_round() -> None:
    came = [(False, ("7",), "remove 7"), (True, ("007",), "add 007"), (True, ("8",), "add 8")]
    (one,) = into_rounds(came, Ordering.FOLDED)
    assert (one.removes, one.adds) == (["remove 7"], ["add 007", "add 8"])


def test_keys_that_fold_apart_are_one_round() -> None:
    came = [(n % 3 != 0, (f"C-{n}",), n) for n in range(1000)]
    assert len(into_rounds(came, Ordering.FOLDED)) == 1


@pytest.mark.parametrize("ordering", list(Ordering))
def test_adds_keep_their_sequence(ordering: Ordering) -> None:
    came = [(True, (key,), key) for key in ("z", "a", "m")]
    assert [one.adds for one in into_rounds(came, ordering)] == [["z", "a", "m"]]


def test_no_remove_passes_an_add_that_some_language_takes_for_its_row() -> None:
    came = [(True, ("s",), "add s"), (False, ("ß",), "remove ß"), (False, ("x",), "remove x")]
    assert [(one.removes, one.adds) for one in into_rounds(came, Ordering.FOLDED)] == [
        ([], ["add s"]),
        (["remove ß", "remove x"], []),
    ]


def test_what_only_some_language_takes_for_one_row_keeps_no_adds_apart() -> None:
    """Ids that count in hexadecimal have an a and an e in each sixteen: a batch of them took 63 statements."""
    keys = [(f"61f3a2b4c5d6e7f8a9b0{number:04x}",) for number in range(1000)]
    assert len(into_rounds([(True, key, key) for key in keys], Ordering.FOLDED)) == 1
    assert len(into_rounds([(number % 100 != 0, key, key) for number, key in enumerate(keys)], Ordering.FOLDED)) < 10
