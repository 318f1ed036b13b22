"""Made-up profiles: rendered by the real renderer, told apart in what comes out."""

from __future__ import annotations

import pytest

from workers.preflight.samples import DIGIT, KINDS, SEGMENT, NoSample, Samples, fields_in, profile
from workers.templates import QueryKind, compile_query


def samples(text: str, *key: str, batch: bool = True, segments: tuple[str, ...] | None = None) -> Samples:
    keys = key or ("CustomID",)
    query = compile_query(text, dialect="postgresql", kind=QueryKind.ADD, batch=batch, key=keys)
    return Samples(query, keys, *([segments] if segments else []))


LOOP = "INSERT INTO t VALUES {for $i, $x = $batch}({segment_id}, '{$x.CustomID}', '{$x.name}'){autocomma}{end}"


def test_every_field_has_a_value_that_tells_it() -> None:
    made = samples(LOOP)
    (statement,) = made.render()
    assert statement == "INSERT INTO t VALUES (7007, 'field1x', 'field2x')"
    assert fields_in("field2x", made.values) == ["name"]
    assert fields_in("crm-field1x", made.values) == ["CustomID"]
    assert fields_in("7007", made.values) == [SEGMENT]


def test_all_kinds_of_a_field_differ_from_all_others() -> None:
    made = [repr(kind(n)) for kind in KINDS[:DIGIT] for n in range(1, 40)]
    assert len(set(made)) == len(made)


def test_a_number_within_a_larger_number_is_none_of_ours() -> None:
    assert fields_in("170071", {SEGMENT: "7007"}) == []
    assert fields_in("crm-7007", {SEGMENT: "7007"}) == [SEGMENT]
    assert fields_in("7", {SEGMENT: "7"}) == [SEGMENT]
    assert fields_in("17", {SEGMENT: "7"}) == []


def test_the_field_at_a_literal_is_found() -> None:
    made = samples(LOOP)
    (statement,) = made.render()
    assert made.field_at(statement, statement.index("'field2x'") + 1) == "name"
    assert made.field_at(statement, statement.index("7007") + 1) == SEGMENT
    assert made.field_at(statement, 1) == ""
    assert made.field_at(statement, None) == ""


def test_a_bumped_field_takes_its_next_kind_and_the_others_stay() -> None:
    made = samples(LOOP)
    assert made.bump("name")
    assert made.render() == ["INSERT INTO t VALUES (7007, 'field1x', '1002')"]
    assert made.bump(SEGMENT)
    assert made.render() == ["INSERT INTO t VALUES ('segment-7007', 'field1x', '1002')"]
    assert made.bump(SEGMENT)
    assert not made.bump(SEGMENT)


def test_kinds_come_to_an_end() -> None:
    made = samples(LOOP)
    assert sum(made.bump("name") for _ in range(100)) == len(KINDS) - 1


def test_behind_the_last_kind_the_last_one_stays() -> None:
    made = samples("SELECT {for $x = $batch}'{$x.CustomID}', {if $x.name = \"a\"}1{else}2{end}{autocomma}{end}")
    assert sum(made.bump("name") for _ in range(100)) == len(KINDS)
    assert made.values["name"] == "a"
    assert made.render() == ["SELECT 'field1x', 1"]


def test_functions_and_loops_get_what_they_take() -> None:
    made = samples(
        "INSERT INTO t VALUES {for $i, $x = $batch}('{$x.CustomID}', {number $x.points}, '{date $x.born \"%Y\"}',"
        " '{for $j, $tag = $x.tags}{$tag}{end}', '{$x.address.city}', '{$x.phones[1]}'){autocomma}{end}"
    )
    (statement,) = made.render()
    assert "'field1x', 1002, '2026'," in statement
    assert "field4x" in statement
    assert statement.endswith("'field5x', 'field6x')")


def test_what_nothing_fits_is_said() -> None:
    query = (
        "INSERT INTO t VALUES {for $i, $x = $batch}('{$x.CustomID}', {number $x.a}, '{for $t = $x.a}{$t}{end}'){end}"
    )
    with pytest.raises(NoSample):
        samples(query).render()


def test_a_sparse_profile_has_its_key_alone() -> None:
    assert samples(LOOP).sparse() == ["INSERT INTO t VALUES (7007, 'field1x', NULL)"]


def test_hand_picked_segments_are_tried() -> None:
    assert samples(LOOP, segments=("vip",)).render() == ["INSERT INTO t VALUES ('vip', 'field1x', 'field2x')"]


def test_paths_become_profiles() -> None:
    made = profile({"a.b": 1, "a.c": 2, "d[1].e": 3, '["x.y"]': 4, "f": 5})
    assert made == {"a": {"b": 1, "c": 2}, "d": [{"e": 3}, {"e": 3}], "x.y": 4, "f": 5}


def test_without_a_place_values_become_short_one_by_one_the_key_last() -> None:
    made = samples(LOOP)
    assert made.bump("")
    assert made.render() == ["INSERT INTO t VALUES (7007, 'field1x', '2')"]
    assert made.bump("")
    assert made.render() == ["INSERT INTO t VALUES (7007, '1', '2')"]
    assert not made.bump("")


def test_what_a_query_compares_a_field_with_chooses_its_branches() -> None:
    """Each constant once; beside a bound a whole number on each side of it."""
    made = samples(
        'SELECT {for $x = $batch}\'{$x.CustomID}\', {if $x.age >= 18 and $x.kind = "gold"}1{elseif "silver" ='
        ' lower($x.kind) or $x.kind = "gold"}2{elseif $x.rate < 1.5 and $x.a = $x.b and $x.none = null}3{else}4'
        "{end}{autocomma}{end}"
    )
    (usual,) = made.render()
    assert usual == "SELECT 'field1x', 4"
    told = {what: ways for what, ways in made.branches() if any(ways)}
    assert list(told) == [
        "that has only its key",
        *(f"whose 'age' is {age}" for age in (18, 17, 19)),
        "whose 'kind' is 'gold'",
        "whose 'kind' is 'silver'",
        "whose 'rate' is 1.5",
    ]
    assert told["whose 'kind' is 'silver'"] == [["SELECT 'field1x', 2"]]
    assert made.values["age"] == 18


def test_a_number_that_chooses_a_branch_may_be_a_text() -> None:
    """What an equation takes for equal: a query that has the field in quotes' place is right for one of the two."""
    made = samples("SELECT {for $x = $batch}'{$x.CustomID}'{if $x.level = 3}, {$x.level}{end}{autocomma}{end}")
    (found,) = [ways for what, ways in made.branches() if what == "whose 'level' is 3"]
    assert found == [["SELECT 'field1x', 3"], ["SELECT 'field1x', '3'"]]
