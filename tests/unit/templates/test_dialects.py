"""What is peculiar to SQL Server, Oracle and ClickHouse."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.templates.rendering import SEGMENT, bad_rows, compiled, each, mistakes, one, rows
from workers.events.numerals import Numeral
from workers.templates import QueryKind
from workers.templates.dialects import MYSQL


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("{lead.F}", "O'é", "N'O''é'"),
        ("'{lead.F}'", "O'é", "N'O''é'"),
        ("N'{lead.F}'", "O'é", "N'O''é'"),
        ("'{lead.F}'", None, "NULL"),
        ("'a-{lead.F}'", "é", "N'a-é'"),
        ("N'a-{lead.F}'", "é", "N'a-é'"),
        ("'{lead.F}', 'b-{lead.F}'", "é", "N'é', N'b-é'"),
        ("'a{if lead.F}-{lead.F}{end}' + 'plain'", "é", "N'a-é' + 'plain'"),
        ("{lead.F}", True, "1"),
        ("[a]]b], {lead.F}", False, "[a]]b], 0"),
    ],
)
def test_sql_server_gets_national_literals(template: str, value: object, expected: str) -> None:
    """Without N the server converts to its code page, in which other characters become quotes."""
    assert one(template, {"F": value}, "mssql") == expected + ";"


JOINT = "'+CAST(N'' AS nvarchar(max))+N'"


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("{lead.F}", "a\\\nb", f"N'a\\{JOINT}\nb'"),
        ("{lead.F}", "a\\\r\nb", f"N'a\\{JOINT}\r\nb'"),
        ("{lead.F}", "a\\b\n", "N'a\\b\n'"),
        ("'C:\\{lead.F}'", "\nb", f"N'C:\\{JOINT}\nb'"),
        ("'{lead.F}\n'", "a\\", f"N'a\\{JOINT}\n'"),
    ],
)
def test_sql_server_never_sees_a_backslash_before_a_line_break(template: str, value: str, expected: str) -> None:
    """The server would take both for a literal continued on the next line and drop them."""
    assert one(template, {"F": value}, "mssql") == expected + ";"


def test_sql_server_keeps_them_apart_in_batches_too() -> None:
    assert each("('C:\\{$lead.F}', {$lead.F}){autocomma}", {"F": "\nb"}, {"F": "a\\"}, dialect="mssql") == [
        f"(N'C:\\{JOINT}\nb', N'\nb'),(N'C:\\a\\{JOINT}', N'a\\');"
    ]


def test_sql_server_gets_all_statements_in_one_batch_each_with_its_terminator() -> None:
    query = compiled("DELETE FROM a WHERE b = {segment_id}; -- first\nDELETE FROM c -- last", "mssql", QueryKind.CLEAR)

    assert query.render([], SEGMENT) == ["DELETE FROM a WHERE b = 7;\n-- first\nDELETE FROM c -- last\n;"]


def test_sql_server_takes_the_time_without_regard_to_its_language() -> None:
    assert one("{event_time}", {}, "mssql") == "CAST(N'2026-11-21 12:00:00.000000' AS datetime2(6));"


@pytest.mark.parametrize(("dialect", "longest"), [("mssql", 38), ("postgresql", 1000)])
def test_a_number_that_the_server_cannot_read_is_the_profiles_fault(dialect: str, longest: int) -> None:
    query = compiled("INSERT INTO t VALUES {for $x = $batch}({$x.a}){autocomma}{end}", dialect)

    (error,) = bad_rows(query, {"a": 10 ** (longest - 1)}, {"a": 10**longest})

    assert (error.index, error.reason) == (1, f"expected a number of at most {longest} characters")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{lead.F}", "(TO_CLOB('{a}')||TO_CLOB('{b}'))"),
        ("'{lead.F}'", "(TO_CLOB('{a}')||TO_CLOB('{b}'))"),
        ("'x-{lead.F}-y'", "'x-'||TO_CLOB('{a}')||TO_CLOB('{b}')||'-y'"),
    ],
)
def test_oracle_gets_long_texts_in_pieces(template: str, expected: str) -> None:
    """A literal of Oracle holds 4,000 bytes."""
    value = "😀" * 799 + "'" + "é" * 500

    assert one(template, {"F": value}, "oracle") == expected.format(a="😀" * 799 + "''", b="é" * 500)
    assert one(template, {"F": "é" * 800}, "oracle").count("TO_CLOB") == 0


def test_oracle_gets_them_in_pieces_in_batches_too() -> None:
    (statement,) = each("({$lead.F}, '-{$lead.F}')", {"F": "x" * 4001}, dialect="oracle")

    assert statement.count("TO_CLOB") == 12


def test_oracle_compares_no_long_keys() -> None:
    query = compiled('DELETE FROM t WHERE a IN ({batch_in "K"})', "oracle", QueryKind.REMOVE)

    (error,) = bad_rows(query, {"K": "x" * 800}, {"K": "x" * 801})

    assert (error.index, error.code, error.reason) == (1, "bad key", "expected at most 800 characters")


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("q'[it's]', {lead.F}", True, "q'[it's]', 1"),
        ("nQ'{{it's}}', Q'!it's!', {lead.F}", False, None),
        ("Q'!it's!', {lead.F}", "a\\'", "Q'!it's!', 'a\\'''"),
        ("{event_time}", None, "TIMESTAMP '2026-11-21 12:00:00.000000'"),
        ("{lead.F}, 'é'", "é", "'é', 'é'"),
        ("{lead.F}", "O\u2019Br'i\\en", "TO_CHAR(UNISTR('O\\2019Br''i\\\\en'))"),
        ("'a-{lead.F}'", "\u02bc", "'a-'||TO_CHAR(UNISTR('\\02BC'))||''"),
    ],
)
def test_oracle(template: str, value: object, expected: str | None) -> None:
    if expected is None:
        assert mistakes(f"SELECT {template}", "oracle", batch=False)
        return
    assert one(template, {"F": value}, "oracle") == expected


@pytest.mark.parametrize(
    "template", ["q'[{lead.F}]'", "q'{lead.F}'", "Nq'<a{lead.F}>'", "N'{lead.F}'", "DATE '{lead.F}'"]
)
def test_oracle_refuses_what_cannot_be_escaped(template: str) -> None:
    assert mistakes(f"SELECT {template}", "oracle", batch=False)


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("'{lead.F}'", "value's", "'value\\'s'"),
        ("{lead.F}", "\\'\0\n", "'\\\\\\'\\0\n'"),
        ("{lead.F}", True, "true"),
        ("1-{lead.F}", Numeral("-0.5"), "1- -0.5"),
        ("8 // 4\n, {lead.F}", 1, "8 // 4\n, 1"),
        ("1 # it is\n, {lead.F}", 1, "1 # it is\n, 1"),
        ("`a\\`b`, {lead.F}", 1, "`a\\`b`, 1"),
        ("'it\\'s', $x$it's$x$, {lead.F}", 1, "'it\\'s', $x$it's$x$, 1"),
        ("{event_time}", None, "toDateTime64('2026-11-21 12:00:00.000000', 6, 'UTC')"),
    ],
)
def test_clickhouse(template: str, value: object, expected: str) -> None:
    assert one(template, {"F": value}, "clickhouse") == expected


def test_clickhouse_gets_the_zone_with_the_time() -> None:
    written = one("{event_time}", {}, "clickhouse", timezone="Asia/Tokyo")

    assert written == "toDateTime64('2026-11-21 21:00:00.000000', 6, 'Asia/Tokyo')"


@pytest.mark.parametrize(
    "template",
    [
        "'a' // it's\n, {lead.F}",
        "1 // {lead.F}",
        "1 #{lead.F}",
        "1 #x",
        "`{lead.F}`",
        '"{lead.F}"',
        "$x${lead.F}$x$",
        "\u2018{lead.F}\u2019",
        "x'{lead.F}'",
        "1$a$",
    ],
)
def test_clickhouse_refuses_what_it_could_read_otherwise(template: str) -> None:
    assert mistakes(f"SELECT {template}", "clickhouse", batch=False)


def test_a_preset_of_each_dialect_renders() -> None:
    """The shapes that the documentation shows."""
    presets = {
        "mssql": (
            "MERGE INTO m WITH (HOLDLOCK) AS t "
            "USING (VALUES {for $i, $x = $batch}({segment_id}, {$x.K}){autocomma}{end}) AS s (seg, k) "
            "ON t.seg = s.seg AND t.k = s.k WHEN MATCHED THEN UPDATE SET t.u = SYSUTCDATETIME() "
            "WHEN NOT MATCHED THEN INSERT (seg, k) VALUES (s.seg, s.k);"
        ),
        "oracle": (
            "MERGE INTO m t USING ("
            "{for $i, $x = $batch}{if $i > 0}UNION ALL {end}SELECT {segment_id} AS seg, '{$x.K}' AS k FROM dual {end}"
            ") s ON (t.seg = s.seg AND t.k = s.k) WHEN MATCHED THEN UPDATE SET t.u = {segment_id} "
            "WHEN NOT MATCHED THEN INSERT (seg, k) VALUES (s.seg, s.k)"
        ),
        "clickhouse": (
            "INSERT INTO m (seg, k, u, version, gone) VALUES {for $i, $x = $batch}"
            "({segment_id}, '{$x.K}', {$x._event_time}, {$x._sequence}, 0){autocomma}{end}"
        ),
    }

    rendered = {
        dialect: compiled(template, dialect, key=("K",)).render(rows({"K": 1}, {"K": "b"}), SEGMENT)[0]
        for dialect, template in presets.items()
    }

    assert "(VALUES (7, N'1'),(7, N'b')) AS s" in rendered["mssql"]
    assert rendered["mssql"].endswith("(s.seg, s.k);")
    assert (
        "(SELECT 7 AS seg, '1' AS k FROM dual UNION ALL SELECT 7 AS seg, 'b' AS k FROM dual ) s" in rendered["oracle"]
    )
    assert rendered["clickhouse"].endswith(
        "(7, '1', toDateTime64('2026-11-21 12:00:00.000000', 6, 'UTC'), 100, 0),"
        "(7, 'b', toDateTime64('2026-11-21 12:00:01.000000', 6, 'UTC'), 101, 0)"
    )


@pytest.mark.parametrize(
    "before", ["DELETE FROM u;", "DELETE FROM u WHERE a = ';'; ;\n", "-- ;\nDELETE FROM u /* ; */; "]
)
def test_sql_server_gets_national_literals_behind_a_semicolon(before: str) -> None:
    query = compiled(
        f"{before}UPDATE t SET a = 'x-{{lead.F}}', b = 'y'; DELETE FROM v WHERE c = '{{lead.F}}!'", "mssql", batch=False
    )

    (statement,) = query.render(rows({"F": "é"}), SEGMENT)

    assert "SET a = N'x-é', b = 'y';" in statement
    assert "c = N'é!';" in statement


ROWS = (
    "MERGE INTO t USING ({for $i, $x = $batch}{if $i > 0}UNION ALL {end}SELECT '{$x.F}' AS f FROM dual {end}) s"
    " ON (1 = 1)"
)


def test_rows_of_a_union_in_oracle_are_of_one_type() -> None:
    """One text as CLOB among others as VARCHAR2 would be ORA-01790 for all; one that fits in no literal is refused."""
    query = compiled(ROWS, "oracle")

    (statement,) = query.render(rows({"F": "a"}, {"F": "b" * 4000}, {"F": "é" * 2000}), SEGMENT)
    (error,) = bad_rows(query, {"F": "a"}, {"F": "b" * 4001})

    assert "CLOB" not in statement
    assert (error.index, error.field) == (1, "F")
    assert error.reason == "expected at most 4,000 bytes: rows of a UNION are alike"


def test_what_makes_a_literal_of_oracles_too_long_is_a_data_error() -> None:
    """ORA-01704 would be the query's fault, and stop all others."""
    query = compiled(
        "INSERT INTO t VALUES ({for $x = $batch}'{$x.a}-{$x.b}-{$x.c}-{$x.d}-{$x.e}-{$x.f}'{autocomma}{end})", "oracle"
    )
    long = dict.fromkeys("abcdef", "x" * 700)

    (error,) = bad_rows(query, {"a": "it's" * 100}, long, {"a": "q'["})

    assert (error.index, error.reason) == (1, "expected texts that make a literal of at most 4,000 bytes")


@pytest.mark.parametrize(
    ("value", "argument"),
    [(5, "5"), (-5, "-5"), ("O'é", "N'O''é'"), (None, "NULL"), (True, "1"), ("a\\b", "N'a\\b'")],
)
def test_sql_servers_exec_gets_constants(value: object, argument: str) -> None:
    """It takes no expression: neither brackets nor CAST."""
    query = compiled(
        "EXEC p {lead.F}, '{lead.F}', 'x{lead.F}', {event_time}", "mssql", batch=False, allow=frozenset({"call"})
    )

    (statement,) = query.render(rows({"F": value}), SEGMENT)

    assert statement.startswith(f"EXEC p {argument}, ")
    assert statement.endswith("N'2026-11-21 12:00:00.000000';")
    assert "(" not in statement


def test_sql_servers_exec_gets_no_backslash_before_a_line_break() -> None:
    query = compiled("EXEC p '{lead.F}', 'C:\\{lead.G}'", "mssql", batch=False, allow=frozenset({"call"}))

    assert bad_rows(query, {"F": "a\\\nb"})[0].field == "F"
    assert bad_rows(query, {"F": "a", "G": "\nb"})[0].field == "G"


@pytest.mark.parametrize(
    "typed",
    [
        *("timestamp with time zone", "timestamp(3) with time zone", "numeric(10,2)", "numeric (10, 2)", "jsonpath"),
        *("citext", "hstore", "double precision", "my_schema.my_type", "varchar(5)", "date", "uuid", "interval"),
    ],
)
@pytest.mark.parametrize("literal", ["'{lead.F}'", "{lead.F}"])
def test_in_postgresql_any_name_before_a_literal_is_its_type(typed: str, literal: str) -> None:
    """A missing value would leave `numeric(10,2) NULL`, which is no SQL and stops the integration."""
    assert any("after a type's name" in one for one in mistakes(f"SELECT {typed} {literal}", "postgresql", batch=False))


@pytest.mark.parametrize(
    "place",
    [
        *("now() AT TIME ZONE {}", "a LIKE {}", "a NOT LIKE {}", "a SIMILAR TO {}", "CASE WHEN {} THEN {} ELSE {} END"),
        *("a IN ({}, {})", "a BETWEEN {} AND {}", "trim(BOTH {} FROM {})", "overlay({} PLACING {} FROM 1 FOR 2)"),
        *("substring({} FROM 1)", "position({} IN {})", "DISTINCT {}", "ARRAY[{}, {}]", "JSON_OBJECT(KEY {} VALUE {})"),
        *("(a) || {}", "f(a) = {}", "a IS NOT DISTINCT FROM {}", "a LIKE 'x' ESCAPE {}", "1 LIMIT {}", "NOT {}"),
    ],
)
@pytest.mark.parametrize("literal", ["'{lead.F}'", "{lead.F}"])
def test_what_is_no_type_to_postgresql_may_stand_before_a_value(place: str, literal: str) -> None:
    compiled(f"SELECT {place.replace('{}', literal)}", "postgresql", batch=False)


@pytest.mark.parametrize("literal", ["'{lead.F}'", "{lead.F}"])
def test_clickhouses_interval_takes_a_value_before_its_unit(literal: str) -> None:
    query = compiled(f"SELECT now() + INTERVAL {literal} DAY", "clickhouse", batch=False)

    assert query.render(rows({}), SEGMENT) == ["SELECT now() + INTERVAL NULL DAY"]
    assert "INTERVAL without a unit" in mistakes(f"SELECT INTERVAL {literal}", "clickhouse", batch=False)[0]


def test_a_dialect_is_made_ready_when_a_query_is_read_and_not_before() -> None:
    """Each command and each worker would pay for all of them."""
    fresh = replace(MYSQL)
    assert "top" not in vars(fresh)
    assert fresh.top.match("SELECT")
    assert "top" in vars(fresh)
