"""What is read from a statement without asking any server."""

from __future__ import annotations

import pytest

from workers.preflight.literals import Value
from workers.preflight.shapes import Shape, Unreadable, read


def only(statement: str, dialect: str = "postgresql") -> Shape:
    (shape,) = read(statement, dialect)
    return shape


@pytest.mark.parametrize(
    ("statement", "dialect", "conflict"),
    [
        ("INSERT INTO t (a) VALUES (1)", "mysql", ""),
        ("INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = VALUES(a)", "mysql", "update"),
        ("INSERT IGNORE INTO t (a) VALUES (1)", "mysql", "ignore"),
        ("replace into t (a) values (1)", "mysql", "replace"),
        ("REPLACE t (a) VALUES (1)", "mysql", "replace"),
        ("REPLACE INTO t (a) VALUES (1)", "sqlite", "replace"),
        ("INSERT OR REPLACE INTO t (a) VALUES (1)", "sqlite", "replace"),
        ("INSERT OR IGNORE INTO t (a) VALUES (1)", "sqlite", "ignore"),
        ("INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = excluded.a", "sqlite", "update"),
        ("INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING", "postgresql", "nothing"),
    ],
)
def test_what_is_said_of_a_row_that_is_there(statement: str, dialect: str, conflict: str) -> None:
    shape = only(statement, dialect)
    assert (shape.verb, shape.table, shape.listed, shape.conflict, shape.grows) == ("insert", "t", ("a",), conflict, ())


def test_an_insert_tells_its_columns_values_and_conflict_columns() -> None:
    shape = only("INSERT INTO s.t AS x (a, B, c) VALUES (1, 'x', NOW()), (-2, 'y', NULL) ON CONFLICT (a, b) DO NOTHING")
    assert (shape.schema, shape.table, shape.listed, shape.on) == ("s", "t", ("a", "b", "c"), ("a", "b"))
    assert shape.inserted == {"a": (Value("1", False), Value("2", False)), "b": (Value("x", True), Value("y", True))}


def test_literals_that_choose_rows_are_told_by_column() -> None:
    shape = only("DELETE FROM t WHERE a = 1 AND b IN ('x', 'y') AND 'z' = c AND f(d) = 'no'", "mysql")
    assert (shape.verb, shape.table) == ("delete", "t")
    assert shape.compared == {
        "a": (Value("1", False),),
        "b": (Value("x", True), Value("y", True)),
        "c": (Value("z", True),),
    }


def test_columns_of_other_tables_are_not_taken_for_this_ones() -> None:
    assert only("DELETE FROM t USING u WHERE t.a = 'x' AND u.b = 'y' AND c = 'z'").compared == {
        "a": (Value("x", True),)
    }
    assert only("DELETE FROM t WHERE a IN (SELECT b FROM u WHERE c = 'x')").compared == {"a": ()}
    joined = only("DELETE m FROM member AS m JOIN u USING (c) WHERE m.s = 1 AND u.x = 2", "mysql")
    assert (joined.table, joined.compared) == ("member", {"s": (Value("1", False),)})


@pytest.mark.parametrize(
    ("statement", "dialect", "grows"),
    [
        ("UPDATE t SET n = n + 1, m = 5, k = m + 1 WHERE a = 1", "mysql", ("n",)),
        ("INSERT INTO t (n) VALUES (1) ON DUPLICATE KEY UPDATE n = n + VALUES(n)", "mysql", ("n",)),
        ("INSERT INTO t (n) VALUES (1) ON DUPLICATE KEY UPDATE n = VALUES(n) + 1", "mysql", ()),
        ("INSERT INTO t AS x (n) VALUES (1) ON CONFLICT (a) DO UPDATE SET n = x.n + 1", "postgresql", ("n",)),
        ("INSERT INTO t (n) VALUES (1) ON CONFLICT (a) DO UPDATE SET n = excluded.n + 1", "postgresql", ()),
        ("UPDATE t SET names = names || 'x'", "postgresql", ("names",)),
        ("UPDATE t SET names = CONCAT(names, 'x')", "mysql", ("names",)),
        ("UPDATE t SET n = coalesce(n, 0)", "postgresql", ()),
    ],
)
def test_columns_that_grow_by_repetition(statement: str, dialect: str, grows: tuple[str, ...]) -> None:
    assert only(statement, dialect).grows == grows


def test_an_insert_of_what_is_not_there_is_guarded() -> None:
    assert only("INSERT INTO t (a) SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM t WHERE a = 1)").guarded
    assert not only("INSERT INTO t (a) SELECT 1").guarded


def test_names_are_kept_as_the_database_compares_them() -> None:
    assert only('DELETE FROM "T" WHERE "Id" = 1 AND Name = \'x\'').compared.keys() == {"Id", "name"}
    assert only('DELETE FROM "T" WHERE "Id" = 1').table == "T"
    assert only("DELETE FROM T WHERE Id = 1").table == "t"
    assert only("DELETE FROM Member WHERE segId = 1", "mysql").table == "Member"
    assert only("DELETE FROM Member WHERE segId = 1", "mysql").compared.keys() == {"segid"}


def test_all_changes_of_a_statement_are_told() -> None:
    statement = "WITH x AS (DELETE FROM t WHERE c = '1' RETURNING c) INSERT INTO u (s, c) SELECT 1, c FROM x"
    assert {(shape.verb, shape.table) for shape in read(statement, "postgresql")} == {("delete", "t"), ("insert", "u")}


def test_a_merge_is_one_change() -> None:
    statement = (
        "MERGE INTO t USING (VALUES (1, 'a')) q (a, b) ON t.s = q.a WHEN MATCHED THEN UPDATE SET n = 1"
        " WHEN NOT MATCHED THEN INSERT (s, b) VALUES (q.a, q.b)"
    )
    assert [(shape.verb, shape.table) for shape in read(statement, "postgresql")] == [("merge", "t")]


@pytest.mark.parametrize(
    "statement",
    ["CALL gone(1, 'x')", "DELETE FROM", "", "INSERT INTO t (a VALUES (1", "DELETE t, u FROM t JOIN u", "(" * 5000],
)
def test_what_cannot_be_read_is_said_quietly(statement: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Unreadable):
        read(statement, "mysql")
    assert caplog.records == []


def test_a_select_changes_nothing() -> None:
    assert read("SELECT 1", "postgresql") == []


@pytest.mark.parametrize(
    "verb", ["INSERT /* x */ IGNORE INTO", "-- x\nINSERT\nIGNORE INTO", "insert # x\n low_priority ignore"]
)
def test_a_comment_hides_no_ignore(verb: str) -> None:
    (shape,) = read(f"{verb} t (a) VALUES (1)", "mysql")
    assert shape.ignores


@pytest.mark.parametrize("verb", ["/* x */ REPLACE INTO", "replace -- x\n into", "REPLACE\tDELAYED"])
def test_a_comment_hides_no_replace(verb: str) -> None:
    (shape,) = read(f"{verb} t (a) VALUES (1)", "mysql")
    assert shape.conflict == "replace"


def test_a_cast_to_a_type_of_several_spellings_folds_and_one_to_a_text_does_not() -> None:
    (shape,) = read("DELETE FROM t WHERE a = ANY(ARRAY['x', 'y']::int[]) AND b = 'z'::text", "postgresql")
    assert {column: [value.text for value in values] for column, values in shape.compared.items()} == {
        "a": ["x", "y"],
        "b": ["z"],
    }
    assert list(shape.computed) == ["a"]


@pytest.mark.parametrize(
    ("statement", "nulls"),
    [
        ("INSERT INTO t (a, b, c) VALUES (1, NULL, 2), (NULL, 2, 2)", ("b", "a")),
        ("INSERT INTO t (a, b) VALUES (1, COALESCE(NULL, 2)) ON DUPLICATE KEY UPDATE a = NULL", ("a",)),
        ("UPDATE t SET a = NULL, b = 2 WHERE c IS NULL", ("a",)),
    ],
)
def test_what_is_given_null(statement: str, nulls: tuple[str, ...]) -> None:
    assert only(statement, "mysql").nulls == nulls


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE t SET a = 1, b = 'x', c = d + 1",
        "INSERT INTO t (a) VALUES (5) ON CONFLICT (a) DO UPDATE SET a = 1, b = 'x'",
    ],
)
def test_what_a_row_that_is_there_is_given(statement: str) -> None:
    assert only(statement).given == {"a": (Value("1", False),), "b": (Value("x", True),)}
