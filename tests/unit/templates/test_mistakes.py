"""What is refused when a query is compiled: all at once, each with its place, its reason and a remedy."""

from __future__ import annotations

import pytest

from tests.unit.templates.rendering import ADD, REMOVE, compiled, mistakes
from workers.templates import QueryKind, TemplateErrors, compile_query


@pytest.mark.parametrize(
    ("template", "what"),
    [
        ("SELECT {$lead.x}", "1:9: `$lead` means nothing outside its loop: {for $index, $lead = $batch} … {end}"),
        ("SELECT {lead.x}", "1:9: `lead` is for profiles that go one at a time; in a batch write {for $index, $lead ="),
        ("SELECT {$batch}", "1:9: `$batch` can only be looped over: {for $index, $lead = $batch} … {end}"),
        ("SELECT {event_time}", "1:9: each profile of a batch has its own event_time: write {$lead._event_time}"),
        ("SELECT {sequence}", "1:9: each profile of a batch has its own sequence: write {$lead._sequence}"),
        ("SELECT {for $l = $batch}{$led.x}{end}", "1:26: `$led` means nothing here; did you mean `$l`?"),
        ("SELECT {for $l = $batch}{for $m = $batch}{end}{end}", "1:25: a loop over $batch inside a loop over $batch"),
        ('SELECT {for $l = $batch}{batch_in "a"}{end}', "1:25: {batch_in} goes over the whole batch by itself"),
        ("SELECT '{batch_in \"a\"}'", "1:9: {batch_in} writes literals of its own and cannot stand inside a literal"),
        (
            "SELECT {batch_in a}",
            "1:18: expected a field's name in quotes, without `$lead.`, as in {batch_in \"CustomID\"}, got 'a'",
        ),
        ('SELECT {batch_in "a..b"}', "1:18: 'a..b' is no path to a field"),
        ('SELECT {batch_in ""}', "1:18: expected a field's name, got an empty text"),
        ("SELECT {autocomma}", "1:8: {autocomma} stands inside a {for}: it parts the loop's items"),
        ("SELECT {segment_ID}", "1:9: unknown name 'segment_ID'; did you mean `segment_id`?"),
        ("SELECT {segmentid}", "1:9: unknown name 'segmentid'; did you mean `segment_id`?"),
        ("SELECT {subscription.email}", "1:9: `subscription` is not known to segment queries"),
        (
            "SELECT '{a,b}'",
            "1:10: unknown name 'a'; a field is `lead.Field` or `$lead.Field`. Braces that are",
        ),
        ("SELECT {ts '2026'}", "1:9: unknown name 'ts';"),
        ("SELECT {{segment_id}}", "1:9: tags have single braces: {…}"),
        ("SELECT {segment_id", "1:8: this tag is not closed with `}`"),
        ("SELECT {segment_id segment_id}", "1:20: expected {placeholder} to end with `}` here, got 'segment_id'"),
        ("SELECT {segment_id + 1}", "1:20: '+' cannot stand in a tag"),
        ("SELECT {if segment_id}", "1:8: this {if} is not closed; end it with {end}"),
        ("SELECT {for $x = $batch}", "1:8: this {for} is not closed; end it with {end}"),
        ("SELECT {literal}", "1:8: this {literal} is not closed; end it with {end}"),
        ("SELECT {* no end", "1:8: this comment is not closed; end it with `*}`"),
        ("SELECT 1{end}", "1:9: {end} without a {for}, {if} or {literal} that it ends"),
        ("SELECT 1{else}", "1:9: {else} without an {if} that it belongs to"),
        ("SELECT {if segment_id}1{else}2{else}3{end}", "1:31: {else} after {else}: {else} comes last and once"),
        ("SELECT {if segment_id}1{else if 2}{end}", "1:30: write {elseif …} in one word"),
        ("SELECT {if}1{end}", "1:11: expected a value, got the tag's end"),
        ("SELECT {if segment_id =}1{end}", "1:24: expected a value, got the tag's end"),
        ("SELECT {if 1 = 2 = 3}1{end}", "1:18: comparisons do not chain; join them with `and`"),
        ("SELECT {if (segment_id}1{end}", "1:23: expected ')', got the tag's end"),
        ("SELECT {for x = $batch}{end}", "1:13: expected a variable as in {for $index, $lead = $batch}, got 'x'"),
        ("SELECT {for $x of $batch}{end}", "1:16: expected '=' or ':=' or 'in', got 'of'"),
        ("SELECT {for $x = $batch}{$x.}{end}", "1:29: expected a field's name after the dot, got the tag's end"),
        ("SELECT {for $x = $batch}{$x.a-b}{end}", "1:30: '-' cannot stand in a tag; texts go in quotes, odd field"),
        ("SELECT {for $x = $batch}{$x[-1]}{end}", "1:29: expected a number from 0 or a quoted name in the brackets"),
        ("SELECT a\u2028b", "1:9: the character U+2028 cannot stand in a query; take it out"),
        ("SELECT a\0b", "1:9: the character U+0000 cannot stand in a query; take it out"),
        ("", "1:1: there is no statement in it; leave a query out that is to do nothing"),
        ("-- nothing\n ; /* at all */", "1:1: there is no statement in it"),
        ("SELECT " + "1;" * 0 + "SELECT 1;" * 101, "1:908: a query has at most 100 statements"),
        ("SELECT '" + "x" * 100_000, "1:1: a query has at most 100,000 characters, this one 100,008"),
        ("SELECT " + "{segment_id}," * 3001, "1:39008: a query has at most 3,000 tags"),
        ("SELECT {if segment_id = " + "9" * 101 + "}{end}", "1:25: a number in a template has at most 100 characters"),
    ],
)
def test_a_mistake_says_where_what_and_what_instead(template: str, what: str) -> None:
    found = mistakes(template)

    assert any(one.startswith(what) for one in found), found


@pytest.mark.parametrize(
    ("template", "what"),
    [
        (
            "SELECT {$lead.x}",
            "1:9: `$lead` means nothing here: profiles go one at a time (no `batch`); for the profile's",
        ),
        ("SELECT {for $l = $batch}{end}", "1:18: `$batch` means nothing here: profiles go one at a time"),
        ('SELECT {batch_in "x"}', "1:8: {batch_in} needs a batch; for one profile at a time write = {lead.Field}"),
    ],
)
def test_a_name_of_the_other_mode_is_refused_with_the_remedy(template: str, what: str) -> None:
    assert mistakes(template, batch=False)[0].startswith(what)


@pytest.mark.parametrize("batch", [True, False])
@pytest.mark.parametrize(
    ("template", "what"),
    [
        ("SELECT {lead.x}", "1:9: a clear query has no profiles, so no `lead`; profiles come with add and remove"),
        ("SELECT {$lead.x}", "1:9: `$lead` means nothing here: a clear query has no profiles"),
        ("SELECT {for $l = $batch}{end}", "1:18: `$batch` means nothing here: a clear query has no profiles"),
        ('SELECT {batch_in "x"}', "1:8: a clear query has no profiles, so no {batch_in}"),
    ],
)
def test_a_segment_event_has_no_profiles(template: str, what: str, *, batch: bool) -> None:
    assert mistakes(template, kind=QueryKind.CLEAR, batch=batch)[0].startswith(what)


@pytest.mark.parametrize(
    ("dialect", "template", "what"),
    [
        ("mysql", "BEGIN", "1:1: a statement may not begin with BEGIN: segsync opens and ends the transaction"),
        ("mysql", "DELETE FROM a; COMMIT", "1:16: a statement may not begin with COMMIT: segsync opens and ends"),
        ("mysql", "/* c */ rollback", "1:9: a statement may not begin with ROLLBACK"),
        ("mysql", "SET sql_mode = ''", "1:1: a statement may not begin with SET: it changes the session"),
        (
            "mysql",
            "TRUNCATE mysegment",
            "1:1: a statement may not begin with TRUNCATE: it cannot be rolled back everywh",
        ),
        ("mysql", "CREATE TABLE t (a int)", "1:1: a statement may not begin with CREATE: queries change rows"),
        (
            "mysql",
            "LOAD DATA INFILE 'x' INTO TABLE t",
            "1:1: a statement may not begin with LOAD (statements here begin",
        ),
        ("mysql", "CALL p()", '1:1: CALL runs code that segsync cannot check; say allow = ["call"]'),
        ("mysql", "SELECT 1 INTO OUTFILE 'x'", "1:10: SELECT … INTO makes a table, a file or a variable"),
        ("postgresql", "SELECT * INTO t FROM u", "1:10: SELECT … INTO makes a table"),
        ("postgresql", "SELECT replace('a', 'b', 'c') INTO t", "1:31: SELECT … INTO makes a table"),
        ("postgresql", "WITH a AS (SELECT 1) SELECT * INTO t FROM a", "1:31: SELECT … INTO makes a table"),
        (
            "postgresql",
            "SELECT set_config('standard_conforming_strings', 'off', false)",
            "1:8: SET_CONFIG cannot stand",
        ),
        ("sqlite", "PRAGMA journal_mode = OFF", "1:1: a statement may not begin with PRAGMA: it changes the session"),
        ("mssql", "INSERT INTO t VALUES (1) COMMIT", "1:26: COMMIT cannot stand in a query: SQL Server would run it"),
        ("mssql", "DELETE FROM t\nGO\n", "2:1: GO cannot stand in a query: it is a word of SQL Server's tools"),
        ("mssql", "UPDATE t SET a = 1 SET NOCOUNT ON", "1:20: SET without an UPDATE before it"),
        ("mssql", "INSERT INTO t EXEC p", "1:15: EXEC cannot stand in a query"),
        ("mssql", "SELECT 1 INTO #t", "1:10: SELECT … INTO makes a table"),
        ("oracle", "BEGIN p; END;", "1:1: a statement may not begin with BEGIN"),
        ("clickhouse", "ALTER TABLE t DROP COLUMN a", "1:15: ALTER TABLE may only UPDATE or DELETE; DROP is not for"),
        ("clickhouse", "ALTER USER u", "1:7: ALTER TABLE may only UPDATE or DELETE; USER is not for queries"),
        ("clickhouse", "INSERT INTO t FORMAT CSV", "1:15: FORMAT cannot stand in a query: what follows would be data"),
        ("mysql", "({lead.a})", "1:2: a placeholder cannot begin a statement"),
        ("mysql", "{for $t = lead.a}DELETE FROM t{end}", "1:1: a statement cannot begin with a {for}"),
        ("mysql", "{if lead.a}DELETE FROM t;{end}", "1:25: a `;` inside {for} or {if}: whole statements stand outside"),
    ],
)
def test_only_statements_that_change_rows(dialect: str, template: str, what: str) -> None:
    """Rule 21."""
    assert mistakes(template, dialect, batch=False)[0].startswith(what)


@pytest.mark.parametrize(
    ("dialect", "statement"),
    [
        ("mysql", "INSERT IGNORE INTO t SELECT 1"),
        ("mysql", "INSERT INTO t SET a = 1"),
        ("mysql", "REPLACE INTO t VALUES (REPLACE('a', 'b', 'c'))"),
        ("postgresql", "WITH gone AS (DELETE FROM t RETURNING a) INSERT INTO u SELECT a FROM gone"),
        ("postgresql", "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN UPDATE SET b = 1"),
        ("postgresql", "SELECT 1 FOR UPDATE"),
        ("sqlite", "INSERT OR REPLACE INTO t VALUES (1)"),
        ("mysql", "(SELECT 1) UNION (SELECT 2)"),
        ("oracle", "INSERT ALL INTO t VALUES (1) INTO t VALUES (2) SELECT 1 FROM dual"),
        ("clickhouse", "ALTER TABLE t DELETE WHERE a = 1 SETTINGS mutations_sync = 1"),
        ("clickhouse", "ALTER TABLE t UPDATE a = replace(a, 'x', 'y') WHERE b = 1"),
        ("clickhouse", "SELECT format('{0}', 'x')"),
    ],
)
def test_statements_that_are_fine(dialect: str, statement: str) -> None:
    compiled(statement, dialect, QueryKind.CLEAR)


def test_calls_have_to_be_allowed() -> None:
    compiled("CALL p({segment_id})", "mysql", QueryKind.CLEAR, allow=frozenset({"call"}))
    compiled("EXEC p {segment_id}", "mssql", QueryKind.CLEAR, allow=frozenset({"call"}))


def test_all_mistakes_come_at_once_in_their_order() -> None:
    found = mistakes("SELECT {a},\n {b},\n `{segment_id}` -- {c}\n; COMMIT; {if}")

    assert [one.split(": ")[0] for one in found] == ["1:9", "2:3", "3:3", "3:21", "4:3", "4:11", "4:14"]


def test_a_hostile_text_cannot_make_mistakes_without_end() -> None:
    assert len(mistakes("SELECT " + "{a}, " * 1000)) == 50


def test_unknown_dialects_zones_and_keys_are_mistakes() -> None:
    with pytest.raises(TemplateErrors) as caught:
        compile_query(ADD, dialect="mysqll", kind=QueryKind.ADD, batch=True, key=("a..b",), timezone="Berlin")

    assert [mistake.what.split(";")[0] for mistake in caught.value.mistakes] == [
        "unknown dialect 'mysqll'",
        "unknown time zone 'Berlin'",
        "key: 'a..b' is no path to a field, as in `address.city`, `phones[0]` or `[\"a.b\"]`",
    ]


@pytest.mark.parametrize("zone", ["../../etc/passwd", "", "Europe/Berlin' x", "/etc/localtime", "UTC\n"])
def test_a_time_zone_is_a_name_and_no_path(zone: str) -> None:
    with pytest.raises(TemplateErrors, match="unknown time zone"):
        compiled(ADD, timezone=zone)


def test_line_breaks_of_windows_and_a_byte_order_mark_do_not_move_places() -> None:
    assert mistakes("\ufeffSELECT 1,\r\n  {oops}")[0].startswith("2:4: unknown name 'oops'")


def test_a_query_knows_its_fields_and_what_it_is() -> None:
    query = compiled(
        "INSERT INTO t VALUES {for $i, $p = $batch}{if $p.c.d}({segment_id}, {$p.a}, {lower $p.b[0]}, {$p._id}, "
        "{$p._event_time}){autocomma}{end}{end}"
    )

    assert query.identifying == ("c.d", "a", "b[0]", "_id")
    assert query.fields == {"a", "b", "c", "_id"}


def test_a_digest_is_that_of_everything_that_matters() -> None:
    digests = {
        compiled(source, dialect, batch=batch, key=key, timezone=timezone).digest
        for source, dialect, batch, key, timezone in [
            (CLEAR_BY_ID, "mysql", True, (), "UTC"),
            (CLEAR_BY_ID + " ", "mysql", True, (), "UTC"),
            (CLEAR_BY_ID, "sqlite", True, (), "UTC"),
            (CLEAR_BY_ID, "mysql", False, (), "UTC"),
            (CLEAR_BY_ID, "mysql", True, ("a",), "UTC"),
            (CLEAR_BY_ID, "mysql", True, (), "Asia/Tokyo"),
        ]
    }

    assert len(digests) == 6
    assert compiled(REMOVE).digest == compiled(REMOVE).digest


CLEAR_BY_ID = "DELETE FROM t WHERE a = {segment_id}"


@pytest.mark.parametrize(
    ("template", "warning"),
    [
        ("INSERT INTO t VALUES {for $x = $batch}({$x.K}){autocomma}{end}", "nothing in it depends on {segment_id}"),
        ("DELETE FROM t WHERE a = {segment_id}", "it uses no profile field: every add of any profile does the same"),
        (
            "INSERT INTO t VALUES {for $x = $batch}({segment_id}, {$x.a}){autocomma}{end}",
            "it does not use 'K' of the key: profiles that differ in nothing else would be one row",
        ),
        (
            "DELETE FROM t WHERE a = {segment_id}; INSERT INTO t SELECT 1 FROM u WHERE k IN ({batch_in 'K'})",
            "a statement without $batch beside one with it",
        ),
        (
            "INSERT INTO t SELECT {segment_id} {for $x = $batch} OR a LIKE '%{$x.K}%'{end}",
            "a placeholder in a pattern: `%`, `_` and the like in the data match anything",
        ),
    ],
)
def test_what_is_probably_not_meant_is_warned_of(template: str, warning: str) -> None:
    (found,) = [mistake.what for mistake in compiled(template, key=("K",)).warnings]

    assert found.startswith(warning)


ROWS = "(a, b) IN ({for $l = $batch}({$l.K}, {$l.L}){autocomma}{end})"
LIST = "b IN ({for $l = $batch}{$l.L}{autocomma}{end})"


@pytest.mark.parametrize(
    ("where", "is_warned_of"),
    [
        ('a IN ({batch_in "K"}) AND b IN ({batch_in "L"})', True),
        (f'a IN ({{batch_in "K"}}) AND {LIST}', True),
        (ROWS, False),
        (f'{ROWS} AND a IN ({{batch_in "K"}})', False),
        ('a IN ({batch_in "K"}) AND c IN ({batch_in "K"}) AND b = 5', False),
    ],
)
def test_a_list_for_each_part_of_a_key_takes_rows_of_others(where: str, is_warned_of: bool) -> None:
    remove = compiled(f"DELETE FROM t WHERE s = {{segment_id}} AND {where}", kind=QueryKind.REMOVE, key=("K", "L"))
    said = [each.what for each in remove.warnings if each.what.startswith("lists of its own for each part of the key")]
    assert len(said) == is_warned_of


def test_a_good_query_has_no_warnings() -> None:
    whole = "INSERT INTO t VALUES {for $x = $batch}({segment_id}, '{json $x}'){autocomma}{end}"
    assert compiled(whole, key=("CustomID",)).warnings == []
    assert compiled(ADD, key=("CustomID",)).warnings == []
    assert compiled(REMOVE, kind=QueryKind.REMOVE, key=("CustomID",)).warnings == []


@pytest.mark.parametrize(
    ("template", "what"),
    [
        ("SELECT {LEAD.a}", "1:9: unknown name 'LEAD'; did you mean `lead`? Braces"),
        ("SELECT {IF lead.a}", "1:9: unknown name 'IF'; did you mean `if`? Braces"),
        ("SELECT {qqqq}", "`elseif`, `end`. Braces that are SQL's own go"),
        ("SELECT '{if lead.a AND lead.b}1{end}'", "got 'AND'; the language's words are in small letters: `and`"),
        ("SELECT '{if lead.a not in lead.b}1{end}'", "got 'not'; `not` stands before what it turns round"),
        ("SELECT {lead.a b}", "1:16: expected {placeholder} to end with `}` here, got 'b'"),
        ("SELECT {lead.a.0}", "got '0'; an item of a list is [0]"),
        ("SELECT {lead.a.'b'}", "got 'b'; odd names: [\"e-mail\"]"),
        ("CALL p()", 'say allow = ["call"] in its connector if it must'),
    ],
)
def test_what_newcomers_try_is_answered_with_the_remedy(template: str, what: str) -> None:
    assert what in mistakes(template, batch=False)[0]


@pytest.mark.parametrize("wrong", ["lead.a && lead.b", "!lead.a", "lead.a || lead.b", "lead.a|lower"])
def test_signs_for_words_are_one_mistake_and_no_more(wrong: str) -> None:
    (what,) = mistakes(f"SELECT {{segment_id}}, '{{if {wrong}}}1{{else}}0{{end}}', {{lead.c}}", batch=False)
    assert "cannot stand in a tag; conditions are joined by words: `and`, `or`, `not`;" in what


@pytest.mark.parametrize(
    "tag",
    [
        *("{!$lead.x}", "{ ! $lead.x}", "{!lead.x}", "{-lead.x}", "{($lead.x)}", "{?lead.x}", "{=lead['x']}"),
        *("{#$lead.x}", "{/$lead.x}", "{;$lead.x}", "{`$lead.x`}", "{!!!!$lead.x}", "{!segment_id}", "{!if $x}"),
        *("{/if}", "{#if $lead.x}", "{% for $x = lead.y %}", "{\xa0$lead.x}", "{\u200b$lead.x}", "{-end}"),
    ],
)
def test_a_tag_that_begins_with_a_sign_is_no_text(tag: str) -> None:
    """It would go to the database as it stands, and be stored."""
    (what,) = mistakes(f"SELECT '{tag}', {{segment_id}}", batch=False)
    assert "1:9: no tag begins with" in what
    assert compiled(f"SELECT '{{literal}}{tag}{{end}}', '{{-1}}', '{{\"lead.x\": 1}}', '{{!}}'", batch=False)


@pytest.mark.parametrize(
    ("listed", "what"),
    [
        ("$lead.k", "expected a field's name in quotes, without `$lead.`, as in {batch_in \"CustomID\"}, got '$lead'"),
        ("k", "expected a field's name in quotes, without `$lead.`, as in {batch_in \"CustomID\"}, got 'k'"),
        ('"$lead.k"', '`["a.b"]`; leave `$lead.` out'),
    ],
)
def test_a_list_takes_a_fields_name(listed: str, what: str) -> None:
    remove = f"DELETE FROM t WHERE s = {{segment_id}} AND k IN ({{batch_in {listed}}})"
    (found,) = mistakes(remove, kind=QueryKind.REMOVE)
    assert found.endswith(what)
