"""Where a placeholder may stand, and what it becomes there."""

from __future__ import annotations

import pytest

from tests.unit.templates.rendering import SEGMENT, compiled, each, mistakes, one, rows
from workers.events.numerals import Numeral
from workers.templates import QueryKind


@pytest.mark.parametrize(
    ("value", "bare", "quoted", "partial"),
    [
        (None, "NULL", "NULL", "'x-'"),
        ("", "''", "''", "'x-'"),
        ("a'b", "'a''b'", "'a''b'", "'x-a''b'"),
        ("a\\b", "'a\\b'", "'a\\b'", "'x-a\\b'"),
        (0, "0", "'0'", "'x-0'"),
        (-5, "(-5)", "'-5'", "'x--5'"),
        (10**30, "1" + "0" * 30, "'1" + "0" * 30 + "'", "'x-1" + "0" * 30 + "'"),
        (Numeral("0.10000000000000000001"), "0.10000000000000000001", "'0.10000000000000000001'", None),
        (Numeral("-1E5"), "(-1E5)", "'-1E5'", None),
        (True, "TRUE", "'true'", "'x-true'"),
        (False, "FALSE", "'false'", "'x-false'"),
        (["a", 1, None], "'[\"a\",1,null]'", "'[\"a\",1,null]'", None),
        ({"k": Numeral("1.50")}, "'{\"k\":1.50}'", "'{\"k\":1.50}'", None),
    ],
)
def test_a_value_is_written_as_its_place_wants_it(value: object, bare: str, quoted: str, partial: str | None) -> None:
    assert one("{lead.F}", {"F": value}) == bare
    assert one("'{lead.F}'", {"F": value}) == quoted
    if partial is not None:
        assert one("'x-{lead.F}'", {"F": value}) == partial


def test_a_missing_field_is_null() -> None:
    assert one("{lead.F}, '{lead.F}', '{lead.F}!'", {}) == "NULL, NULL, '!'"


@pytest.mark.parametrize(
    ("dialect", "template", "expected"),
    [
        ("mysql", "'{lead.F}'", "'a''b\"c\\\\d'"),
        ("mysql", '"{lead.F}"', '"a\'b""c\\\\d"'),
        ("mysql", "{lead.F}", "'a''b\"c\\\\d'"),
        ("postgresql", "'{lead.F}'", "'a''b\"c\\d'"),
        ("sqlite", "'{lead.F}'", "'a''b\"c\\d'"),
    ],
)
def test_escaping_follows_dialect_and_quote(dialect: str, template: str, expected: str) -> None:
    assert one(template, {"F": "a'b\"c\\d"}, dialect) == expected


def test_mysql_carries_nul_as_an_escape() -> None:
    assert one("'{lead.F}'", {"F": "a\0b\\\0"}, "mysql") == "'a\\0b\\\\\\0'"


def test_a_key_is_always_text() -> None:
    """A number beside a text column matches every row whose text is no number."""
    assert each("({$lead.K}, '{$lead.K}')", {"K": 0}, key=("K",)) == ["('0', '0')"]


def test_number_makes_a_number_even_of_a_key() -> None:
    assert each("({number $lead.K}, {number($lead.N)})", {"K": "0061", "N": " -1.50 "}, key=("K",)) == ["(61, (-1.50))"]


@pytest.mark.parametrize(
    ("id_", "bare"),
    [
        ("7", "7"),
        ("0", "0"),
        ("-7", "(-7)"),
        ("07", "'07'"),
        ("-0", "'-0'"),
        ("7.0", "'7.0'"),
        ("seg'7", "'seg''7'"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "'18446744073709551616'"),
        ("\u0667", "'\u0667'"),
    ],
)
def test_a_segment_id_is_a_number_where_it_is_one(id_: str, bare: str) -> None:
    query = compiled("DELETE FROM t WHERE a = {segment_id} AND b = '{segment_id}'", "postgresql", QueryKind.CLEAR)

    (statement,) = query.render([], SEGMENT._replace(id=id_))

    assert statement == f"DELETE FROM t WHERE a = {bare} AND b = '{id_.replace(chr(39), chr(39) * 2)}'"


@pytest.mark.parametrize(
    ("id_", "bare"), [("9223372036854775807", "9223372036854775807"), ("9223372036854775808", "'9223372036854775808'")]
)
def test_a_segment_id_is_a_text_where_the_database_keeps_no_such_number(id_: str, bare: str) -> None:
    query = compiled("DELETE FROM t WHERE a = {segment_id}", "sqlite", QueryKind.CLEAR)

    assert query.render([], SEGMENT._replace(id=id_)) == [f"DELETE FROM t WHERE a = {bare}"]


def test_a_segment_without_a_name_is_null() -> None:
    query = compiled("UPDATE s SET name = '{segment_name}', x = {segment_name}", "mysql", QueryKind.SEGMENT_UPSERT)

    assert query.render([], SEGMENT._replace(name=None)) == ["UPDATE s SET name = NULL, x = NULL"]


@pytest.mark.parametrize(
    ("dialect", "time"),
    [
        ("mysql", "2026-11-21 13:00:00.000000"),
        ("postgresql", "2026-11-21 13:00:00.000000+01:00"),
        ("sqlite", "2026-11-21 13:00:00.000000"),
    ],
)
def test_event_time_is_a_literal_in_the_zone_of_the_query(dialect: str, time: str) -> None:
    written = one("{event_time}, '{event_time}', 'at {event_time}', {sequence}", {}, dialect, timezone="Europe/Berlin")

    assert written == f"'{time}', '{time}', 'at {time}', 100"


def test_in_a_batch_each_profile_has_its_own_time_and_sequence() -> None:
    assert each("({$lead._sequence}, {$lead._event_time}){autocomma}", {}, {}, dialect="mysql") == [
        "(100, '2026-11-21 12:00:00.000000'),(101, '2026-11-21 12:00:01.000000')"
    ]


def test_a_segment_event_has_the_time_and_sequence_of_its_segment() -> None:
    query = compiled("UPDATE s SET a = {event_time}, b = {sequence}", "mysql", QueryKind.SEGMENT_UPSERT)

    assert query.render([], SEGMENT) == ["UPDATE s SET a = '2026-11-21 12:00:00.000000', b = 900"]


@pytest.mark.parametrize(
    ("dialect", "template", "expected"),
    [
        ("mysql", "SELECT `{lead.F}`", "1:9: a placeholder inside an identifier: a profile's data cannot be a name"),
        ("mysql", "SELECT 1 -- {lead.F}", "1:13: a placeholder inside a comment: the database would never see it"),
        ("mysql", "SELECT 1 # {lead.F}", "1:12: a placeholder inside a comment"),
        ("mysql", "SELECT 1 /* {lead.F} */", "1:13: a placeholder inside a comment"),
        (
            "mysql",
            "SELECT x'{lead.F}'",
            "1:10: a placeholder inside a literal with a prefix: write an ordinary literal",
        ),
        ("mysql", 'SELECT N"{lead.F}"', "1:10: a placeholder inside a literal with a prefix"),
        ("mysql", "SELECT _utf8mb4'{lead.F}'", "1:17: a literal directly after a word"),
        ("mysql", "SELECT _utf8mb4 '{lead.F}'", "1:18: a placeholder after a `_charset` prefix"),
        ("mysql", "SELECT _utf8mb4/**/'x{lead.F}'", "1:22: a placeholder after a `_charset` prefix"),
        ("mysql", "SELECT '\\{lead.F}'", "1:9: a backslash directly before a tag"),
        ("postgresql", 'SELECT "{lead.F}"', '1:9: a placeholder inside an identifier: in postgresql "…" is an ident'),
        ("postgresql", "SELECT E'{lead.F}'", "1:10: a placeholder inside an E'…' literal"),
        ("postgresql", "SELECT U&'{lead.F}'", "1:11: a placeholder inside a literal with a prefix"),
        ("postgresql", "SELECT $$ {lead.F} $$", "1:11: a placeholder inside a $…$ literal"),
        ("postgresql", "SELECT $q$ $$ {lead.F} $q$", "1:15: a placeholder inside a $…$ literal"),
        ("postgresql", "SELECT E'a'\n'{lead.F}'", "2:1: a literal directly after a prefixed one"),
        ("postgresql", "SELECT E'a'\n{lead.F}", "2:1: a placeholder after a literal with a prefix"),
        ("postgresql", "SELECT 'a'\n'{lead.F}'", "2:2: a placeholder after a literal, which it would join"),
        ("postgresql", "SELECT DATE '{lead.F}'", "1:14: a placeholder after a type's name"),
        ("postgresql", "SELECT U&{lead.F}", "1:10: a placeholder directly after an `&`"),
        ("sqlite", "SELECT [{lead.F}]", "1:9: a placeholder inside an identifier"),
        ("sqlite", "SELECT x'{lead.F}'", "1:10: a placeholder inside a literal with a prefix"),
        ("mysql", "SELECT seg_{segment_id}", "1:12: a placeholder directly after a word"),
        ("mysql", "SELECT {lead.F}0", "1:16: '0' directly after a tag"),
        ("mysql", "SELECT {lead.F}'a'", '1:16: "\'" directly after a tag'),
        ("mysql", "SELECT {lead.F}{lead.G}", "1:16: a placeholder directly after a literal or a placeholder"),
        ("mysql", "SELECT {lead.F} {lead.G}", "1:17: a placeholder after a literal or a placeholder, which it would"),
        ("mysql", "SELECT {lead.F} 'x'", "1:17: a literal directly after a placeholder"),
        (
            "mysql",
            "SELECT '{lead.F}''{lead.G}'{lead.H}",
            "1:28: a placeholder directly after a literal or a placeholder",
        ),
        ("mysql", "SELECT t.{lead.F}", "1:10: a placeholder directly after a `.`"),
        ("mysql", "SELECT LIKE'{lead.F}'", "1:13: a literal directly after a word"),
        ("mysql", "{lead.F}", "1:1: a placeholder cannot begin a statement"),
        ("mysql", "SELECT 'abc", "1:8: a literal begins here and is never closed"),
        ("mysql", "SELECT 1 /* abc", "1:10: a comment begins here and is never closed"),
        ("mysql", "SELECT 1 /* a /* b */ */", "1:12: a comment inside a comment"),
        ("mysql", "SELECT /*!50000 1 */", "1:8: `/*!` is no comment: the server runs what is in it"),
        ("mysql", "SELECT /*M! 1 */", "1:8: `/*!` is no comment"),
        (
            "mysql",
            "SELECT /*+ SET_VAR(sql_mode='') */ 1",
            "1:8: SET_VAR cannot stand in a query: it changes",
        ),
        ("mysql", "SELECT /*+ SET_{if lead.F}VAR{end}() */ 1", "1:8: a hint is closed before the next tag"),
        (
            "mysql",
            "SELECT 1 --{if lead.F} a{end}\n",
            "1:10: `--` directly before a tag, `;` or the end is no sure comment",
        ),
        (
            "mysql",
            "SELECT 1, --; SELECT '{lead.F}'",
            "1:11: `--` directly before a tag, `;` or the end is no sure comment",
        ),
        ("oracle", "SELECT 1, #N'{lead.F}' FROM dual", "1:11: a name begins with a letter in oracle"),
        ("oracle", "SELECT $q'{lead.F}' FROM dual", "1:8: a name begins with a letter in oracle"),
        ("mysql", "SELECT 1 /*{if lead.F}!{end} */", "1:10: a comment cannot begin directly before a tag"),
        ("mysql", "SELECT 1 /*M{if lead.F}!{end} */", "1:10: a comment cannot begin directly before a tag"),
        ("sqlite", "SELECT 1 /* *{if lead.F}/{end} */", "1:13: '*' directly before a tag could end a comment"),
        ("postgresql", "SELECT $a$ $a{if lead.F}${end}$a$", "1:12: '$a' directly before a tag could end a $…$ literal"),
        ("mssql", "SELECT [a]{if lead.F}]b]{end}", "1:22: ']' before the tag and ']' would join"),
        ("postgresql", "SELECT $a {lead.F}", "1:8: a lone `$`: in postgresql it opens a $…$ literal"),
        ("postgresql", "SELECT 1$a$ {lead.F}", "1:8: `$` directly after a number: put a blank between them"),
        ("mssql", "SELECT 1 LIKE'a{lead.F}'", "1:16: a literal directly after a word: put a blank before its quote"),
        ("mysql", "SELECT $$ a $$", "1:8: `$…$` quotes are not known to mysql"),
        ("mysql", "SELECT '{if lead.F}a'{end}", "1:9: this {if} ends on one way in"),
        ("mysql", "SELECT {if lead.F}'{end}a'", "1:8: this {if} ends on one way in"),
        ("mysql", "SELECT 1 {if lead.F}-- {end}\n, 2", "1:10: this {if} ends on one way in"),
        ("mysql", "SELECT 5 -{if lead.F}- {end} 2", "1:22: '-' before the tag and '-' would join"),
        ("mysql", "SELECT 5 /{if lead.F}* {end} 2 */", "1:22: '/' before the tag and '*' would join"),
        ("mysql", "SELECT N{if lead.F}'a'{end}", '1:20: "\'" here and the word before the tag would join'),
        ("mysql", "SELECT 'a'{if lead.F}'b'{end}", '1:22: "\'" directly after a tag'),
        ("mysql", "SELECT {for $x = lead.L}{$x}{end}", "1:25: a placeholder directly after a literal or a placeholder"),
        ("mysql", "SELECT {for $x = lead.L}{$x}{if $x}{autocomma}{end}{end}", "1:25: a placeholder directly after"),
        ("mysql", "SELECT ({for $x = lead.L}{$x}{autocomma}{end}{lead.F})", "1:46: a placeholder directly after a lit"),
    ],
)
def test_a_place_that_cannot_be_made_safe_is_refused(dialect: str, template: str, expected: str) -> None:
    found = mistakes(template, dialect, batch=False)

    assert found[0].startswith(expected), found


def test_a_line_of_nothing_but_tags_leaves_no_empty_line() -> None:
    template = "1\n  {if lead.F}\n  , 2\n  {else}\n  , 3\n  {end}\n, '\n{if lead.F}\n4\n{end}\n'"

    assert one(template, {"F": 1}) == "1\n    , 2\n  , '\n\n4\n\n'"
    assert one("1 AND{if lead.F}\nTRUE\n{else}\nFALSE\n{end}", {"F": 1}) == "1 AND\nTRUE"
    assert one("1\n{if lead.F}\n{end}\n, 2", {"F": 1}) == "1\n, 2"
    assert one("(\n{for $x = lead.F}\nNULL{end}\n)", {"F": [1, 2]}) == "(\n\nNULL\nNULL\n)"


@pytest.mark.parametrize(
    ("dialect", "template", "profile", "expected"),
    [
        ("mysql", "SELECT 1-{lead.F}", {"F": -5}, "SELECT 1-(-5)"),
        ("mysql", "SELECT -{lead.F}", {"F": 5}, "SELECT -5"),
        ("postgresql", "SELECT {lead.F}::int", {"F": "5"}, "SELECT '5'::int"),
        ("postgresql", "SELECT '{lead.F}'::date", {}, "SELECT NULL::date"),
        ("postgresql", "SELECT 'it''s {lead.F}''s'", {"F": "O'"}, "SELECT 'it''s O''''s'"),
        ("postgresql", "SELECT '{lead.F}'''", {"F": None}, "SELECT ''''"),
        ("mysql", "SELECT 'a\\'{lead.F}'", {"F": "'"}, "SELECT 'a\\''''"),
        ("postgresql", "SELECT '{if lead.F}yes{else}no{end}'", {"F": 0}, "SELECT 'yes'"),
        ("postgresql", "SELECT '{for $x = lead.L}{$x}{autocomma}{end}'", {"L": ["a", "'"]}, "SELECT 'a,'''"),
        ("postgresql", "SELECT ({for $x = lead.L}{$x}{autocomma}{end})", {"L": ["a", 1]}, "SELECT ('a',1)"),
        (
            "postgresql",
            "SELECT '{\"a\":1}', '{1,2}', '{}', $$ {1} $$",
            {},
            "SELECT '{\"a\":1}', '{1,2}', '{}', $$ {1} $$",
        ),
        ("postgresql", "SELECT {literal}{ts 'x'}{end}", {}, "SELECT {ts 'x'}"),
        ("postgresql", "SELECT {* it's $lead *}1", {}, "SELECT 1"),
        ("postgresql", "SELECT a -- it's\n, {lead.F}", {"F": 1}, "SELECT a -- it's\n, 1"),
        ("mysql", "SELECT /*+ NO_ICP(t) */ {lead.F}", {"F": 1}, "SELECT /*+ NO_ICP(t) */ 1"),
        ("mysql", "SELECT 5--2, {lead.F}", {"F": 1}, "SELECT 5--2, 1"),
        ("postgresql", "SELECT a$b$c, {lead.F}", {"F": 1}, "SELECT a$b$c, 1"),
        ("sqlite", "SELECT [it's], {lead.F}", {"F": True}, "SELECT [it's], 1"),
        ("postgresql", "SELECT E'it\\'s', {lead.F}", {"F": 1}, "SELECT E'it\\'s', 1"),
    ],
)
def test_sql_around_placeholders_is_left_alone(
    dialect: str, template: str, profile: dict[str, object], expected: str
) -> None:
    assert compiled(template, dialect, batch=False).render(rows(profile), SEGMENT) == [expected]
