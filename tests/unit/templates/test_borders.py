"""What a tag may cut in two: no pair of characters that means something together, from whichever side one looks."""

from __future__ import annotations

import pytest

from tests.unit.templates.rendering import SEGMENT, compiled, mistakes, rows

ALL = ("mysql", "postgresql", "sqlite", "mssql", "oracle", "clickhouse")
PAIRS = ["--", "/*", "//", "@'", '@"', "@`", "&'", "a'", "N'", "aa", "u&", "a@", "a#"]


@pytest.mark.parametrize("dialect", ALL)
def test_no_tag_parts_what_means_something_together(dialect: str) -> None:
    """The second character begins a branch, or what follows one."""
    for pair in PAIRS:
        left, right = pair[0], pair[1]
        opened = f"SELECT 1 + {left}"
        for cut in (f"{{if lead.a}}{right}x{{end}}", f"{{if lead.a}}{{end}}{right}x"):
            assert mistakes(opened + cut, dialect, batch=False), opened + cut


@pytest.mark.parametrize(
    ("dialect", "quotes"),
    [
        *((dialect, quotes) for dialect in ALL for quotes in ("''", '""')),
        *((dialect, "``") for dialect in ("mysql", "sqlite", "clickhouse")),
        ("mssql", "[]"),
        ("sqlite", "[]"),
    ],
)
def test_no_tag_parts_two_quotes(dialect: str, quotes: str) -> None:
    """Two of them are one inside, be it of a literal or of a name."""
    opening, closing = quotes[0], quotes[1]
    template = f"SELECT {opening}a{closing}{{if lead.a}}{closing}b{closing}{{end}}"

    assert mistakes(template, dialect, batch=False)


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize(
    "inside", ["/{if lead.a}*{end}", "*{if lead.a}/{end}", "/{if lead.a}{end}* x", "/ /{if 1}*{end}"]
)
def test_in_a_comment_no_tag_parts_what_begins_or_ends_one(dialect: str, inside: str) -> None:
    """PostgreSQL, ClickHouse and SQL Server count comments in comments: the text after them would change sides."""
    found = mistakes(f"SELECT 1 /* {inside} */ , '{{lead.x}}' /* */", dialect, batch=False)

    assert "directly before a tag could" in found[0]


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize("comment", ["/* a /*/", "/* /*/ ' */", "/*/*/", "/* a /* b */", "/* {if lead.a}/*/{end}"])
def test_no_comment_begins_in_a_comment(dialect: str, comment: str) -> None:
    """Not even with the star of what ends it."""
    found = mistakes(f"SELECT 1 {comment} , '{{lead.x}}'", dialect, batch=False)

    assert any("a comment inside a comment" in one for one in found), found


def test_a_comment_may_hold_tags_and_slashes() -> None:
    query = compiled("SELECT 1 /* a / b {if lead.a}see x/y {else}* {end}*/", "postgresql", batch=False)

    assert query.render(rows({"a": 1}), SEGMENT) == ["SELECT 1 /* a / b see x/y */"]


@pytest.mark.parametrize(
    ("dialect", "template"),
    [
        ("mysql", "SELECT `a{if lead.x}b{end}`"),
        ("postgresql", 'SELECT "set_{if lead.x}config{end}"(1)'),
        ("mssql", "SELECT [a{if lead.x}b{end}]"),
        ("sqlite", 'SELECT "{for $x = lead.y}a{end}"'),
    ],
)
def test_a_name_in_quotes_stands_whole(dialect: str, template: str) -> None:
    """A name of two halves could be any name."""
    assert "a tag inside a name" in mistakes(template, dialect, batch=False)[0]


@pytest.mark.parametrize("variable", ["@'{lead.x}'", '@"{lead.x}"', "@`{lead.x}`"])
def test_no_data_names_a_variable(variable: str) -> None:
    assert "inside a variable's name" in mistakes(f"SELECT {variable}", "mysql", batch=False)[0]
    assert compiled("SELECT @'a', @`b`, '{lead.x}'", "mysql", batch=False)


@pytest.mark.parametrize("parameter", ["?", "?1", ":a", "@a", "$a", "#a", "$a::b", "@a('{lead.x}')"])
def test_sqlite_gets_no_parameters(parameter: str) -> None:
    """SQLite takes `@a(…)` for one name up to the bracket, a literal in it and what stands in that included."""
    assert "a parameter of sqlite" in mistakes(f"SELECT {parameter}", "sqlite", batch=False)[0]
    cut = f"{parameter[0]}{{if lead.y}}{{end}}{parameter[1:]}"
    assert "a parameter of sqlite" in mistakes(f"SELECT {cut}", "sqlite", batch=False)[0]


def test_a_parameter_is_refused_in_mysql_too() -> None:
    """PREPARE, by which queries are tried, takes it, and no statement that is sent as it stands does."""
    (mistake,) = mistakes("SELECT ?, '?', \"?\", `?` /* ? */, {lead.F}", "mysql", batch=False)
    assert "`?` is a parameter" in mistake


GLUED = ["1e'a'", "1.5E'a'", ".5e'a'", "1dq'[a]'", "1q'[it''s]'", "1e5n'a'", "0x'a'", "1a'b'"]


@pytest.mark.parametrize("dialect", ALL)
def test_no_quote_stands_behind_a_number_and_letters(dialect: str) -> None:
    """Older PostgreSQL and Oracle read `1E'…'` as 1 and a literal with a prefix, others as a word and a plain one."""
    for glued in GLUED:
        found = mistakes(f"SELECT {glued}, '{{lead.x}}'", dialect, batch=False)

        assert any("a quote directly after a number" in one for one in found), (glued, found)


@pytest.mark.parametrize("hint", ['/*+ QB_NAME("*/") */', "/*+ x '*/' */", "/*+ BKA(`a*/`) */", "/*+ a '*/ /* ' */"])
def test_no_quote_stands_in_a_hint(hint: str) -> None:
    """MySQL reads names in quotes there, and so does not see what ends the comment to others."""
    found = mistakes(f"SELECT {hint} '{{lead.x}}'", "mysql", batch=False)

    assert "a quote in a hint" in found[0]
    assert compiled("SELECT /*+ BKA(t1) NO_INDEX(a) */ '{lead.x}'", "mysql", batch=False)


@pytest.mark.parametrize(
    "comment", ["//* \n", "// /* \n", "// it's \n", "//{if lead.x}*{end}\n", "// {if lead.x}'{end}\n"]
)
def test_what_older_clickhouse_takes_for_no_comment_holds_nothing_that_opens_one(comment: str) -> None:
    found = mistakes(f"SELECT 1 {comment}, '{{lead.x}}' /* */", "clickhouse", batch=False)

    assert "in a `//` comment" in found[0]
    assert compiled("SELECT 1 // one\n, '{lead.x}' // two\n", "clickhouse", batch=False)


@pytest.mark.parametrize("place", ["p -{lead.n}", "p @a=-{lead.n}", "p 'a', -{number lead.n}"])
def test_exec_gets_no_number_directly_behind_a_minus(place: str) -> None:
    """Its values are constants, so that a negative one stands in no brackets: `--5` begins a comment."""
    found = mistakes(f"EXEC {place}", "mssql", batch=False, allow=frozenset({"call"}))

    assert "directly after a `-`" in found[0]


@pytest.mark.parametrize("type_", ['"MyType"', 'a."MyType"', '"a" . b', "bit varying(3)", "interval(3)"])
def test_a_type_s_name_in_quotes_is_one_too(type_: str) -> None:
    found = mistakes(f"SELECT {type_} '{{lead.x}}'", "postgresql", batch=False)

    assert "after a type's name" in found[0]
    assert compiled(f"SELECT {type_}, '{{lead.x}}', CAST('{{lead.x}}' AS {type_})", "postgresql", batch=False)


@pytest.mark.parametrize("literal", ["x'41'", "N'a'", "b'1'", " N'a'", " /* a */ x'41'"])
def test_a_literal_with_a_prefix_does_not_stand_behind_a_placeholder_either(literal: str) -> None:
    for place in ("'{lead.x}'", "'a{lead.x}'", "{lead.x} "):
        assert "directly after a placeholder" in mistakes(f"SELECT {place}{literal}", "mysql", batch=False)[0]
