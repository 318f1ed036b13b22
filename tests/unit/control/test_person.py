"""Whom bytes are about: by id, by key, by a value however it is written, and nobody else."""

from __future__ import annotations

import pytest

from workers.connectors.audiences.writing import profile_name
from workers.control.person import Person, key_name

ANN = Person(frozenset({"61f0", "A-17"}), frozenset({" Ann@Example.com", "+7 (999) 123-45-67"}), frozenset({("no",)}))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"_id": "61f0"}', id="id"),
        pytest.param(b'{"_id": 1, "no": "A-17"}', id="key"),
        pytest.param(b'{"type": "add", "segment": {"id": 7}, "profiles": [{"_id": 2}, {"_id": "61f0"}]}', id="event"),
        pytest.param(b'{"_id": 1, "a": {"b": ["x", "ann@EXAMPLE.com "]}}', id="value"),
        pytest.param(b'{"_id": 1, "a": "\\u0061nn@example.com"}', id="escaped"),
        pytest.param(b'{"_id": 1, "phone": 79991234567}', id="number"),
        pytest.param(b'{"type": "add", "profiles": [{"_id": 1, "email": "ann@example.com', id="cut short"),
        pytest.param(b'{"_id": "61f0", "na', id="id of what is cut short"),
        pytest.param(b'{"_id": 1, "phone": 79991234567.0}', id="whole number with a point"),
        pytest.param(b'{"_id": 1, "phone": "8 999 123-45-67"}', id="dialled within Russia"),
        pytest.param(b'{"_id": 1, "x": NaN, "email": "\\u0061nn@example.com"}', id="NaN"),
        pytest.param(b'{"_id": 1, "x": NaN, "email": "\\u0061nn@example.com', id="escaped, cut short"),
        pytest.param(b'{"_id": 1, "phone": "8 (999) 123-45-67", "x', id="phone, cut short"),
        pytest.param(b'{"email": "ann@example.com", "x": ' + b"[" * 100_000, id="nested deep"),
        pytest.param(b'{"email": "ann@example.com", "x": ' + b"[" * 900 + b"]" * 900 + b"}", id="nested less deep"),
    ],
)
def test_what_is_about_a_person_is_found(raw: bytes) -> None:
    assert ANN.is_in(raw)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"_id": 1, "order": "A-17", "orders": [{"_id": "61f0"}]}', id="an order of the same number"),
        pytest.param(b'{"_id": "61f01", "no": "A-170", "email": "joann@example.com"}', id="longer"),
        pytest.param(b'{"_id": "261f0", "email": "joann@example.com", "x', id="longer, cut short"),
        pytest.param(b"null", id="nothing"),
        pytest.param(b'{"_id": 1, "revenue": 7999123.4567, "x": -79991234567}', id="a revenue of the same digits"),
        pytest.param(b'{"_id": 1, "revenue": "7999123.4567"}', id="a revenue as text"),
        pytest.param(b'{"_id": 1, "revenue": 7999123.4567, "x', id="a revenue, cut short"),
        pytest.param(b'{"_id": 1, "phone": 179991234567, "x', id="more digits, cut short"),
    ],
)
def test_another_person_is_not(raw: bytes) -> None:
    assert not ANN.is_in(raw)


@pytest.mark.parametrize("name", ['["A","17"]', '["A", 17]'])
def test_a_key_of_several_fields_is_compared_as_a_whole(name: str) -> None:
    both = frozenset({("shop", "nr")})
    named = Person(frozenset({name}), frozenset(), both)
    assert profile_name(("A", "17")) in named.names
    assert named.is_in(b'{"_id": 1, "shop": "A", "nr": 17}')
    assert not named.is_in(b'{"_id": 2, "shop": "B", "nr": 17}')
    assert named.is_named_in('{"missing": ["A, 17"]}'), "as a run of a resync shows it"
    assert not named.is_named_in('{"missing": ["B, 17"]}')
    assert not Person(frozenset({"17"}), frozenset(), both).is_in(b'{"_id": 1, "shop": "A", "nr": 17}')


def test_what_only_looks_like_a_key_of_several_fields_stays() -> None:
    for name in ("[", '["a",' + "[" * 100_000, "[[1]]", "[1.5]", "A-17"):
        assert key_name(name) == name


def test_nobody_is_in_nothing() -> None:
    nobody = Person(frozenset(), frozenset(), frozenset({("no",)}))
    assert not nobody.is_in(b'{"_id": "None"}')
    assert not nobody.is_named_in("None")
