"""Whom bytes are about: by id, by key, by a value however it is written, and nobody else."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from workers.connectors.audiences.normalisation import contacts
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


MOBILE = "38400000-8cf0-11bd-b23e-10b96e40000d"
SOUGHT = frozenset(
    {"ann@example.com", "cloudy.sky@gmail.com", "ann@b\u00fccher.example", "+79991234567", MOBILE, "A-1é"}
)
KNOWN = Person(frozenset(), SOUGHT, frozenset(), frozenset({"RU", "DE"}))


def digest(how: str, text: str) -> Any:
    return hashlib.new(how, text.encode(), usedforsecurity=False)


@pytest.mark.parametrize(
    "written",
    [
        *("+7 (999) 123-45-67", "007 999 123 45 67", "tel:+7-999-123-45-67", "tel:+79991234567;ext=1", "7.999.1234567"),
        *(
            "8 999 123 45 67",
            "999 123-45-67",
            "+7 999\u2011123\u201345\u00a067",
            "\uff0b\uff17\uff19\uff19\uff19\uff11\uff12\uff13\uff14\uff15\uff16\uff17",
        ),
        *(
            "call +7 999 123-45-67 after 5",
            "7 999 123 45 67, 495 1234567",
            "sms:+79991234567?body=x",
        ),
        *("ANN@EXAMPLE.COM", "mailto:ann@example.com", "MAILTO:Ann@Example.com?subject=hi", "Ann <ann@example.com>"),
        *('"Ann" <mailto:ann@example.com>', " \u200bann@example.com\ufeff", "bob@example.com; ann@example.com."),
        *(
            "https://shop.example/?to=ann%40example.com&x=1",
            "https://shop.example/?to=ann@example.com",
            "ann\uff20example.com",
        ),
        *(
            "Cloudy.Sky+shop@gmail.com",
            "mailto:cloudysky@gmail.com",
            "ann@xn--bcher-kva.example",
            "ann@B\u00dcCHER.example",
        ),
        *(MOBILE.upper(), MOBILE.replace("-", ""), "A-1e\u0301", " a-1\u00c9 "),
        *(digest("md5", "ann@example.com").hexdigest(), digest("sha256", "79991234567").hexdigest().upper()),
        *(digest("sha256", "+79991234567").hexdigest(), digest("md5", "cloudysky@gmail.com").hexdigest()),
        *(digest("sha256", MOBILE).hexdigest(), digest("sha256", MOBILE.upper()).hexdigest()),
        "sha256:" + digest("sha256", "ann@example.com").hexdigest(),
        "\\x" + digest("sha256", "ann@example.com").hexdigest(),
        base64.b64encode(digest("sha256", "ann@example.com").digest()).decode(),
        base64.urlsafe_b64encode(digest("md5", "79991234567").digest()).decode().rstrip("="),
    ],
)
def test_a_value_is_found_however_it_is_written(written: str) -> None:
    """In a field, as a name of one, in JSON within a text, in what is cut short, and in another encoding."""
    profile = {"_id": 1, "a": [{"b": written}]}
    assert KNOWN.is_in(json.dumps(profile).encode())
    assert KNOWN.is_in(json.dumps(profile, ensure_ascii=False).encode())
    assert KNOWN.is_in(json.dumps({"_id": 1, written: True}).encode())
    for deep in range(3):
        within = json.dumps(profile)
        for _ in range(deep):
            within = json.dumps({"payload": within})
        assert KNOWN.is_in(json.dumps({"type": "add", "raw": within}).encode())
    assert KNOWN.is_in(json.dumps(profile).encode("utf-16"))
    assert KNOWN.is_in(json.dumps({"a": written, "b": "x" * 9}).encode()[:-5])
    assert KNOWN.is_in(json.dumps({"a": written, "b": "x" * 9}).encode("utf-16-le")[:-8])


@pytest.mark.parametrize(
    "written",
    [
        *("joann@example.com", "ann@example.com.evil.example", "ann@example.community", "x-ann@example.com"),
        *("cloudy.skye@gmail.com", "cloudy.sky@example.com", "+1 999 123 45 67", "179991234567", "7999123.4567"),
        *("79991234568", "order 79991234567890", "79991234567@mail.example", "A-17", "A-1", "9991234567 and 12"),
        *(digest("sha256", "joann@example.com").hexdigest(), digest("sha256", "ann@example.com").hexdigest() + "0"),
        *("", "{", "\\", "%", "<>", "@", "+", "00", "mailto:", "a" * 64),
    ],
)
def test_what_only_looks_like_a_value_is_not_found(written: str) -> None:
    for raw in (json.dumps({"_id": 1, "a": written, written: 2}), json.dumps({"a": written, "b": "x" * 9})[:-5]):
        assert not KNOWN.is_in(raw.encode())


def test_who_is_sought_is_written_as_anybody_writes() -> None:
    for written in ("Ann <ANN@example.com>", "mailto:ann@example.com", digest("sha256", "ann@example.com").hexdigest()):
        sought = Person(frozenset(), frozenset({written}), frozenset())
        assert sought.is_in(b'{"_id": 1, "a": "Ann@Example.com"}'), written
        assert sought.is_in(b'{"_id": 1, "a": "mailto:ann@example.com"}'), written
        assert not sought.is_in(b'{"_id": 1, "a": "joann@example.com"}'), written
    account = Person(frozenset(), frozenset({"id12345678"}), frozenset())
    assert account.is_in(b'{"_id": 1, "vk": 12345678}')
    assert not account.is_in(b'{"_id": 1, "vk": "number 12345678"}')
    for written in ("tel:+7 999 123-45-67", "007 999 1234567", digest("md5", "79991234567").hexdigest().upper()):
        sought = Person(frozenset(), frozenset({written}), frozenset())
        assert sought.is_in(b'{"_id": 1, "a": "8 (999) 123-45-67"}'), written
    assert Person(frozenset(), frozenset({"mailto:ann@example.com"}), frozenset()).plain_values == {
        *("mailto:ann@example.com", "ann@example.com"),
    }


def test_a_number_without_its_country_is_one_of_the_regions_that_are_used() -> None:
    raw = b'{"_id": 1, "phone": "(030) 901820"}'
    values = frozenset({"+49 30 901820"})
    assert Person(frozenset(), values, frozenset(), frozenset({"DE"})).is_in(raw)
    assert not Person(frozenset(), values, frozenset(), frozenset({"RU"})).is_in(raw)
    assert not Person(frozenset(), values, frozenset()).is_in(raw)
    assert Person(frozenset(), values, frozenset()).is_in(b'{"_id": 1, "phone": "+49 (0)30 90 18 20"}')


def test_a_number_is_found_where_nothing_of_ad_accounts_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise ImportError

    monkeypatch.setattr(contacts, "_phonenumbers", away)
    contacts._e164.cache_clear()
    known = Person(frozenset(), SOUGHT, frozenset(), frozenset({"RU"}))
    assert known.is_in(b'{"_id": 1, "phone": "007 (999) 123-45-67"}')
    assert known.is_in(b'{"_id": 1, "mail": "<ann@example.com>"}')


@pytest.mark.parametrize(
    "found",
    [
        pytest.param([{"_id": "61f0"}], id="list"),
        pytest.param([{"type": "add", "profiles": [{"_id": 1, "no": "A-17"}]}], id="list of events"),
        pytest.param({"type": "add", "profiles": {"_id": "61f0"}}, id="one in place of a list"),
        pytest.param({"type": "add", "profiles": '[{"_id": "61f0"}]'}, id="a text in place of a list"),
        pytest.param('{"type": "add", "profiles": [{"_id": "61f0"}]}', id="an event in a text"),
        pytest.param(json.dumps(json.dumps([{"no": "A-17"}])), id="twice in a text"),
        pytest.param({"_id": {"$oid": "61f0"}}, id="an id in an object"),
        pytest.param({"_id": " 61f0 "}, id="blanks"),
    ],
)
def test_whose_a_profile_is_is_seen_in_an_event_of_any_shape(found: Any) -> None:
    assert ANN.is_in(json.dumps(found).encode())


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
