"""Truth, comparisons, brackets and chains."""

from __future__ import annotations

import pytest

from tests.unit.templates.rendering import bad_rows, compiled, each, one
from workers.events.numerals import Numeral


def holds(condition: str, **profile: object) -> bool:
    """Whether a condition holds for a profile."""
    return one(f"{{if {condition}}}1{{else}}0{{end}}", profile) == "1"


@pytest.mark.parametrize("value", [None, False, "", [], {}])
def test_what_is_missing_or_empty_is_false(value: object) -> None:
    assert not holds("lead.a", a=value)


@pytest.mark.parametrize("value", [0, Numeral("0.0"), "0", "false", " ", [0], {"a": None}, True])
def test_everything_else_is_true_zero_too(value: object) -> None:
    assert holds("lead.a", a=value)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("lead.n = 5", True),
        ("lead.n == 5.0", True),
        ("lead.n equal 5", True),
        ('lead.n = "5"', True),
        ('lead.n = "5.0"', False),
        ("lead.d = 1", True),
        ("lead.d > 0.9999999999999999999999", True),
        ("lead.d < 1.0000000000000000000001", True),
        ("lead.n != 4", True),
        ("lead.n <> 5", False),
        ("lead.n < 10", True),
        ("lead.n <= 5", True),
        ("lead.n > 5", False),
        ("lead.n >= 5", True),
        ('lead.t < "b"', True),
        ('lead.t = "a"', True),
        ("lead.yes = true", True),
        ('lead.yes = "true"', True),
        ("lead.none = null", False),
        ("lead.none != null", True),
        ("lead.none = 5", False),
        ("lead.none != 5", True),
        ("lead.none < 5", False),
        ("lead.none >= 5", False),
        ('lead.tags contains "x"', True),
        ('lead.tags contains "z"', False),
        ("lead.tags contains 1", True),
        ('lead.tags contains "1"', True),
        ('"x" in lead.tags', True),
        ("lead.t in lead.tags", False),
        ('lead.word contains "ello"', True),
        ('"ello" in lead.word', True),
        ('lead.o contains "k"', True),
        ('lead.none contains "x"', False),
        ("lead.tags contains lead.none", False),
        ("not lead.none", True),
        ("not not lead.none", False),
        ("lead.n and lead.t and lead.yes and lead.d", True),
        ("lead.none or lead.none or lead.t", True),
        ("lead.t or lead.none and lead.none", True),
        ("(lead.t or lead.none) and lead.none", False),
        ("not lead.none and lead.t", True),
        ('"par1"', True),
        ('""', False),
        ('lead.n = 5 and (lead.t = "a" and (lead.yes))', True),
        ('lower(lead.word) = "hello"', True),
        ('upper lead.t equal "A"', True),
        ("lead.o.k[0] = 7", True),
        ('lead["odd name"] = 1', True),
        ("segment_id = 7", True),
        ('segment_name = "VIP"', True),
    ],
)
def test_comparisons(condition: str, *, expected: bool) -> None:
    profile: dict[str, object] = {
        "n": 5,
        "d": Numeral("1.0"),
        "t": "a",
        "yes": True,
        "tags": ["x", 1],
        "word": "Hello",
        "o": {"k": [7]},
        "odd name": 1,
    }

    assert holds(condition, **profile) is expected


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("$x.a < 5", "4"),
        ("$x.a >= 5", True),
        ("$x.a < 5", [1]),
        ('$x.a > "a"', {}),
        ('$x.a contains "1"', 15),
        ('"1" in $x.a', True),
    ],
)
def test_what_cannot_be_compared_is_the_profiles_fault(condition: str, value: object) -> None:
    query = compiled(f"INSERT INTO t VALUES {{for $x = $batch}}({{if {condition}}}1{{end}}){{autocomma}}{{end}}")

    (error,) = bad_rows(query, {}, {"a": value})

    assert (error.index, error.field, error.code) == (1, "a", "bad value")


def test_the_first_branch_that_holds_is_taken() -> None:
    body = "({if $lead.n < 1}0{elseif $lead.n < 2}1{elseif $lead.n < 3}2{else}3{end}){autocomma}"

    assert each(body, {"n": 0}, {"n": 1}, {"n": 2}, {"n": 9}, {}) == ["(0),(1),(2),(3),(3)"]


def test_paths_that_lead_nowhere_are_missing() -> None:
    assert one("{lead.a.b}, {lead.a[0]}, {lead.l[5]}, {lead.l.x}, {lead.t.x}", {"a": 1, "l": [1], "t": "x"}) == (
        "NULL, NULL, NULL, NULL, NULL"
    )


def test_blanks_and_line_breaks_are_free_inside_a_tag() -> None:
    assert one("{ \n lead . a \t }, { default( lead.b , 'it''' ) }".replace("'it'''", '"x"'), {"a": 1}) == "1, 'x'"
