"""No data becomes code: whatever stands in a profile, the statement's tokens stay the same.

The judge is sqlglot's tokenizers, which know nothing of ours: a statement with hostile values has the tokens
of the same statement with harmless ones, and the literals in it read as the values that went in.
"""

from __future__ import annotations

import re
import sqlite3
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlglot import Token, TokenType
from sqlglot.dialects.dialect import Dialect as Judge

from tests.cases import case
from tests.unit.templates.rendering import SEGMENT, bad_rows, compiled, mistakes, rows
from workers.events.numerals import Numeral
from workers.templates import Query, QueryKind, SegmentView
from workers.templates.allowance import LARGE
from workers.templates.dialects import ORACLE

JUDGES = {
    "mysql": "mysql",
    "postgresql": "postgres",
    "sqlite": "sqlite",
    "mssql": "tsql",
    "oracle": "oracle",
    "clickhouse": "clickhouse",
}
JOINT = "'+CAST(N'' AS nvarchar(max))+N'"
"""Parts a backslash from a line's end in SQL Server; an expression, and no token of the value."""

EVERY_PLACE = (
    "INSERT INTO t VALUES {for $i, $x = $batch}"
    "({$i}, '{$x.F}', {$x.F}, 'p-{$x.F}-s', 'it''s {$x.F}{$x.F}', {$x.K}, '{$x.K}', 'k{$x.K}', {upper $x.F},"
    " {json $x.F}, '{if $x.F}{$x.F}{end}',"
    " '{for $y = $x.L}{$y}{autocomma}{end}', {segment_name}, '{segment_id}', {default $x.F 1},"
    " '{lower $x.F}', {trim $x.F}, '{json $x.L}', {$x.L}, '{$x.L[0]}', {jsonpath $x.L \"$[0]\" \"item\"},"
    " {sha256 $x.F}, {if $x.F}'{$x.F}'{else}'none'{end}, '{segment_name}', 'in {segment_name}!', {$x._event_time},"
    " 'at {$x._event_time}', {$x._sequence}, COALESCE({$x.F}, '{$x.F}'), CASE WHEN {$x.K} = {$x.F} THEN 1 END,"
    " (SELECT {$x.F}), ({$x.F} || '{$x.F}'))"
    "{autocomma}{end}"
)
CHANGE = (
    "UPDATE t /* it's */ SET a = {lead.F}, b = '{lead.F}' -- don't \"\n"
    ", c = REPLACE(c, {lead.F}, 'x{lead.F}') WHERE k = {lead.K} AND d <> '{segment_name}' OR e LIKE '%{lead.F}%'"
)
LIST = 'DELETE FROM t WHERE a = {segment_id} AND b IN ({batch_in "K"})'

HOSTILE = st.text(st.sampled_from("'\"\\`\0\x1a\n\r%_-*/#;$[](){}=aN0éß\u2018\u2019\u00a0😀"), max_size=12)
ANY_TEXT = st.one_of(HOSTILE, st.text(max_size=12))
ATTACKS = [
    "' OR 1=1 -- ",
    "\\",
    "\\'",
    "x', 1), ('y",
    "'; DROP TABLE t; --",
    '"',
    "''",
    "*/",
    "$$",
    "\\\n'",
    "]]",
    "\n'",
]


compiled_once = cache(compiled)
"""For one template and many values: compiling a long one takes ten times as long as rendering it."""


def tokens(statement: str, dialect: str) -> list[Token]:
    """The tokens that the judge sees."""
    return list(Judge.get_or_raise(JUDGES[dialect]).tokenize(statement.replace(JOINT, "")))


def kinds(statement: str, dialect: str) -> list[TokenType]:
    """What kinds of tokens the judge sees."""
    return [token.token_type for token in tokens(statement, dialect)]


def texts(statement: str, dialect: str) -> list[str]:
    """The texts of a statement's literals, as the judge reads them."""
    literals = (TokenType.STRING, TokenType.NATIONAL_STRING)
    return [token.text for token in tokens(statement, dialect) if token.token_type in literals]


def profile(value: str, index: int) -> dict[str, object]:
    """A profile with that value in every field; its key is one that no other row has."""
    return {"F": value, "K": f"{index}{value}", "L": [value, value]}


def both(query: Query, values: list[str], name: str) -> tuple[str, str]:
    """The statement with these values, and with harmless ones in their places."""
    (hostile,) = query.render(rows(*(profile(v, i) for i, v in enumerate(values))), SegmentView(name, name, 0, 1))
    harmless_values = ["x" if v else "" for v in values]
    (harmless,) = query.render(
        rows(*(profile(v, i) for i, v in enumerate(harmless_values))), SegmentView("s", "s", 0, 1)
    )
    return hostile, harmless


def storable(text: str, dialect: str) -> str:
    """The text without what the dialect's databases cannot hold, and what Oracle gets in another way."""
    if dialect == "oracle":
        text = "".join(character for character in text if character not in ORACLE.lookalikes)
    return text if dialect in ("mysql", "clickhouse") else text.replace("\0", "")


@pytest.mark.parametrize("dialect", JUDGES)
@pytest.mark.parametrize("template", [EVERY_PLACE, LIST])
@given(values=st.lists(ANY_TEXT, min_size=1, max_size=3), name=ANY_TEXT)
@example(values=ATTACKS, name="n")
@example(values=["a"], name="' OR 1=1 -- \\")
def test_no_value_changes_a_statements_tokens(dialect: str, template: str, values: list[str], name: str) -> None:
    values = [storable(value, dialect) for value in values]
    name = storable(name, dialect)
    query = compiled_once(template, dialect, QueryKind.REMOVE, key=("K",))

    hostile, harmless = both(query, values, f"s{name}")

    assert kinds(hostile, dialect) == kinds(harmless, dialect)


@pytest.mark.parametrize("dialect", JUDGES)
@given(value=ANY_TEXT, name=ANY_TEXT)
@example(value="' OR 1=1 -- \\", name="\\'; --")
def test_no_value_changes_a_single_profiles_statement(dialect: str, value: str, name: str) -> None:
    value, name = storable(value, dialect), storable(name, dialect)
    query = compiled_once(CHANGE, dialect, key=("K",), batch=False)

    hostile, harmless = both(query, [value], f"s{name}")

    assert kinds(hostile, dialect) == kinds(harmless, dialect)


AROUND = st.text(st.sampled_from("'\"\\`%_-*/#;$:?@[]()=aN0é \n"), max_size=6)
"""A template's own text around a placeholder, without braces: they would be tags."""


@pytest.mark.parametrize("dialect", JUDGES)
@given(before=AROUND, after=AROUND, value=ANY_TEXT)
@example(before="\\", after="\n", value="\\")
def test_no_text_around_a_value_changes_the_tokens(dialect: str, before: str, after: str, value: str) -> None:
    """Whatever stands before and behind the placeholder in its literal: the literal reads as all three."""
    value = storable(value, dialect)
    backslashes = dialect in ("mysql", "clickhouse")
    left, right = [_written(text, backslashes=backslashes) for text in (before, after)]
    query = compiled(f"SELECT 'a{left}{{lead.F}}{right}z', {{lead.F}} FROM t", dialect, batch=False)

    (statement,) = query.render(rows({"F": value}), SEGMENT)

    read = [text.replace("\0", "") for text in texts(statement, dialect)]
    assert read == [f"a{before}{value}{after}z".replace("\0", ""), value.replace("\0", "")]


def _written(text: str, *, backslashes: bool) -> str:
    text = text.replace("'", "''")
    return text.replace("\\", "\\\\") if backslashes else text


@given(values=st.lists(ANY_TEXT, min_size=1, max_size=3))
@example(values=ATTACKS)
def test_in_mysqls_double_quotes_no_value_changes_the_tokens(values: list[str]) -> None:
    template = 'INSERT INTO t VALUES {for $x = $batch}("{$x.F}", "p-{$x.F}\\"s", "{$x.K}", "k{$x.K}"){autocomma}{end}'

    hostile, harmless = both(compiled_once(template, "mysql", key=("K",)), values, "n")

    assert kinds(hostile, "mysql") == kinds(harmless, "mysql")


@pytest.mark.parametrize("dialect", JUDGES)
@given(value=ANY_TEXT)
def test_a_literal_reads_as_the_value_that_went_in(dialect: str, value: str) -> None:
    value = storable(value, dialect).replace("\0", "")
    query = compiled_once("SELECT '{lead.F}', {lead.F}, 'p-{lead.F}-s'", dialect, batch=False)

    (statement,) = query.render(rows({"F": value}), SEGMENT)

    assert texts(statement, dialect) == [value, value, f"p-{value}-s"]


@given(
    text=st.text(st.sampled_from("'\\\"a0é" + ORACLE.lookalikes), max_size=12), look=st.sampled_from(ORACLE.lookalikes)
)
def test_oracle_never_sees_what_it_could_take_for_a_quote(text: str, look: str) -> None:
    """A server in an older character set translates the statement before it reads it."""
    value = look + text
    query = compiled_once("SELECT {lead.F}, 'p-{lead.F}-s'", "oracle", batch=False)

    (statement,) = query.render(rows({"F": value}), SEGMENT)
    first, second, *rest = re.findall(r"TO_CHAR\(UNISTR\('((?:[^']|'')*)'\)\)", statement)

    assert statement == f"SELECT TO_CHAR(UNISTR('{first}')), 'p-'||TO_CHAR(UNISTR('{second}'))||'-s'"
    assert not set(ORACLE.lookalikes) & set(statement)
    assert (first, rest) == (second, [])
    assert _read_by_unistr(first.replace("''", "'")) == value


def _read_by_unistr(text: str) -> str:
    return re.sub(r"\\(\\|[0-9A-F]{4})", lambda m: "\\" if m[1] == "\\" else chr(int(m[1], 16)), text)


def test_the_rendering_code_can_call_nothing_but_what_it_was_given() -> None:
    code = compiled(EVERY_PLACE, "mysql")._code

    for render in (code.suited([], 0), code.suited([], LARGE + 1)):
        assert set(render.__globals__["__builtins__"]) == {"type", "str", "int", "len", "enumerate"}


@given(values=st.lists(ANY_TEXT, min_size=1, max_size=5, unique=True))
@example(values=ATTACKS)
def test_what_sqlite_stores_is_what_went_in(values: list[str]) -> None:
    """A real database, and the only one that needs no server."""
    values = list(dict.fromkeys(storable(value, "sqlite") for value in values))
    insert = compiled_once(
        "INSERT INTO t VALUES {for $i, $x = $batch}({$i}, '{$x.F}', {$x.F}, '-{$x.F}-'){autocomma}{end}", "sqlite"
    )
    count = compiled_once('SELECT COUNT(*) FROM t WHERE b IN ({batch_in "K"})', "sqlite", QueryKind.REMOVE)
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t (n INTEGER, a TEXT, b TEXT, c TEXT)")

    for statement in insert.render(rows(*({"F": value} for value in values)), SEGMENT):
        database.execute(statement)
    stored = database.execute("SELECT a, b, c FROM t ORDER BY n").fetchall()
    full = [value for value in values if value]
    found = [database.execute(one).fetchone() for one in count.render(rows(*({"K": value} for value in full)), SEGMENT)]
    database.close()

    assert stored == [(value, value, f"-{value}-") for value in values]
    assert found == ([(len(full),)] if full else [])


NEVER = """
SET a = 1 | SET GLOBAL sql_mode = '' | SET SESSION sql_mode = '' | SET NAMES gbk | SET ROLE x
SET TRANSACTION READ ONLY | SET LOCAL search_path = x | SET CONSTRAINTS ALL DEFERRED
SET STATEMENT sql_mode = '' FOR SELECT 1 | SET IMPLICIT_TRANSACTIONS ON | RESET ALL | DISCARD ALL | USE other
PRAGMA foreign_keys = OFF | ATTACH DATABASE 'x' AS y | DETACH DATABASE y | BEGIN | BEGIN TRANSACTION | BEGIN IMMEDIATE
START TRANSACTION | COMMIT | COMMIT AND CHAIN | END | ROLLBACK | ABORT | ROLLBACK TO SAVEPOINT a | SAVEPOINT a
SAVE TRANSACTION a | RELEASE SAVEPOINT a | PREPARE TRANSACTION 'x' | XA START 'x' | LOCK TABLES t WRITE
LOCK TABLE t IN EXCLUSIVE MODE | UNLOCK TABLES | HANDLER t OPEN | FLUSH TABLES | CREATE TABLE t (a int)
CREATE TEMPORARY TABLE t AS SELECT 1 | CREATE FUNCTION f() RETURNS int RETURN 1 | CREATE USER u | DROP TABLE t
DROP DATABASE d | ALTER TABLE t ADD a int | ALTER USER u | ALTER SYSTEM SET x = 1 | ALTER SESSION SET x = 1
TRUNCATE t | TRUNCATE TABLE t | RENAME TABLE t TO u | EXCHANGE TABLES t AND u | UNDROP TABLE t
COMMENT ON TABLE t IS 'x' | GRANT ALL ON t TO u | REVOKE ALL ON t FROM u | DENY SELECT ON t TO u
REASSIGN OWNED BY a TO b | PREPARE s FROM 'SELECT 1' | EXECUTE s | EXECUTE IMMEDIATE 'COMMIT' | DEALLOCATE PREPARE s
DO SLEEP(1) | DO $$ BEGIN END $$ | EXEC p | EXEC ('COMMIT') | CALL p() | sp_who | DECLARE c CURSOR FOR SELECT 1
FETCH ALL FROM c | CLOSE c | SHOW TABLES | LOAD DATA INFILE 'x' INTO TABLE t | LOAD 'x' | COPY t FROM STDIN
COPY t TO PROGRAM 'sh' | BULK INSERT t FROM 'x' | IMPORT x | VACUUM | ANALYZE t | ANALYZE UPDATE t SET a = 1
EXPLAIN ANALYZE DELETE FROM t | OPTIMIZE TABLE t | REINDEX TABLE t | CLUSTER t | LISTEN x | UNLISTEN x | NOTIFY x
CHECKPOINT | KILL 1 | KILL MUTATION WHERE 1 | SHUTDOWN | SYSTEM RELOAD CONFIG | BACKUP DATABASE d
INSTALL PLUGIN p SONAME 'x' | REFRESH MATERIALIZED VIEW v | SECURITY LABEL ON TABLE t IS 'x' | IF 1 = 1 DROP TABLE t
WHILE 1 = 1 DELETE FROM t | TABLE t INTO OUTFILE 'x' | VALUES ROW(1) INTO @x | MOVE ALL FROM c | PURGE TABLE t
AUDIT ALL
"""
"""What no dialect lets a query begin with. A statement that a database does not know is refused there, too."""

REFUSED = re.compile(
    "may not begin with|cannot stand in a query|ALTER TABLE may only|runs code that segsync cannot check"
)


@pytest.mark.parametrize("dialect", JUDGES)
def test_no_statement_changes_the_session_or_the_schema(dialect: str) -> None:
    """Alone, in small letters, in brackets, behind comments, in an {if}, behind another statement (rule 21)."""
    never = [statement.strip() for line in NEVER.strip().splitlines() for statement in line.split(" | ")]
    for statement in never:
        for written in (
            statement,
            statement.lower(),
            f"({statement})",
            f" /* a */ -- b\n {statement}",
            f"{{if segment_id}}{statement}{{end}}",
            f"DELETE FROM t;\n{statement}",
            f"DELETE FROM t; ; {{if segment_id}}{statement}{{end}};",
        ):
            assert REFUSED.search("\n".join(mistakes(written, dialect, QueryKind.CLEAR))), written


SELECTED = (
    "SELECT 1 INTO OUTFILE 'x'",
    "SELECT 1 INTO DUMPFILE 'x'",
    "SELECT 1, 2 INTO @a, @b",
    "SELECT * INTO t FROM u",
    "(SELECT 1) INTO OUTFILE 'x'",
    "SELECT 1 UNION SELECT 2 INTO OUTFILE 'x'",
    "INSERT INTO t SELECT 1 INTO OUTFILE 'x'",
    "WITH x AS (SELECT 1) SELECT * INTO t FROM x",
    "WITH x AS (DELETE FROM t RETURNING a) SELECT a INTO u FROM x",
    "WITH x AS (INSERT INTO t SELECT 1 RETURNING a) SELECT a INTO TEMP u FROM x",
    "SELECT 1 /* x */ INTO -- y\n OUTFILE 'x'",
    "SELECT 1 IN{if segment_id}TO{end} OUTFILE 'x'",
)


@pytest.mark.parametrize("dialect", JUDGES)
def test_no_select_writes_a_table_a_file_or_a_variable(dialect: str) -> None:
    for statement in SELECTED:
        with case(statement):
            assert mistakes(statement, dialect, QueryKind.CLEAR)


@pytest.mark.parametrize(
    ("dialect", "statement"),
    [
        ("mysql", "EXECUTE IMMEDIATE 'COMMIT'"),
        ("postgresql", "EXECUTE prepared"),
        ("mysql", "/*!50000 SET sql_mode = '' */"),
        ("mysql", "/*! COMMIT */"),
        ("mysql", "DELETE FROM t /*!50000 ; COMMIT */"),
        ("mysql", "SELECT 1 /*M!100100 INTO OUTFILE 'x' */"),
        ("mysql", "SELECT RELEASE_ALL_LOCKS()"),
        ("mysql", "INSERT INTO t SELECT release_lock ('x')"),
        ("postgresql", "SELECT pg_catalog . Set_Config ('a', 'b', true)"),
        ("postgresql", "WITH x AS (SELECT set_config('a', 'b', true)) DELETE FROM t"),
        ("oracle", "WITH FUNCTION f RETURN NUMBER IS BEGIN EXECUTE IMMEDIATE 'DROP TABLE t'; RETURN 1; END; SELECT f"),
        ("oracle", "WITH PROCEDURE p IS PRAGMA AUTONOMOUS_TRANSACTION; BEGIN COMMIT; END; SELECT 1 FROM dual"),
        ("mssql", "DELETE FROM t SET NOCOUNT ON"),
        ("mssql", "DELETE FROM t DECLARE @x int"),
        ("mssql", "UPDATE t SET a = 1 BEGIN TRAN"),
        ("mssql", "DELETE FROM t IF 1 = 1 DROP TABLE t"),
        ("mssql", "DELETE FROM t USE other"),
        ("mssql", "DELETE FROM t EXEC ('x')"),
        ("mssql", "WITH x AS (SELECT 1 AS a) DELETE FROM x TRUNCATE TABLE t"),
        ("clickhouse", "ALTER TABLE t DELETE WHERE 1, DROP COLUMN a"),
        ("clickhouse", "ALTER TABLE t UPDATE a = 1 WHERE 1, MODIFY SETTING x = 1"),
    ],
)
def test_what_hides_in_a_statement_is_found(dialect: str, statement: str) -> None:
    assert mistakes(statement, dialect, QueryKind.CLEAR, allow=frozenset({"call"}))


@pytest.mark.parametrize("dialect", JUDGES)
def test_leave_to_call_is_leave_for_nothing_else(dialect: str) -> None:
    """A text that runs as SQL could hold data as code, and change the session."""
    allow = frozenset({"call"})
    call = "EXEC p {segment_id}" if dialect == "mssql" else "CALL p({segment_id})"
    assert mistakes(call, dialect, QueryKind.CLEAR)
    assert compiled(call, dialect, QueryKind.CLEAR, allow=allow)
    for statement in (
        "SET a = 1",
        "COMMIT",
        "EXEC ('DELETE FROM t WHERE a = {segment_id}')",
        "EXECUTE ('DELETE FROM t WHERE a = {segment_id}')",
        "EXEC sp_executesql N'COMMIT'",
        f"{call}; COMMIT",
    ):
        assert REFUSED.search("\n".join(mistakes(statement, dialect, QueryKind.CLEAR, allow=allow))), statement


@pytest.mark.parametrize(
    ("dialect", "number", "written"),
    [
        ("mysql", "1.234567890123456789E5", "123456.7890123456789"),
        ("mysql", "-1.234567890123456789E-5", "(-0.00001234567890123456789)"),
        ("mysql", "1.5E3", "1.5E3"),
        ("mysql", "1.2345678901234567E-20", "1.2345678901234567E-20"),
        ("mysql", "1.2345678901234567E300", "1.2345678901234567E300"),
        ("mysql", "1.3107200000000001e5", "131072.00000000001"),
        ("postgresql", "1.234567890123456789E5", "1.234567890123456789E5"),
        ("oracle", "1.234567890123456789E5", "1.234567890123456789E5"),
    ],
)
def test_a_number_loses_no_digits_for_its_exponent(dialect: str, number: str, written: str) -> None:
    """Written with one it would be a double; beyond what the server's decimals hold it stays one, if it can."""
    query = compiled("INSERT INTO t VALUES ({lead.N})", dialect, batch=False)

    (statement,) = query.render(rows({"N": Numeral(number)}), SEGMENT)

    assert statement.rstrip(";") == f"INSERT INTO t VALUES ({written})"


@pytest.mark.parametrize(
    ("dialect", "least", "most"), [("sqlite", -(2**63), 2**63 - 1), ("clickhouse", -(2**63), 2**64 - 1)]
)
def test_a_whole_number_that_the_server_would_bend_is_a_data_error(dialect: str, least: int, most: int) -> None:
    query = compiled("INSERT INTO t VALUES {for $x = $batch}({$x.N}, '{$x.N}'){autocomma}{end}", dialect)
    listed = compiled('DELETE FROM t WHERE a IN ({batch_in number "N"})', dialect, QueryKind.REMOVE)

    for one in (query, listed):
        assert one.render(rows({"N": least}, {"N": most}), SEGMENT)
        assert [error.index for error in bad_rows(one, {"N": least - 1}, {"N": 0}, {"N": most + 1})] == [0, 2]
