"""Integers are written as their digits are, the quick way or not: between quotes, as a key, and in a list."""

from __future__ import annotations

import pytest

from tests.unit.templates.rendering import SEGMENT, compiled, each, rows
from workers.templates import QueryKind
from workers.templates.literals import key_texts
from workers.templates.query import keys_of
from workers.templates.values import QUICK, key_text

DIALECTS = ("mysql", "postgresql", "sqlite", "mssql", "oracle", "clickhouse")
WHOLE = [0, 7, -7, QUICK - 1, QUICK, -QUICK, 2**64, 10**200]
PLACES = [
    "('{$lead.K}')",
    "('a {$lead.K} b')",
    "('{if $lead.K = 7 or $lead.K != 7}{$lead.K}{end}')",
    "('{$lead.K}', '{$lead.K}'){autocomma}",
    "('{$lead.K}', '{upper $lead.K}')",
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("key", [(), ("K",)], ids=["field", "key"])
@pytest.mark.parametrize("place", PLACES)
def test_between_quotes_an_integer_is_the_text_of_its_digits(dialect: str, key: tuple[str, ...], place: str) -> None:
    query = compiled(f"INSERT INTO t VALUES {{for $i, $lead = $batch}}{place}{{end}}", dialect, key=key)
    for value in WHOLE:
        as_number, as_text = (query.render(rows({"K": one}, {"K": one}), SEGMENT) for one in (value, f"{value}"))
        assert as_number == as_text, value


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_bare_key_is_the_text_of_its_digits(dialect: str) -> None:
    query = compiled("INSERT INTO t VALUES {for $i, $lead = $batch}({$lead.K}){end}", dialect, key=("K",))
    for value in WHOLE:
        as_number, as_text = (query.render(rows({"K": one}), SEGMENT) for one in (value, f"{value}"))
        assert as_number == as_text, value


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_bare_field_is_a_number(dialect: str) -> None:
    (seven,) = each("({$lead.K}, 'x')", {"K": 7}, dialect=dialect)
    assert seven.startswith("(7, ")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_list_holds_the_text_of_their_digits(dialect: str) -> None:
    query = compiled('DELETE FROM t WHERE k IN ({batch_in "K"})', dialect, QueryKind.REMOVE, key=("K",))
    as_numbers, as_texts = (
        query.render(rows(*({"K": one(value)} for value in [*WHOLE, 7])), SEGMENT) for one in (int, str)
    )
    assert as_numbers == as_texts


def test_a_key_is_the_text_of_its_digits() -> None:
    assert key_texts([*WHOLE, "a"], "K") == [*map(str, WHOLE), "a"] == [key_text(one, "K") for one in [*WHOLE, "a"]]
    assert keys_of([{"K": value} for value in WHOLE], ("K",)) == [(str(value),) for value in WHOLE]
