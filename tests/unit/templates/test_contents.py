"""What a text is to whoever reads it: a pattern, JSON. Nothing is refused there, and what is odd is said."""

from __future__ import annotations

import pytest

from tests.cases import case
from tests.unit.templates.rendering import compiled

ALL = ("mysql", "postgresql", "sqlite", "mssql", "oracle", "clickhouse")


def warnings(expression: str, dialect: str = "postgresql") -> list[str]:
    return [
        one.what for one in compiled(f"SELECT {{segment_id}}, {{lead.y}}, {expression}", dialect, batch=False).warnings
    ]


JSON = [
    '\'{"name": "{lead.x}"}\'',
    '\'{"a": 1, "b": {lead.x}}\'',
    "' [\"{lead.x}\"]'",
    "'[{lead.x}]'",
    "'<a b=\"1\">{lead.x}</a>'",
    "'<?xml version=\"1.0\"?><a>{lead.x}</a>'",
    "'$.a ? (@.b == \"{lead.x}\")'",
    "'$.{lead.x}'",
    "'lax $[*].\"{lead.x}\"'",
    '\'{"a": "{lower lead.x}", "b": 1}\'',
    '\'{"a": "{segment_name}"}\'',
    '\'{"a": {if lead.y}"{lead.x}"{else}null{end}}\'',
]


@pytest.mark.parametrize("dialect", ALL)
def test_data_in_json_is_warned_of_with_the_remedy(dialect: str) -> None:
    """A quote in it ends the text there, and what follows are keys of its own."""
    for expression in JSON:
        with case(expression):
            (found,) = set(warnings(expression, dialect))

            assert "write {json …} without quotes around it" in found


@pytest.mark.parametrize(
    "expression",
    [
        '\'{json lead}\', \'{"a": {json lead.x}, "b": {number lead.n}, "c": "{sha256 lead.x}"}\'',
        '\'{"a": {segment_id}, "at": "{event_time}"}\', \'{lead.x}\'',
        "'[VIP] {lead.x}', '(a) {lead.x}', 'see \"{lead.x}\"', '{lead.x} {}'",
        "'$5 {lead.x}', '$.50 {lead.x}', '$ {lead.x}', '< {lead.x}', '<{lead.x}>'",
    ],
)
def test_what_cannot_change_json_and_what_is_none_is_not_warned_of(expression: str) -> None:
    assert warnings(expression) == []


@pytest.mark.parametrize("place", ["{lead.x}", "'{lead.x}'", "'%{lead.x}'"])
@pytest.mark.parametrize(
    ("dialect", "pattern"),
    [
        ("postgresql", "a SIMILAR TO {}"),
        ("postgresql", "a NOT SIMILAR TO {}"),
        ("postgresql", "REGEXP_LIKE(a, {})"),
        ("postgresql", "regexp_replace(f(a, b), {}, 'y')"),
        ("mysql", "REGEXP_LIKE ( a , {} )"),
        ("oracle", "REGEXP_INSTR(a, {})"),
        ("clickhouse", "match(a, {})"),
        ("clickhouse", "notILike(a, {})"),
        ("sqlite", "like(a, {})"),
        ("sqlite", "like({}, a)"),
        ("sqlite", "glob({}, a)"),
        ("sqlite", "a MATCH {}"),
        ("sqlite", "a GLOB ({})"),
        ("mysql", "a LIKE concat('%', {}, '%') AND b"),
        ("mysql", "a LIKE BINARY {}"),
        ("mysql", "a RLIKE {} OR b"),
        ("mysql", "MATCH (a, b) AGAINST ({} IN BOOLEAN MODE)"),
        ("postgresql", "a LIKE '%' || {} ESCAPE '!'"),
        ("postgresql", "a ILIKE ANY (ARRAY[{}, 'b'])"),
        ("postgresql", "a ~ {}"),
        ("postgresql", "a !~* {}"),
        ("postgresql", "(a ~~ lower({}))"),
        ("mssql", "PATINDEX({}, a)"),
        ("mssql", "a NOT LIKE N'%' + {} + '%'"),
        ("clickhouse", "replaceRegexpAll(a, {}, 'b')"),
        ("clickhouse", "extractAll(a, {})"),
        ("clickhouse", "countMatches(a, {})"),
        ("clickhouse", "splitByRegexp({}, a)"),
    ],
)
def test_a_pattern_is_warned_of(dialect: str, pattern: str, place: str) -> None:
    (found,) = warnings(pattern.format(place), dialect)

    assert "in a pattern: `%`, `_` and the like in the data match anything" in found


@pytest.mark.parametrize(
    "expression",
    [
        *("REGEXP_LIKE({lead.x}, '^a')", "f(REGEXP_LIKE(a, 'b'), {lead.x})", "(a), {lead.x}", "to_char(a, {lead.x})"),
        *("a LIKE 'b', {lead.x}", "a LIKE 'b' AND c = {lead.x}", "CASE WHEN a LIKE 'b' THEN {lead.x} END"),
        *("(a LIKE ('b')) = {lead.x}", "f(a LIKE concat('b', 'c'), {lead.x})", "a ~ 'b' OR c = {lead.x}"),
        *("1 WHERE a LIKE 'b' ORDER BY {lead.x}", "EXTRACT(day FROM date_trunc('day', {lead.x}))"),
    ],
)
def test_a_text_that_is_matched_is_no_pattern(expression: str) -> None:
    assert warnings(expression) == []
