"""What is a word and what is a blank: outside of literals and comments only what all databases agree on."""

from __future__ import annotations

import sqlite3

import pytest

from tests.unit.templates.rendering import SEGMENT, compiled, mistakes, one, rows
from workers.templates.words import is_called

ALL = ("mysql", "postgresql", "sqlite", "mssql", "oracle", "clickhouse")
QUOTES = "\u2018\u2019\u201c\u201d"
BLANKS = "\xa0\u1680\u2000\u200b\u202f\u205f\u2060\u3000"
LOOKALIKES = "\uff0d\uff07\uff2e\uff08\u00aa\u2075"


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize(
    "template", ["SELECT c{odd}{{lead.x}}", "SELECT c {odd} , {{lead.x}}", "SELECT {odd}E'a', '{{lead.x}}'"]
)
def test_what_databases_read_differently_is_refused(dialect: str, template: str) -> None:
    """A quote to one is a letter to another, and so is a blank."""
    for odd in QUOTES + BLANKS + LOOKALIKES:
        found = mistakes(template.format(odd=odd), dialect, batch=False)

        assert any(f"U+{ord(odd):04X} outside of literals and comments" in one for one in found), (odd, found)


@pytest.mark.parametrize("dialect", ALL)
def test_in_literals_names_and_comments_any_character_may_stand(dialect: str) -> None:
    name = "`{}`" if dialect == "mysql" else '"{}"'
    odd = (BLANKS + LOOKALIKES + "é").replace("\uff07", "")  # Oracle may make a quote of that one
    template = f"SELECT {name.format(odd)}, '{odd}', '{{lead.x}}{odd}' /* {odd}{QUOTES} */ -- {odd}{QUOTES}\n"

    assert compiled(template, dialect, batch=False).render(rows({"x": odd}), SEGMENT)


@pytest.mark.parametrize("dialect", ALL)
def test_letters_of_any_language_make_names_where_the_database_lets_them(dialect: str) -> None:
    template = "SELECT größe, имя, 名前, {lead.x}"
    if dialect == "clickhouse":
        assert "U+00F6 outside" in mistakes(template, dialect, batch=False)[0]
    else:
        assert compiled(template, dialect, batch=False)


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("f (", True),
        ("f /* a */ -- b\n (", True),
        ("f a(", False),
        ("f", None),
        ("f /* a", None),
        ("f -- a", None),
        ("f" + " " * 2_000 + "(", True),
        ("f" + " /**/" * 500 + "x", True),
    ],
)
def test_whether_a_name_is_called_is_known_where_what_follows_is(text: str, called: bool | None) -> None:
    """In a comment a tag may stand, and behind a long blank anything: so it is taken for a call."""
    assert is_called(text, 1) is called


def test_sqlite_takes_a_typographic_quote_and_a_wide_blank_for_letters() -> None:
    """What the rule stands on, said by a database."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t (c\u2019 int, a\u3000b int)")

    assert [row[1] for row in database.execute("PRAGMA table_info(t)")] == ["c\u2019", "a\u3000b"]
    database.close()


@pytest.mark.parametrize("dialect", ["mssql", "oracle"])
def test_a_number_sign_is_a_letter_to_sql_server_and_oracle(dialect: str) -> None:
    """So `a#q'[` begins no literal that ends in `]'`."""
    assert one("a#b, {lead.x}", {"x": 1}, dialect).startswith("a#b, 1")
    assert "directly after a word" in mistakes("SELECT a#{lead.x}", dialect, batch=False)[0]


@pytest.mark.parametrize("sign", ".@#")
@pytest.mark.parametrize(("dialect", "literal"), [("postgresql", "E'a'"), ("sqlite", "x'00'"), ("clickhouse", "b'0'")])
def test_no_prefix_is_read_where_a_name_may_stand(dialect: str, literal: str, sign: str) -> None:
    assert mistakes(f"SELECT t{sign}{literal}", dialect, batch=False)


@pytest.mark.parametrize("look", ["\u2019", "\u02bc", "\uff07"])
def test_oracle_gets_no_lookalike_of_a_quote_in_the_templates_own_literals(look: str) -> None:
    """A server in an older character set makes quotes of them before it reads the statement."""
    found = mistakes(f"SELECT 'it{look}s {{lead.x}}'", "oracle", batch=False)

    assert f"U+{ord(look):04X} in a literal" in found[0]
    assert compiled(f"SELECT '{{lead.x}}' -- it{look}s\n", "oracle", batch=False)
