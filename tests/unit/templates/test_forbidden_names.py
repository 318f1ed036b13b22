"""Names that no query may hold, in every spelling that the database looks them up by, and INTO in its places only."""

from __future__ import annotations

import pytest

from tests.unit.templates.rendering import compiled, mistakes
from workers.templates import QueryKind

CALL = frozenset({"call"})


@pytest.mark.parametrize(
    ("dialect", "statement"),
    [
        ("postgresql", "SELECT \"set_config\"('a', 'b', false)"),
        ("postgresql", "SELECT pg_catalog.\"set_config\" ('a', 'b', false)"),
        ("postgresql", "SELECT U&\"set\\005Fconfig\"('a', 'b', false)"),
        ("postgresql", "SELECT set_config/* */('a', 'b', false)"),
        ("postgresql", "UPDATE pg_settings SET setting = 'off' WHERE name = 'x'"),
        ("postgresql", 'UPDATE pg_catalog."pg_settings" SET setting = 1'),
        ("postgresql", "SELECT query_to_xml('DELETE FROM t', true, true, '')"),
        ("postgresql", "SELECT * FROM dblink('x', 'DELETE FROM t') AS a (b int)"),
        ("postgresql", "SELECT dblink_exec('x', 'DELETE FROM t')"),
        ("postgresql", "SELECT * FROM crosstab('SELECT {segment_id}') AS a (b int)"),
        ("postgresql", "SELECT * FROM crosstab3('SELECT 1')"),
        ("postgresql", "SELECT ts_stat('SELECT 1')"),
        ("postgresql", "SELECT * FROM pgr_dijkstra('SELECT {segment_id}', 1, 2)"),
        ("postgresql", "SELECT * FROM ag_catalog.cypher('g', '{segment_id}') AS (a int)"),
        ("postgresql", "SELECT run_command_on_workers('{segment_id}')"),
        ("postgresql", "SELECT aws_s3.query_export_to_s3('SELECT {segment_id}', 'b')"),
        ("postgresql", "SELECT master_run_on_worker('{segment_id}')"),
        ("postgresql", "SELECT run_command_on_all_nodes('{segment_id}')"),
        ("postgresql", "SELECT cron.schedule('x', '* * * * *', 'DELETE FROM t')"),
        ("postgresql", "SELECT cron . \"schedule_in_database\"('x', '* * * * *', '{segment_id}', 'db')"),
        ("mysql", "UPDATE t SET a = @a := {segment_id}"),
        ("mysql", "UPDATE t SET a = (@`a`:=1)"),
        ("mysql", "UPDATE t SET a = @a :{if segment_id}= 1{end}"),
        ("mysql", "SELECT spider_direct_sql('{segment_id}', 't', 's')"),
        ("postgresql", "SELECT pg_terminate_backend(1)"),
        ("postgresql", "SELECT pg_advisory_unlock_all -- \n ()"),
        ("postgresql", "SELECT lo_import('/x')"),
        ("postgresql", "SELECT pg_reload_conf{if segment_id}(){end}"),
        ("mysql", "SELECT `release_lock`('x')"),
        ("mysql", "SELECT `RELEASE_lock` ('x')"),
        ("mysql", "SELECT rélease_löck('x')"),
        ("mysql", "SELECT `rélease_lock`('x')"),
        ("mysql", "SELECT load_file/**/('x')"),
        ("mysql", "SELECT load_file /* {if segment_id}{end} */ ('x')"),
        ("mysql", "SELECT get_lock -- {if segment_id}{end}\n ('x', 1)"),
        ("mysql", "SELECT get_lock # {if segment_id}{end}\n ('x', 1)"),
        ("mysql", "SELECT get_lock" + " " * 3000 + "('x', 1)"),
        ("mysql", "SELECT get_lock /*" + " " * 3000 + "*/ ('x', 1)"),
        ("postgresql", "SELECT lo_import /* {if segment_id}x{end} */ ('x')"),
        ("postgresql", 'SELECT "ts_stat" /* {if segment_id}x{end} */ (1)'),
        ("mysql", "CALL sys.execute_prepared_stmt('DELETE FROM t')"),
        ("sqlite", "SELECT \"load_extension\"('x')"),
        ("sqlite", "SELECT [load_extension]('x')"),
        ("sqlite", "SELECT eval('x')"),
        ("mssql", "EXEC [sp_executesql] N'COMMIT'"),
        ("mssql", "EXEC sys.\"SP_ExecuteSQL\" N'COMMIT'"),
        ("mssql", "EXEC/* */('DELETE FROM t WHERE a = {segment_id}')"),
        ("mssql", "EXEC -- a\n ('DELETE FROM t')"),
        ("mssql", "EXEC{if segment_id} ('DELETE FROM t'){end}"),
        ("mssql", "EXEC [xp_cmdshell] 'x'"),
        ("mssql", "EXEC [sp_executesql\u00ad] N'COMMIT'"),
        ("mssql", "EXEC [sp_execute\u200bsql] N'COMMIT'"),
        ("mssql", "EXEC [\u2060sp_executesql] N'COMMIT'"),
        ("mssql", "EXEC msdb.dbo.sp_send_dbmail @query = '{segment_id}'"),
        ("mssql", "EXEC msdb.dbo.[sp_add_jobstep] @command = '{segment_id}'"),
        ("mssql", "EXEC -- {if segment_id}{end}\n ('DELETE FROM t')"),
        ("mssql", "EXEC sp_execute_remote N'source', N'DELETE FROM t'"),
        ("mssql", "EXEC sp_invoke_external_rest_endpoint @url = N'https://x'"),
        ("mssql", "SELECT * FROM OPENQUERY(s, 'DELETE FROM t')"),
        ("mssql", "SELECT * FROM [openrowset] (BULK 'x', SINGLE_CLOB) AS a"),
        ("mssql", "UPDATE STATISTICS t"),
        ("mssql", "UPDATE /* x */ statistics t"),
        ("mssql", "DELETE FROM t BULK INSERT u FROM 'x'"),
        ("oracle", "SELECT DBMS_XMLGEN.getxml('SELECT 1 FROM dual') FROM dual"),
        ("oracle", 'SELECT "DBMS_SQL".execute(1) FROM dual'),
        ("clickhouse", "INSERT INTO FUNCTION file('x') SELECT 1"),
        ("clickhouse", "INSERT INTO TABLE FUNCTION remote('x', a.b) SELECT 1"),
        ("clickhouse", "SELECT * FROM jdbc('x', 'DELETE FROM t')"),
        ("clickhouse", "INSERT INTO t SELECT * FROM clusterAllReplicas('x', a.b)"),
        ("clickhouse", "INSERT INTO t SELECT * FROM redis('x:1', 'k', 'k String')"),
        *(("clickhouse", f"SELECT * FROM {name}('x')") for name in ("hive", "oss", "cosn", "paimonS3", "arrowFlight")),
        ("clickhouse", "INSERT INTO t SELECT 1 IN eval('DELETE FROM t')"),
        ("clickhouse", "INSERT INTO t SELECT aiGenerate('{segment_id}')"),
        ("clickhouse", "INSERT INTO t SELECT 1 FROM u, filesystem('/')"),
        ("postgresql", "SELECT http_get('https://x')"),
        ("postgresql", "SELECT net.http_post('https://x')"),
        ("oracle", "CALL owa_sylk.show('SELECT 1 FROM dual')"),
        ("mysql", "SELECT service_release_locks('x')"),
        ("sqlite", "INSERT INTO t SELECT name FROM fsdir('.')"),
        ("clickhouse", "SELECT * FROM `exec\\u0075table`('x')"),
    ],
)
def test_a_name_is_compared_as_the_database_compares_it(dialect: str, statement: str) -> None:
    """In quotes or not, in any case, with accents that MySQL does not see, behind comments, before a tag."""
    assert mistakes(statement, dialect, QueryKind.CLEAR, allow=CALL)


@pytest.mark.parametrize(
    ("dialect", "statement"),
    [
        ("postgresql", "SELECT pg_typeof(1), \"pg_column_size\"('a'), pg_sleep(1)"),
        ("postgresql", "INSERT INTO pg_members (pg_id, url, file, eval) VALUES ({segment_id}, 1, 2, 3)"),
        ("postgresql", "UPDATE t SET schedule = {segment_id}, add_job = 1 WHERE alter_job = 2"),
        ("mysql", "UPDATE t SET a = ':=', `:=` = @a /* := */ WHERE b = {segment_id}"),
        ("mysql", "UPDATE t SET get_lock = {segment_id}, load_file = 'x', `lock` = 1, sleep = SLEEP(0)"),
        ("sqlite", 'UPDATE t SET eval = {segment_id}, "edit" = 1'),
        ("mssql", "EXEC dbo.sync_member {segment_id}"),
        ("mssql", "INSERT INTO t (openquery) VALUES ({segment_id})"),
        ("oracle", "SELECT DBMS_LOB.SUBSTR(a, 10), UTL_RAW.CAST_TO_RAW('a') FROM t"),
        ("clickhouse", "INSERT INTO t (url, file) SELECT url, file FROM u WHERE remote = {segment_id}"),
    ],
)
def test_what_only_looks_like_one_may_stand(dialect: str, statement: str) -> None:
    compiled(statement, dialect, QueryKind.CLEAR, allow=CALL)


@pytest.mark.parametrize(
    "tables",
    [
        "unheard_of('x')",
        "`unheard_of`('x')",
        "unheard_of /* */ ('x')",
        "(unheard_of('x'))",
        "u, unheard_of('x')",
        "u AS v FINAL SAMPLE 0.1, unheard_of('x')",
        "u JOIN unheard_of('x') AS v ON u.a = v.a",
        "u LEFT ARRAY JOIN f(a) AS b JOIN unheard_of('x') AS v ON u.a = v.a",
        "u JOIN v ON f(u.a) = g(v.a), unheard_of('x')",
        "(SELECT f(a), g(b) FROM v WHERE h(a, b) ORDER BY f(a), g(a)) AS s, unheard_of('x')",
        "u WHERE a IN (SELECT f(a), g(b) FROM unheard_of('x'))",
        "u WHERE a IN (FROM unheard_of('x') SELECT a)",
        "u UNION ALL SELECT f(a), g(b) FROM unheard_of('x')",
        "view(SELECT f(a) FROM unheard_of('x'))",
        "values('a Int8', 1), format(CSV, '1'), unheard_of('x')",
        "u JOIN v ON array(1) = u.a, unheard_of('x')",
        "u ORDER BY a WITH FILL FROM unheard_of('x')",
    ],
)
def test_a_table_function_that_nobody_knows_is_refused(tables: str) -> None:
    (found,) = mistakes(f"INSERT INTO t SELECT * FROM {tables}", "clickhouse", QueryKind.CLEAR)
    assert "UNHEARD_OF cannot stand in a query: of functions that give a table only those are known" in found


@pytest.mark.parametrize(
    "between",
    [
        "{if segment_id} ('x'){end}",
        " /* {if segment_id}{end} */ {if segment_id}('x'){end}",
        "-- {if segment_id}{end}\n ('x')",
        "/* {if segment_id}{end} */ ('x')",
        "{if segment_id} /* */{end} ('x')",
    ],
)
@pytest.mark.parametrize("name", ["unheard_of", "`unheard_of`"])
def test_a_tables_name_and_a_bracket_are_not_cut_in_two(name: str, between: str) -> None:
    (found,) = mistakes(f"INSERT INTO t SELECT * FROM {name}{between}", "clickhouse", QueryKind.CLEAR)
    assert "a bracket behind a tag and a table's name" in found


CALLS = {
    "postgresql": ["pg_terminate_backend(1)", "ts_rewrite('a'::tsquery, 'x')", "pg_read_file('x')"],
    "mysql": ["load_file('x')", "get_lock('x', 1)"],
    "sqlite": ["load_extension('x')"],
}


@pytest.mark.parametrize("dialect", CALLS)
def test_a_call_behind_with_is_one(dialect: str) -> None:
    """As long as nothing says what the statement does: it was taken for the name of what WITH defines."""
    for call in CALLS[dialect]:
        for rest in (
            "VALUES (1) ORDER BY column1, {}",
            "TABLE t ORDER BY x, {}",
            "SELECT 1, {}",
            "SELECT 1 FROM a, {}",
        ):
            statement = "WITH a AS (SELECT 1) " + rest.format(call)
            assert mistakes(statement, dialect, QueryKind.CLEAR), statement


@pytest.mark.parametrize(
    "query",
    [
        "WITH file('x') AS c SELECT c",
        "WITH 1 AS a, file('x') AS c SELECT c",
        "WITH 1 AS z FROM numbers(1) AS n, file('x', 'LineAsString') AS f SELECT line",
        "SELECT * FROM unheard_of" + " " * 1_001 + "('x')",
        "SELECT * FROM unheard_of /*" + "x" * 1_001 + "*/ ('x')",
        "SELECT * FROM t AS array JOIN unheard_of('x') ON 1",
        "SELECT x AS distinct FROM unheard_of('x')",
        "SELECT t.distinct FROM unheard_of('x')",
        "SELECT DISTINCT FROM unheard_of('x')",
        "SELECT * FROM (WITH 1 AS x FROM unheard_of('x') SELECT x)",
        "SELECT * FROM view(WITH 1 AS x FROM unheard_of('x') SELECT x)",
        "SELECT (WITH 1 AS x FROM unheard_of('x') SELECT x)",
        *(f"SELECT * FROM t AS {name}, unheard_of('x')" for name in ("window", "set", "limit")),
        "SELECT * FROM settings, unheard_of('x')",
        "SELECT * FROM d.settings, unheard_of('x')",
        "SELECT * FROM t SAMPLE 1/10 OFFSET 1/2, unheard_of('x')",
        *(f"SELECT * FROM {name}('x')" for name in ("toUnheardOf", "addUnheardOf", "toDateElsewhere")),
        "SELECT * FROM u WHERE a = 1 AND " + "(" * 14 + "SELECT 1 FROM (SELECT 1), unheard_of('x')" + ")" * 14,
        "SELECT * FROM " + "(" * 14 + "SELECT 1 FROM (SELECT 1) AS q, unheard_of('x')" + ")" * 14,
    ],
)
def test_no_name_hides_a_table_function(query: str) -> None:
    assert mistakes(f"INSERT INTO t {query}", "clickhouse", QueryKind.CLEAR), query


@pytest.mark.parametrize(
    "rest",
    [
        "* FROM t {if segment_id}WHERE a = f(1, g(2)){end}",
        "* FROM numbers(3), values('a Int8', 1, 2), generateRandom('a Int8')",
        "* FROM pairs.unheard_of(id = {segment_id}) AS u",
        "* FROM zeros(3), primes(2), generate_series(1, 2), null('a Int8'), merge('d', 'x')",
        "* FROM dictionary('d') AS d, format(CSV, '1') AS f",
        "* FROM (SELECT (f(a), g(b)) FROM t) AS s JOIN (WITH (1, 2) AS p SELECT p) AS u ON (s.a = u.a)",
        "* FROM (FROM (SELECT (1)) SELECT 1) AS s WHERE (f(a), g(a)) IN (SELECT (1, 2))",
        "f(a), g(b) FROM t, u WHERE h(a) IN (f(a), g(b)) GROUP BY f(a), g(b) ORDER BY f(a), g(b) LIMIT 1 BY f(a), g(b)",
        "* FROM t ARRAY JOIN f(a) AS b, g(a) AS c",
        "EXTRACT(YEAR FROM toDate(a)), trim(BOTH 'x' FROM f(a, g(b))) FROM t",
        "a IS DISTINCT FROM f(a), g(b)",
        "a FROM t LEFT JOIN (SELECT f(a), g(b) FROM u) AS v ON f(t.a, g(t.b)) = v.a AND h(1) SETTINGS max_threads = 1",
        "a, (SELECT f(a) FROM u), g(b) FROM t",
        "a FROM t UNION ALL SELECT f(a), g(b) FROM u",
        "a FROM t ORDER BY a WITH FILL FROM toDate('2026-01-01') TO today() STEP toIntervalDay(1)",
        "a FROM t ORDER BY a WITH FILL FROM toMonday(b) TO addDays(b, 9)",
        "a FROM t ORDER BY a WITH FILL FROM makeDate(2026, 1, 1) TO dateTrunc('day', now())",
        "a FROM table WHERE (a = 1)",
    ],
)
def test_other_functions_stand_wherever_no_table_is_named(rest: str) -> None:
    compiled(f"INSERT INTO t SELECT {rest}", "clickhouse", QueryKind.CLEAR)


def test_other_databases_take_any_function_for_a_table_that_is_not_known_to_do_harm() -> None:
    compiled("INSERT INTO t SELECT a FROM unheard_of({segment_id}) AS u (a)", "postgresql", QueryKind.CLEAR)


@pytest.mark.parametrize(
    ("dialect", "statement"),
    [
        ("mysql", "SELECT {segment_id} AS merge INTO OUTFILE 'x'"),
        ("mysql", "SELECT {segment_id} merge INTO OUTFILE 'x'"),
        ("mysql", "SELECT f(1) `merge` INTO @a"),
        ("mysql", "SELECT replace/**/('a', 'b', 'c') INTO @a"),
        ("mysql", "SELECT replace{if segment_id}('a', 'b', 'c'){end} INTO @a"),
        ("mysql", "INSERT IGNORE INTO t SELECT 1 INTO @a"),
        ("postgresql", "SELECT {segment_id} AS merge INTO newt"),
        ("postgresql", "SELECT f(1) merge INTO newt"),
        ("postgresql", "WITH a AS (SELECT 1) SELECT f(1) merge INTO newt FROM a"),
        ("postgresql", "WITH merge AS (SELECT 1) SELECT 1 INTO newt"),
        ("postgresql", "WITH a AS (SELECT 1), merge AS (SELECT 1) SELECT 1 INTO newt"),
        ("postgresql", "WITH a AS (SELECT 1) SELECT 1 merge INTO newt"),
        ("postgresql", "SELECT (merge) INTO newt FROM merge"),
        ("mssql", "SELECT 1 AS output INTO newt"),
        ("mssql", "WITH a AS (SELECT 1 AS x) SELECT x output INTO newt FROM a"),
        ("mssql", "INSERT INTO t SELECT 1 AS output INTO newt"),
        ("mssql", "SELECT TOP (1) a INTO newt FROM t"),
        ("oracle", "SELECT 1 AS log errors INTO newt FROM dual"),
        ("oracle", "INSERT ALL INTO t VALUES (1) SELECT 1 INTO newt FROM dual"),
        ("sqlite", "INSERT OR IGNORE INTO t SELECT 1 OR INTO newt"),
    ],
)
def test_into_stands_where_rows_are_written_and_nowhere_else(dialect: str, statement: str) -> None:
    found = mistakes(statement, dialect, QueryKind.CLEAR)

    assert any("SELECT … INTO makes a table, a file or a variable" in one for one in found), found


@pytest.mark.parametrize(
    ("dialect", "statement"),
    [
        ("mysql", "INSERT LOW_PRIORITY IGNORE INTO t VALUES ({segment_id})"),
        ("mysql", "REPLACE INTO t SELECT merge FROM u"),
        (
            "postgresql",
            "WITH a AS (INSERT INTO t VALUES (1) RETURNING x), b AS (SELECT 1) INSERT INTO u SELECT x FROM a",
        ),
        ("postgresql", "WITH a (x, y) AS (SELECT 1, 2) MERGE INTO t USING a ON true WHEN MATCHED THEN DELETE"),
        ("sqlite", "INSERT OR REPLACE INTO t VALUES ({segment_id})"),
        ("sqlite", "WITH a AS (SELECT 1) REPLACE INTO t SELECT * FROM a"),
        ("mssql", "INSERT TOP ({segment_id}) PERCENT INTO t SELECT 1"),
        ("mssql", "DELETE FROM t OUTPUT deleted.a, deleted.b INTO log WHERE a = {segment_id}"),
        ("mssql", "UPDATE t SET a = 1 OUTPUT inserted.a AS b INTO @log (b) WHERE c = {segment_id}"),
        ("mssql", "INSERT INTO t (a) OUTPUT inserted.a INTO log VALUES ({segment_id})"),
        ("oracle", "INSERT INTO t SELECT {segment_id} FROM dual LOG ERRORS INTO bad ('x') REJECT LIMIT UNLIMITED"),
        ("oracle", "INSERT FIRST WHEN a = 1 THEN INTO t VALUES (1) ELSE INTO u VALUES (2) SELECT 1 a FROM dual"),
        ("clickhouse", "INSERT INTO TABLE t VALUES ({segment_id})"),
    ],
)
def test_into_may_stand_where_rows_are_written(dialect: str, statement: str) -> None:
    compiled(statement, dialect, QueryKind.CLEAR)
