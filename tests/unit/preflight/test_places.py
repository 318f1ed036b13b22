"""From a target's objection back to the query's text."""

from __future__ import annotations

import pytest

from workers.preflight.places import place

SOURCE = 'DELETE FROM t\nWHERE segment_id = {segment_id} AND id IN ({batch_in "id"}) OR id = 1'
STATEMENT = "DELETE FROM t\nWHERE segment_id = 7007 AND id IN ('x') OR id = 1"


def at(part: str, number: int = 0) -> int:
    offset = -1
    for _ in range(number + 1):
        offset = STATEMENT.index(part, offset + 1)
    return offset + 1


@pytest.mark.parametrize(
    ("position", "name", "expected"),
    [
        (None, "segment_id", (2, 7)),
        (at("segment_id"), "", (2, 7)),
        (at("id IN"), "", (2, 37)),
        (at("id = 1"), "", (2, 64)),
        (None, "SEGMENT_ID", (2, 7)),
        (None, "t", (1, 13)),
        (None, "missing", None),
        (None, "", None),
        (at("'x'"), "", None),
        (10_000, "", None),
    ],
)
def test_words_are_found_outside_of_tags(position: int | None, name: str, expected: tuple[int, int] | None) -> None:
    assert place(SOURCE, STATEMENT, position, name) == expected


def test_a_word_that_the_loop_repeats_is_not_guessed() -> None:
    source = "INSERT INTO t VALUES {for $x = $batch}(a, b){end} WHERE a = a"
    statement = "INSERT INTO t VALUES (a, b),(a, b) WHERE a = a"
    assert place(source, statement, statement.rindex("a") + 1, "") is None


def test_names_in_quotes_are_found() -> None:
    assert place('DELETE FROM t WHERE "Id" = 1', 'DELETE FROM t WHERE "Id" = 1', 21, "") == (1, 22)


SEVERAL = "UPDATE a SET changed = 1, kept = 1;\nUPDATE b SET changed = {segment_id};\nDELETE FROM b WHERE changed = 1"
SECOND, THIRD = "UPDATE b SET changed = 7007", "DELETE FROM b WHERE changed = 1"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [(SECOND, (2, 14)), (THIRD, (3, 21)), ("UPDATE a SET changed = 1, kept = 1", (1, 14)), ("changed = 1", None)],
)
@pytest.mark.parametrize("has_position", [True, False])
def test_a_word_of_several_statements_is_found_in_its_own(
    statement: str, expected: tuple[int, int] | None, *, has_position: bool
) -> None:
    position = statement.index("changed") + 1 if has_position else None
    assert place(SEVERAL, statement, position, "changed") == expected


def test_a_statement_of_which_nothing_is_like_the_query_tells_no_place() -> None:
    assert place("a = 1; a = 2", "b a", None, "a") is None
