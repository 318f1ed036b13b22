"""Whom bytes are about: by id, by key, by a value however it is written, and nobody else."""

from __future__ import annotations

import pytest

from workers.control.person import Person

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
    ],
)
def test_another_person_is_not(raw: bytes) -> None:
    assert not ANN.is_in(raw)


def test_nobody_is_in_nothing() -> None:
    nobody = Person(frozenset(), frozenset(), frozenset({("no",)}))
    assert not nobody.is_in(b'{"_id": "None"}')
    assert not nobody.is_named_in("None")
