"""The queries printed in the users' documentation, unchanged, in MySQL."""

from __future__ import annotations

from tests.unit.templates.rendering import (
    ADD,
    CLEAR,
    REMOVE,
    SEGMENT,
    SEGMENT_DELETE,
    SEGMENT_UPSERT,
    compiled,
    mistakes,
    rows,
)
from workers.templates import QueryKind


def words(statement: str) -> str:
    """The statement with every blank made one."""
    return " ".join(statement.split())


def test_add_renders_one_statement_for_the_batch() -> None:
    query = compiled(ADD, key=("CustomID",))

    (statement,) = query.render(rows({"CustomID": "A-17"}, {"CustomID": "O'Brien"}, {"CustomID": 61}), SEGMENT)

    assert words(statement) == (
        "INSERT INTO mysegment (segId, clientId, updated) VALUES "
        '(7, "A-17", NOW()), (7, "O\'Brien", NOW()), (7, "61", NOW()) '
        "ON DUPLICATE KEY UPDATE updated = NOW()"
    )


def test_remove_lists_the_keys_as_text() -> None:
    query = compiled(REMOVE, kind=QueryKind.REMOVE, key=("CustomID",))

    (statement,) = query.render(rows({"CustomID": "A-17"}, {"CustomID": "O'Brien"}, {"CustomID": 0}), SEGMENT)

    assert words(statement) == ("DELETE FROM mysegment WHERE segment_id = 7 AND clientId IN ('A-17','O''Brien','0')")


def test_clear() -> None:
    (statement,) = compiled(CLEAR, kind=QueryKind.CLEAR).render([], SEGMENT)

    assert words(statement) == "DELETE FROM mysegment WHERE segment_id = 7"


def test_segment_upsert_escapes_the_name_for_double_quotes() -> None:
    query = compiled(SEGMENT_UPSERT, kind=QueryKind.SEGMENT_UPSERT)

    (statement,) = query.render([], SEGMENT._replace(name='Ann\'s "best" \\'))

    assert words(statement) == (
        "INSERT INTO segments (segment_id,name,updated) VALUES "
        '(7, "Ann\'s ""best"" \\\\", NOW()) '
        'ON DUPLICATE KEY UPDATE name = "Ann\'s ""best"" \\\\", updated = NOW()'
    )


def test_segment_delete() -> None:
    (statement,) = compiled(SEGMENT_DELETE, kind=QueryKind.SEGMENT_DELETE).render([], SEGMENT)

    assert words(statement) == "DELETE FROM segments WHERE segment_id = 7 LIMIT 1"


def test_the_key_is_found_in_the_remove_query() -> None:
    """`key` left out is the one field that remove uses (rule 16)."""
    assert compiled(REMOVE, kind=QueryKind.REMOVE).identifying == ("CustomID",)


def test_a_single_quote_is_doubled_as_the_escape_table_prints_it() -> None:
    query = compiled("INSERT INTO t VALUES ({segment_id}, '{lead.Field}')", batch=False)

    assert query.render(rows({"Field": "value's"}), SEGMENT) == ["INSERT INTO t VALUES (7, 'value''s')"]


def test_the_printed_slashes_are_a_mistake_with_a_place_and_a_remedy() -> None:
    """MySQL knows no `//` comment; the documentation's annotated example cannot run as printed."""
    annotated = ADD.replace("{autocomma}", "{autocomma} // Here fields for export are specified, it's said")

    assert mistakes(annotated) == [
        "4:54: `//` is not a comment in mysql; use {* … *} for a comment of the template, or `--` for one of SQL"
    ]


def test_a_template_comment_may_stand_where_the_slashes_stood() -> None:
    annotated = ADD.replace("{autocomma}", "{autocomma} {* Here fields for export are specified, it's said *}")

    (statement,) = compiled(annotated).render(rows({"CustomID": "a"}), SEGMENT)

    assert words(statement).startswith('INSERT INTO mysegment (segId, clientId, updated) VALUES (7, "a", NOW()) ON')
