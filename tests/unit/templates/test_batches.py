"""Loops, lists, commas and statements over a batch."""

from __future__ import annotations

import re

import pytest

from tests.unit.templates.rendering import SEGMENT, bad_rows, compiled, each, one, rows
from workers.events.numerals import Numeral
from workers.templates import BadRows, QueryKind, RowProblem, key_of


def test_autocomma_parts_all_items_and_follows_none() -> None:
    assert each("({$lead.a}){autocomma}", {"a": 1}, {"a": 2}, {"a": 3}) == ["(1),(2),(3)"]


def test_autocomma_looks_ahead_over_items_that_a_condition_leaves_out() -> None:
    body = "{if $lead.keep}({$lead.a}){autocomma}{end}"

    assert each(body, {"a": 1, "keep": 1}, {"a": 2}, {"a": 3, "keep": 1}, {"a": 4}) == ["(1),(3)"]


def test_two_autocommas_in_a_round() -> None:
    assert each("({$lead.a}){autocomma}({$lead.b}){autocomma}", {"a": 1, "b": 2}, {"a": 3, "b": 4}) == [
        "(1),(2),(3),(4)"
    ]


def test_an_autocomma_belongs_to_the_innermost_loop() -> None:
    body = "(ARRAY[{for $tag = $lead.tags}{$tag}{autocomma}{end}]){autocomma}"

    assert each(body, {"tags": ["a", "b"]}, {"tags": ["c"]}) == ["(ARRAY['a','b']),(ARRAY['c'])"]


def test_index_counts_from_zero_and_objects_come_by_key() -> None:
    body = "({$i}, '{for $k, $v = $lead.o}{$k}={$v};{end}'){autocomma}"

    assert each(body, {"o": {"b": 1, "a": "x"}}, {}) == ["(0, 'a=x;b=1;'),(1, '')"]


def test_a_statement_whose_loop_came_out_empty_is_not_sent() -> None:
    query = compiled(
        "INSERT INTO a VALUES {for $x = $batch}{if $x.k}({$x.k}){autocomma}{end}{end};"
        "INSERT INTO b VALUES {for $x = $batch}({$x.j}){autocomma}{end}"
    )

    assert query.render(rows({"j": 1}), SEGMENT) == ["INSERT INTO b VALUES (1)"]
    assert query.render([], SEGMENT) == []


def test_a_loop_in_a_literal_or_in_a_loop_may_be_empty() -> None:
    assert each("('{for $t = $lead.tags}{$t}{end}')", {}) == ["('')"]
    assert each("(ARRAY[0{for $t = $lead.tags}, {$t}{end}])", {}) == ["(ARRAY[0])"]
    assert one("'{for $t = lead.tags}{$t}{end}'", {}) == "''"


def test_one_profile_at_a_time_renders_each_by_itself() -> None:
    query = compiled("INSERT INTO t VALUES ({lead.a}); DELETE FROM u WHERE b = {lead.a};", "sqlite", batch=False)

    assert query.render(rows({"a": 1}, {"a": 2}), SEGMENT) == [
        "INSERT INTO t VALUES (1)",
        "DELETE FROM u WHERE b = 1",
        "INSERT INTO t VALUES (2)",
        "DELETE FROM u WHERE b = 2",
    ]


def test_statements_are_cut_at_semicolons_outside_of_literals_and_comments() -> None:
    query = compiled("DELETE FROM a WHERE b = ';' /* ; */; -- ;\n;DELETE FROM c;;-- end", kind=QueryKind.CLEAR)

    assert query.render([], SEGMENT) == ["DELETE FROM a WHERE b = ';' /* ; */", "DELETE FROM c"]


def test_a_statement_that_a_condition_leaves_empty_is_not_sent() -> None:
    query = compiled("/* why */ {if segment_name}DELETE FROM a{end}; DELETE FROM b", kind=QueryKind.CLEAR)

    assert query.render([], SEGMENT._replace(name=None)) == ["DELETE FROM b"]
    assert query.render([], SEGMENT) == ["/* why */ DELETE FROM a", "DELETE FROM b"]


def test_batch_in_gives_distinct_text() -> None:
    query = compiled('DELETE FROM t WHERE k IN ({batch_in "K"})', kind=QueryKind.REMOVE)

    assert query.render(rows({"K": "a"}, {"K": 61}, {"K": "61"}, {"K": "a"}, {"K": "'"}), SEGMENT) == [
        "DELETE FROM t WHERE k IN ('a','61','''')"
    ]


def test_batch_in_number_gives_distinct_numbers() -> None:
    query = compiled('DELETE FROM t WHERE k IN ({batch_in number "K"})', kind=QueryKind.REMOVE, key=("K",))

    assert query.render(rows({"K": 1}, {"K": "1"}, {"K": "-2"}, {"K": Numeral("1.5")}), SEGMENT) == [
        "DELETE FROM t WHERE k IN (1,(-2),1.5)"
    ]


def test_batch_in_takes_a_path() -> None:
    query = compiled('DELETE FROM t WHERE k IN ({batch_in("ids.crm[0]")})', kind=QueryKind.REMOVE)

    assert query.render(rows({"ids": {"crm": ["x"]}}), SEGMENT) == ["DELETE FROM t WHERE k IN ('x')"]
    assert query.identifying == ("ids.crm[0]",)
    assert query.fields == {"ids"}


@pytest.mark.parametrize(
    ("value", "code", "reason"),
    [
        (None, "missing key", "expected a text or a number, got nothing"),
        ("", "missing key", "expected a text or a number, got nothing"),
        (True, "bad key", "expected a text or a number, got a boolean"),
        ([], "bad key", "expected a text or a number, got a list"),
        ({}, "bad key", "expected a text or a number, got an object"),
    ],
)
@pytest.mark.parametrize(
    "template",
    [
        'DELETE FROM t WHERE k IN ({batch_in "K"})',
        "INSERT INTO t VALUES {for $x = $batch}({$x.K}){autocomma}{end}",
        "INSERT INTO t VALUES {for $x = $batch}('{$x.K}'){autocomma}{end}",
        "INSERT INTO t VALUES {for $x = $batch}('crm-{$x.K}'){autocomma}{end}",
        "INSERT INTO t VALUES {for $x = $batch}({lower $x.K}){autocomma}{end}",
        'INSERT INTO t VALUES {for $x = $batch}({default $x.K "none"}){autocomma}{end}',
        "INSERT INTO t VALUES {for $x = $batch}(1{if $x.K}, 2{end}){autocomma}{end}",
    ],
)
def test_every_profile_with_a_bad_key_is_named(template: str, value: object, code: str, reason: str) -> None:
    """A key that is missing, null or empty is a data error of its profile, wherever it stands."""
    query = compiled(template, key=("K",))

    errors = bad_rows(query, {"K": "a"}, {"K": value}, {"K": 5}, {"K": value})

    assert [tuple(error) for error in errors] == [(1, "K", code, reason), (3, "K", code, reason)]


@pytest.mark.parametrize(
    ("template", "dialect", "profile", "field", "reason"),
    [
        ("{$x.a}", "postgresql", {"a": "\0"}, "a", "the character U+0000 cannot be stored in postgresql"),
        ("'-{$x.a}'", "postgresql", {"a": "x\0"}, "a", "the character U+0000 cannot be stored in postgresql"),
        ("{$x.a}", "mysql", {"a": "\ud800"}, "a", "expected text without lone surrogates"),
        ("{$x.a}", "mysql", {"a": float("nan")}, "a", "expected a finite number"),
        ("{$x.a}", "mysql", {"a": float("inf")}, "a", "expected a finite number"),
        ("{$x.a}", "mysql", {"a": Numeral("1e400")}, "a", "expected a number below 1e308"),
        ("{$x.a}", "mysql", {"a": Numeral("1);DROP")}, "a", "expected a finite number"),
        ("{$x.a}", "mysql", {"a": 10**5000}, "a", "expected a number of at most 1000 characters"),
        ("{$x.a}", "mysql", {"a": b"x"}, "a", "expected a JSON value, got a bytes"),
        ("{number $x.a}", "mysql", {"a": "12x"}, "a", "expected a number, got a text that spells none"),
        ("{number $x.a}", "mysql", {"a": True}, "a", "expected a number, got a boolean"),
        ("{if $x.a < 5}1{else}2{end}", "mysql", {"a": "4"}, "a", "cannot order a text and a number"),
        (
            "{for $t = $x.a} 1 {end}",
            "mysql",
            {"a": "text"},
            "a",
            "expected a list or an object to loop over, got a text",
        ),
        ('{date $x.a "%Y"}', "mysql", {"a": "soon"}, "a", "expected a time as ISO 8601, like 2026-11-21T10:00:00Z"),
    ],
)
def test_a_value_that_fits_nowhere_is_its_own_profiles_fault(
    template: str, dialect: str, profile: dict[str, object], field: str, reason: str
) -> None:
    query = compiled(f"INSERT INTO t VALUES {{for $x = $batch}}({template}){{autocomma}}{{end}}", dialect)

    (error,) = bad_rows(query, {}, profile)

    assert (error.index, error.field, error.code, error.reason) == (1, field, "bad value", reason)


def test_a_segment_event_has_no_rows_and_names_the_segment() -> None:
    query = compiled("DELETE FROM t WHERE a = {segment_name}", "postgresql", QueryKind.CLEAR)

    with pytest.raises(BadRows, match="1 row cannot be rendered") as caught:
        query.render([], SEGMENT._replace(name="\0"))

    assert [(error.index, error.field) for error in caught.value.errors] == [(-1, "segment_name")]


def test_a_bad_segment_is_the_fault_of_every_row_that_names_it() -> None:
    """So that whoever sets bad rows aside comes to an end."""
    query = compiled("INSERT INTO t VALUES {for $x = $batch}({segment_name}){autocomma}{end}", "postgresql")

    with pytest.raises(BadRows) as caught:
        query.render(rows({}, {}), SEGMENT._replace(name="\0"))

    assert [(error.index, error.field) for error in caught.value.errors] == [(0, "segment_name"), (1, "segment_name")]


def test_canonical_keys_do_not_know_types() -> None:
    assert key_of({"a": 61, "b": {"c": "x"}}, ("a", "b.c")) == key_of({"a": "61", "b": {"c": "x"}}, ("a", "b.c"))
    assert key_of({"a.b": "dotted"}, ('["a.b"]',)) == ("dotted",)


@pytest.mark.parametrize("value", [None, "", True, [1], {"a": 1}])
def test_a_profile_without_a_usable_key_has_none(value: object) -> None:
    with pytest.raises(RowProblem, match=r"K: (missing|bad) key"):
        key_of({"K": value}, ("K",))


@pytest.mark.parametrize(
    ("template", "none"),
    [
        ("INSERT INTO t VALUES ({segment_id}, ARRAY[{for $x = lead.l}'{$x}'{autocomma}{end}]::text[])", "ARRAY[]"),
        ("INSERT INTO t VALUES (1{for $x = lead.l}, {$x}{end})", "(1)"),
        ("UPDATE t SET a = CONCAT('x'{for $x = lead.l}, {$x}{end})", "('x')"),
        ("DELETE FROM t WHERE a IN (0{for $x = lead.l}, {$x}{end})", "(0)"),
        ("DELETE FROM t WHERE a IN ({for $x = lead.l}{$x}, {end}0)", "(0)"),
        ("INSERT INTO t VALUES {for $x = lead.l}({$x}), {end}(0)", "VALUES (0)"),
        ("SELECT a{for $x = lead.l}, {$x}{end} FROM t", "SELECT a FROM t"),
    ],
)
def test_a_loop_that_makes_a_value_may_be_empty(template: str, none: str) -> None:
    """A profile whose list is empty is told like any other."""
    query = compiled(template, "postgresql", batch=False)

    nothing: list[dict[str, object]] = [{}, {"l": []}, {"l": {}}]
    for profile in nothing:
        (statement,) = query.render(rows(profile), SEGMENT)
        assert none in statement


@pytest.mark.parametrize(
    "template",
    [
        "INSERT INTO t VALUES {for $x = lead.l}({segment_id}, {$x}){autocomma}{end} ON CONFLICT DO NOTHING",
        "INSERT INTO t VALUES /* all */ {for $x = lead.l}({segment_id}, {$x}){autocomma}{end}",
        "DELETE FROM t WHERE s = {segment_id} AND a IN ({for $x = lead.l}{$x}{autocomma}{end} /* of his */ )",
        "DELETE FROM t WHERE a IN (\n{for $x = lead.l}\n{$x}{autocomma}\n{end}\n)",
        'DELETE FROM t WHERE NOT b AND (t.a, "c") IN ({for $x = lead.l}({$x}, 1){autocomma}{end}) AND x <> 1',
        "UPDATE t SET c = f(1) WHERE b BETWEEN 1 AND 2 AND lower(a) IN ({for $x = lead.l}{$x}{autocomma}{end})",
        "DELETE FROM t WHERE (b = 1 OR c = 2) AND a IN ({for $x = lead.l}{$x}{autocomma}{end}) RETURNING 1",
        "INSERT INTO t SELECT u.a FROM u JOIN v ON (u.a = v.a) WHERE u.a IN ({for $x = lead.l}{$x}{autocomma}{end})",
        "INSERT INTO t SELECT u.a FROM u, (SELECT 1) v WHERE u.a IN ({for $x = lead.l}{$x}{autocomma}{end}) GROUP BY 1",
        "INSERT INTO t SELECT a FROM u WHERE a IN ({for $x = lead.l}{$x}{autocomma}{end}) ON CONFLICT (a) DO NOTHING",
        "WITH u AS (SELECT 1) DELETE FROM t WHERE a IN ({for $x = lead.l}{$x}{autocomma}{end})",
        "UPDATE t SET a = v.a FROM (VALUES {for $x = lead.l}({$x}){autocomma}{end}) v WHERE t.b = v.a",
    ],
)
def test_a_list_that_is_all_of_values_or_in_takes_its_statement_with_it(template: str) -> None:
    """There would be nothing left to run; and it is said when the query is checked."""
    query = compiled(template, "postgresql", batch=False)

    assert query.render(rows({"l": []}), SEGMENT) == []
    assert len(query.render(rows({"l": [1, 2]}), SEGMENT)) == 1
    told = [warning.what for warning in query.warnings if "segment_id" not in warning.what]
    assert told == [
        "where this {for} has nothing to go over, the statement is not sent, and the event counts as delivered"
    ]


ROW = "{for $y = $x.l}({segment_id}, '{$x.CustomID}', '{$y}'){autocomma}{end}"


@pytest.mark.parametrize(
    ("body", "told", "left"),
    [
        (f"{ROW}{{autocomma}}", True, False),
        (f"{{if $x.active}}{ROW}{{else}}{ROW}{{end}}{{autocomma}}", True, False),
        (f"{{if $x.active}}{ROW}{{end}}{{autocomma}}", True, False),
        (f"{{if $x.active}}({{segment_id}}){{else}}(1){{end}}{ROW}{{autocomma}}", False, True),
        ("({segment_id}, ARRAY[{for $y = $x.l}'{$y}'{autocomma}{end}]::text[]){autocomma}", False, True),
        ("{if $x.active}({segment_id}, '{$x.CustomID}'){autocomma}{end}", False, False),
    ],
)
def test_a_batch_of_which_nothing_may_be_left_is_told(body: str, told: bool, left: bool) -> None:
    """Only where lists decide it: who writes {if} has thought of its other side."""
    text = f"INSERT INTO t VALUES {{for $x = $batch}}{body}{{end}}"
    query = compiled(text, "postgresql")

    warned = [each for each in query.warnings if "for any profile of a batch, the statement is not sent" in each.what]
    loops = [found.start() + 1 for found in re.finditer(r"\{for \$y", text)]
    assert [each.column for each in warned] == (loops if told else [])
    assert bool(query.render(rows({"CustomID": "a", "l": []}, {"CustomID": "b"}), SEGMENT)) is left


LIST = "({for $x = lead.l}{$x}{autocomma}{end})"


@pytest.mark.parametrize(
    "template",
    [
        f"DELETE FROM t WHERE s = {{segment_id}} AND a NOT IN {LIST}",
        f"DELETE FROM t WHERE NOT a IN {LIST}",
        f"DELETE FROM t WHERE a IN {LIST} IS NOT TRUE",
        f"DELETE FROM t WHERE a IN {LIST} OR b = 1",
        f"DELETE FROM t WHERE b = 1 OR a IN {LIST}",
        f"DELETE FROM t WHERE 0 = a IN {LIST}",
        f"DELETE FROM t WHERE b BETWEEN 0 AND a IN {LIST}",
        f"DELETE FROM t WHERE NOT (a IN {LIST})",
        f"DELETE FROM t WHERE CASE WHEN a IN {LIST} THEN 0 ELSE 1 END = 1",
        f"INSERT INTO t VALUES ({{segment_id}}, 2 IN {LIST})",
        f"INSERT INTO t VALUES ({{segment_id}}, CASE WHEN 1 IN {LIST} THEN 'x' ELSE 'y' END)",
        f"UPDATE t SET a = 2 IN {LIST} WHERE b = 1",
        f"INSERT INTO t SELECT count(*) FROM u WHERE a IN {LIST}",
        f'INSERT INTO t SELECT "count"(*) FROM u WHERE a IN {LIST}',
        f"INSERT INTO t SELECT 1 + (count(*)) FROM u WHERE a IN {LIST}",
        f"INSERT INTO t SELECT b IS DISTINCT FROM 1, (count(*)) FROM u WHERE a IN {LIST}",
        f"INSERT INTO t SELECT 5 FROM u WHERE a IN {LIST} GROUP BY ()",
        f"INSERT INTO t SELECT 5 FROM u WHERE a IN {LIST} ORDER BY count(*)",
        f"INSERT INTO t SELECT a FROM u ON CONFLICT ON CONSTRAINT c DO UPDATE SET b = 1 WHERE t.a IN {LIST}",
        f"INSERT INTO t SELECT a FROM u WHERE a IN {LIST} UNION ALL SELECT 0",
        f"INSERT INTO t SELECT 0 FROM u WHERE a IN {LIST} AND b = 1 HAVING count(*) = 0",
        f"WITH g AS (DELETE FROM u WHERE k = 1 RETURNING k) DELETE FROM t WHERE a IN {LIST}",
        f"INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 1 WHERE t.a IN {LIST}",
        f"DELETE FROM t WHERE b = 1 RETURNING a IN {LIST}",
        "UPDATE t SET n = (SELECT count(*) FROM u WHERE EXISTS (VALUES {for $x = lead.l}({$x}){autocomma}{end}))",
    ],
)
def test_a_list_that_is_a_value_takes_no_statement_with_it(template: str) -> None:
    """What the statement does without any item, nobody can say here; IN () is no SQL. So the profile is refused."""
    query = compiled(template, "postgresql", batch=False)

    assert not [warning for warning in query.warnings if "is not sent" in warning.what]
    assert len(query.render(rows({"l": [1, 2]}), SEGMENT)) == 1
    with pytest.raises(BadRows, match="l: bad value: expected at least one item"):
        query.render(rows({"l": []}), SEGMENT)


ROWS = "(VALUES {for $x = lead.l}({$x}){autocomma}{end}) v (x)"


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite", "mssql"])
@pytest.mark.parametrize(
    "template",
    [
        f"DELETE FROM t WHERE k = 1 AND NOT EXISTS (SELECT 1 FROM {ROWS} WHERE v.x = t.x)",
        f"DELETE FROM t WHERE k = 1 AND x NOT IN (SELECT x FROM {ROWS})",
        f"UPDATE t SET n = (SELECT count(*) FROM {ROWS}) WHERE k = 1",
        f"INSERT INTO t SELECT u.k FROM u LEFT JOIN {ROWS} ON u.x = v.x WHERE u.k = 1",
        f"INSERT INTO t SELECT u.k FROM {ROWS} RIGHT OUTER JOIN u ON u.x = v.x WHERE u.k = 1",
        f"INSERT INTO t SELECT u.k FROM {ROWS} FULL JOIN u ON u.x = v.x WHERE u.k = 1",
        f"INSERT INTO t SELECT x FROM {ROWS} UNION ALL SELECT 0",
        f"INSERT INTO t SELECT 0 EXCEPT SELECT x FROM {ROWS}",
        f"INSERT INTO t SELECT 0 FROM {ROWS} HAVING count(*) = 0",
        f"INSERT INTO t SELECT 0 FROM {ROWS} GROUP BY ()",
        f"INSERT INTO t VALUES (1, (SELECT max(x) FROM {ROWS}))",
        f"INSERT INTO t SELECT u.k FROM u, (SELECT count(*) FROM {ROWS}) c",
        f"WITH w AS (SELECT x FROM {ROWS}) DELETE FROM t WHERE x NOT IN (SELECT x FROM w)",
        "INSERT INTO t VALUES {for $x = lead.l}({$x}){autocomma}{end} UNION ALL SELECT 0",
        f"WITH g AS (DELETE FROM u WHERE k = 1 RETURNING k) INSERT INTO t SELECT x FROM {ROWS}",
    ],
)
def test_rows_of_which_a_statement_has_others_take_it_not_with_them(template: str, dialect: str) -> None:
    """Whoever has no tags any more must lose them: not sent, the rows would stay, and count as delivered."""
    query = compiled(template, dialect, batch=False)

    assert not [warning for warning in query.warnings if "is not sent" in warning.what]
    assert len(query.render(rows({"l": [1, 2]}), SEGMENT)) == 1
    with pytest.raises(BadRows, match="l: bad value: expected at least one item"):
        query.render(rows({"l": []}), SEGMENT)


@pytest.mark.parametrize(("dialect", "end"), [("postgresql", ""), ("mssql", ";")])
def test_a_merge_that_deletes_what_its_source_has_not_is_sent_or_refused(dialect: str, end: str) -> None:
    merge = f"MERGE INTO t USING {ROWS} ON t.x = v.x"
    query = compiled(f"{merge} WHEN NOT MATCHED BY SOURCE AND t.k = 1 THEN DELETE{end}", dialect, batch=False)
    with pytest.raises(BadRows, match="expected at least one item"):
        query.render(rows({"l": []}), SEGMENT)
    inserts = f"{merge} AND 'source' = 'by' WHEN NOT MATCHED BY TARGET THEN INSERT (x) VALUES (v.x){end}"
    assert compiled(inserts, dialect, batch=False).render(rows({"l": []}), SEGMENT) == []


@pytest.mark.parametrize(
    "template",
    [
        f"INSERT INTO t SELECT 1, x FROM {ROWS}",
        f"INSERT INTO t SELECT u.k FROM u JOIN {ROWS} ON u.x = v.x",
        f"INSERT INTO t SELECT u.k FROM u INNER JOIN {ROWS} ON u.x = v.x",
        f"DELETE FROM t USING {ROWS} WHERE t.x = v.x",
        f"UPDATE t SET x = v.x FROM {ROWS} WHERE t.k = v.x",
    ],
)
def test_rows_without_which_a_statement_does_nothing_take_it_with_them(template: str) -> None:
    assert compiled(template, "postgresql", batch=False).render(rows({"l": []}), SEGMENT) == []


def test_a_list_that_is_a_value_may_be_empty_where_the_database_reads_that() -> None:
    query = compiled(f"DELETE FROM t WHERE a NOT IN {LIST}", "sqlite", batch=False)

    assert query.render(rows({"l": []}), SEGMENT) == ["DELETE FROM t WHERE a NOT IN ()"]


def test_a_sign_that_means_or_makes_a_condition_one_of_several() -> None:
    query = compiled(f"DELETE FROM t WHERE a IN {LIST} AND b = 1 || c = 2", "mysql", batch=False)

    with pytest.raises(BadRows, match="expected at least one item"):
        query.render(rows({}), SEGMENT)


@pytest.mark.parametrize(
    "template",
    [
        f"DELETE FROM t WHERE b IN (1) DELETE FROM u WHERE a IN {LIST}",
        f"DELETE FROM t DELETE FROM u WHERE a IN {LIST}",
        "INSERT INTO t VALUES {for $x = lead.l}({$x}){autocomma}{end} DELETE FROM u WHERE b = 1",
    ],
)
def test_two_statements_without_a_semicolon_between_do_not_fall_together(template: str) -> None:
    query = compiled(template, "mssql", batch=False)

    with pytest.raises(BadRows, match="expected at least one item"):
        query.render(rows({"l": []}), SEGMENT)


@pytest.mark.parametrize(
    "template",
    [
        "ALTER TABLE t UPDATE b = 1 WHERE b, DELETE WHERE a IN {}",
        "DELETE FROM t WHERE b ? c : 1 AND a IN {}",
        "INSERT INTO t SELECT 5 FROM u WHERE a IN {} ORDER BY b WITH FILL FROM 1 TO 3",
        "INSERT INTO t SELECT 5 FROM u WHERE a IN {} LIMIT 1 BY count(*)",
        "INSERT INTO t SELECT 5 FROM u WHERE a IN {} AND b = 1 QUALIFY count(*) >= 0",
    ],
)
def test_what_clickhouse_does_without_any_item_is_left_to_it(template: str) -> None:
    """Its IN () is a list, and the rest of the statement, or a row that it makes, is there all the same."""
    query = compiled(template.format(LIST), "clickhouse", batch=False)

    assert query.render(rows({"l": []}), SEGMENT) == [template.format("()")]


def test_what_one_statement_says_is_nothing_to_the_next() -> None:
    query = compiled(f"DELETE FROM t WHERE a IN {LIST} OR b; DELETE FROM u WHERE a IN {LIST}", "sqlite", batch=False)

    assert query.render(rows({}), SEGMENT) == ["DELETE FROM t WHERE a IN () OR b"]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([["x"], [], ["y", "z"]], "('0', 'x'),('2', 'y'),('2', 'z')"),
        ([[], [], ["x"], []], "('2', 'x')"),
        ([["x"]], "('0', 'x')"),
        ([["x"], ["y"]], "('0', 'x'),('1', 'y')"),
    ],
)
@pytest.mark.parametrize("between", ["", " ", "\n"])
def test_an_item_that_came_out_empty_leaves_no_comma(tags: list[object], expected: str, between: str) -> None:
    """Two commas in a row are no SQL, and one profile without tags would stop all others."""
    body = f"{{for $t = $lead.tags}}('{{$i}}', '{{$t}}'){{autocomma}}{{end}}{between}{{autocomma}}{between}"

    profiles: list[dict[str, object]] = [{"tags": one} for one in tags]
    (statement,) = each(body, *profiles)

    assert "".join(statement.split("\n")).replace(" ", "") == expected.replace(" ", "")


def test_a_comma_in_a_literal_is_text_and_stays() -> None:
    assert one("'{for $t = lead.tags}{$t}{autocomma}{end}'", {"tags": ["a", "", "b"]}) == "'a,,b'"


def test_each_profile_without_any_item_leaves_nothing_to_send() -> None:
    body = "{for $t = $lead.tags}({segment_id}, {$t}){autocomma}{end}{autocomma}"

    assert each(body, {"tags": []}, {}) == []


@pytest.mark.parametrize("dialect", ["mssql", "oracle"])
def test_a_batch_is_told_in_as_many_statements_as_the_database_needs(dialect: str) -> None:
    """SQL Server takes 1,000 rows of VALUES (10738), Oracle 1,000 values in a list (ORA-01795)."""
    query = compiled('DELETE FROM m WHERE c IN ({batch_in "c"})', dialect, kind=QueryKind.REMOVE)

    statements = query.render(rows(*({"c": f"c{number}"} for number in range(2001))), SEGMENT)
    assert [statement.count("c1") > 0 for statement in statements] == [True, True, False]
    assert [len(re.findall(r"'c\d+'", statement)) for statement in statements] == [1000, 1000, 1]


def test_where_a_database_takes_all_of_a_batch_it_is_one_statement() -> None:
    query = compiled('DELETE FROM m WHERE c IN ({batch_in "c"})', "mysql", kind=QueryKind.REMOVE)
    assert len(query.render(rows(*({"c": f"c{number}"} for number in range(2001))), SEGMENT)) == 1
