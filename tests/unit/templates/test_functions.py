"""The functions, one by one."""

from __future__ import annotations

import hashlib

import pytest

from tests.unit.templates.rendering import NOON, SEGMENT, bad_rows, compiled, mistakes, one
from workers.events.numerals import Numeral
from workers.templates import Row

ANN = "ann@example.com"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("{lower lead.s}", "'straße o''b'"),
        ("{upper(lead.s)}", "'STRASSE O''B'"),
        ("{trim lead.blank}", "'x'"),
        ('{default lead.none "it\'s"}', "'it''s'"),
        ("{default lead.none 5}", "5"),
        ("{default lead.empty 5}", "''"),
        ("{default lead.none -1.50}", "(-1.50)"),
        ("{default lead.none true}", "TRUE"),
        ("{default lead.none lead.n}", "5"),
        ("{default (lower lead.none) (upper lead.blank)}", "' X '"),
        ("{md5 lead.email}", f"'{hashlib.md5(ANN.encode(), usedforsecurity=False).hexdigest()}'"),
        ("{sha256 lead.email}", f"'{hashlib.sha256(ANN.encode()).hexdigest()}'"),
        ("{sha256 (lower (trim lead.shouted))}", f"'{hashlib.sha256(ANN.encode()).hexdigest()}'"),
        ("{md5 lead.n}", f"'{hashlib.md5(b'5', usedforsecurity=False).hexdigest()}'"),
        ("{json lead.o}", '\'{"k":[1,2.50,null,true,"é\\"\'\'"]}\''),
        ("{json lead.email}", "'\"ann@example.com\"'"),
        ("'{json lead.n}'", "'5'"),
        ("{json lead.odd}", '\'{"\\ud800":"é\\u0000"}\''),
        ('{jsonpath lead.o "$.k[0]" "item"}', "1"),
        ('{jsonpath lead.o "$.k[-1]" "item"}', "'é\"'''"),
        ('{jsonpath lead.o "$.x" "item"}', "NULL"),
        ("{jsonpath(lead.o '$[\"k\"][1]' 'item')}", "2.50"),
        ('{jsonpath lead.orders "$[*].id" "array"}', "'[1,2]'"),
        ('{jsonpath lead.orders "$..id" "array"}', "'[1,2]'"),
        ('{jsonpath lead.orders "$.none" "array"}', "'[]'"),
        ('{jsonpath lead.o "$.*" "array"}', "'[[1,2.50,null,true,\"é\\\"''\"]]'"),
        ("{number lead.digits}", "7"),
        ("{number lead.n}", "5"),
        ("{number lead.o.k[1]}", "2.50"),
        ("'{number lead.digits}'", "'7'"),
        ('{date lead.day "%d.%m.%Y"}', "'01.05.1990'"),
        ('{date lead.day "%Y-%m-%d %H:%M"}', "'1990-05-01 00:00'"),
        ('{date lead.time "%Y-%m-%dT%H:%M:%S.%f%z"}', "'2026-11-21T12:00:00.250000+0000'"),
        ('{date lead.old "%F %T%z" "Europe/Berlin"}', "'1890-01-01 00:53:00+0053'"),
        ('{date lead.old "%T" "Europe/Berlin"}', "'00:53:28'"),
        ('{date lead.time "%H:%M" "Europe/Berlin"}', "'13:00'"),
        ('{date lead.naive "%H:%M" "Europe/Berlin"}', "'12:00'"),
        ('{date lead.unix "%F %T"}', "'2026-11-21 12:00:00'"),
        ('{date lead.unixms "%T.%f"}', "'12:00:00.250000'"),
        ('{date event_time "%Y%m%d %I%p %j %u %y %G-%V %%"}', "'20261121 12PM 325 6 26 2026-47 %'"),
        ('{date lead._event_time "%H:%M" "Asia/Tokyo"}', "'21:00'"),
        ("{default lead.none event_time}", "'2026-11-21 12:00:00.000000+00:00'"),
        ('{default segment_name "x"}', "'VIP'"),
        ("{default lead.none segment_id}", "7"),
    ],
)
def test_a_function_gives(call: str, expected: str) -> None:
    profile: dict[str, object] = {
        "s": "Straße O'B",
        "blank": " x ",
        "empty": "",
        "n": 5,
        "email": ANN,
        "shouted": " Ann@Example.COM\n",
        "o": {"k": [1, Numeral("2.50"), None, True, "é\"'"]},
        "orders": [{"id": 1}, {"id": 2}],
        "odd": {"\ud800": "é\0"},
        "digits": " 007 ",
        "day": "1990-05-01",
        "old": "1890-01-01T00:00:00Z",
        "time": "2026-11-21T12:00:00.25Z",
        "naive": "2026-11-21T12:00:00",
        "unix": NOON // 1_000_000,
        "unixms": Numeral(f"{NOON // 1_000_000}.25"),
    }

    assert one(call, profile) == expected


@pytest.mark.parametrize(
    "call",
    [
        "{lower lead.x}",
        "{upper lead.x}",
        "{trim lead.x}",
        "{md5 lead.x}",
        "{sha256 (lower lead.x)}",
        "{json lead.x}",
        '{jsonpath lead.x "$.a" "item"}',
        '{jsonpath lead.x "$.a" "array"}',
        "{number lead.x}",
        '{date lead.x "%Y"}',
        "{default lead.x lead.y}",
    ],
)
def test_of_null_comes_null_and_never_the_hash_of_nothing(call: str) -> None:
    assert one(f"{call}, '{call}'", {"x": None}) == "NULL, NULL"


@pytest.mark.parametrize(
    ("call", "what"),
    [
        ("{lower}", "1:9: `lower` got 0 values; write it as {lower $lead.email}"),
        ("{lower lead.a lead.b}", "1:9: `lower` got 2 values; write it as {lower $lead.email}"),
        ("{default lead.a lower lead.b}", "1:24: put brackets round the inner function, as in `(lower …)`"),
        ("{date lead.a}", '1:9: `date` got 1 value; write it as {date $lead.born "%Y-%m-%d" "Europe/Berlin"}'),
        ("{date lead.a lead.b}", "1:9: the format of `date` is a text in quotes"),
        ('{date lead.a "%B"}', "1:9: '%B' is no directive that reads the same everywhere; there is %Y"),
        ('{date lead.a "%"}', "1:9: '%' is no directive that reads the same everywhere; there is %Y"),
        ('{date lead.a "%Y" "Mars"}', '1:9: the zone of `date` is a name in quotes, as in "Europe/Berlin" or "UTC"'),
        ('{jsonpath lead.a "a" "item"}', "1:9: 'a': a JSONPath begins with `$`"),
        (
            '{jsonpath lead.a "$[?(@.a>1)]" "item"}',
            "1:9: '[?(@.a>1)]' is nothing that `jsonpath` knows: expected .name",
        ),
        ('{jsonpath lead.a "$.a[0:2]" "item"}', "1:9: '[0:2]' is nothing that `jsonpath` knows: expected .name"),
        ('{jsonpath lead.a "$..*" "array"}', "1:9: '..*' is nothing that `jsonpath` knows: expected .name"),
        (f'{{jsonpath lead.a "${".a" * 21}" "item"}}', "1:9: '.a': a JSONPath has at most 20 steps"),
        ('{jsonpath lead.a "$.a" "first"}', '1:9: `jsonpath` takes a path in quotes and "item" or "array"'),
        ('{jsonpath lead.a lead.b "item"}', '1:9: `jsonpath` takes a path in quotes and "item" or "array"'),
        ("{uper lead.a}", "1:9: unknown name 'uper'; did you mean `upper`?"),
    ],
)
def test_a_wrong_call_is_a_mistake_with_an_example(call: str, what: str) -> None:
    assert mistakes(f"SELECT {call}", batch=False)[0].startswith(what)


@pytest.mark.parametrize(
    "value", ["2026-13-01", "soon", "", True, [], 10**18, Numeral("1e300"), "0001-01-01T00:00+14:00"]
)
def test_what_is_no_time_is_the_profiles_fault(value: object) -> None:
    query = compiled('INSERT INTO t VALUES {for $x = $batch}({date $x.a "%Y" "Asia/Tokyo"}){autocomma}{end}')

    (error,) = bad_rows(query, {"a": value})

    assert (error.field, error.code) == ("a", "bad value")


@pytest.mark.parametrize("value", ["", "x", "1e", "0x10", "1,5", "+-1", "1e999", "٣", True, [1], float("nan")])
def test_what_spells_no_number_is_the_profiles_fault(value: object) -> None:
    query = compiled("INSERT INTO t VALUES {for $x = $batch}({number $x.a}){autocomma}{end}")

    (error,) = bad_rows(query, {"a": value})

    assert (error.field, error.code) == ("a", "bad value")


def test_an_event_time_beyond_the_calendar_is_the_rows_fault() -> None:
    query = compiled("INSERT INTO t VALUES {for $x = $batch}({$x._event_time}){autocomma}{end}")

    with pytest.raises(Exception, match="expected a time between the years 1 and 9999"):
        query.render([Row({}, 10**18, 1)], SEGMENT)


def test_a_deep_value_is_the_profiles_fault_and_never_overflows() -> None:
    deep: object = "x"
    for _ in range(100_000):
        deep = {"a": deep}
    values = "INSERT INTO t VALUES {for $x = $batch}"

    (written,) = bad_rows(compiled(values + "({json $x.d}){autocomma}{end}"), {"d": deep})
    (searched,) = bad_rows(compiled(values + '({jsonpath $x.d "$..b" "array"}){autocomma}{end}'), {"d": deep})

    assert written.reason == "expected fewer levels of lists and objects"
    assert searched.reason == "expected at most 100 levels of lists and objects"


def test_a_path_does_not_run_away_in_a_wide_value() -> None:
    wide = [{"a": [{"a": index} for index in range(1000)]} for _ in range(50)]
    query = compiled('INSERT INTO t VALUES {for $x = $batch}({jsonpath $x.d "$..a..a..a..a" "array"}){autocomma}{end}')

    (error,) = bad_rows(query, {"d": wide})

    assert (error.field, error.reason) == ("d", "expected a value with at most 100,000 parts for this path")


@pytest.mark.parametrize("milliseconds", [NOON // 1000, -NOON // 1000, Numeral(f"{NOON // 1000}.5")])
def test_unix_milliseconds_are_no_seconds_and_the_reason_says_so(milliseconds: object) -> None:
    query = compiled('SELECT {date lead.a "%Y"}', batch=False)

    assert "of milliseconds the last three go" in bad_rows(query, {"a": milliseconds})[0].reason


def test_digits_that_spell_no_day_are_no_time_of_long_ago() -> None:
    """Texts of milliseconds, in which Python finds a day, a letter for its T, and a time."""
    query = compiled('SELECT {date lead.a "%F"}', batch=False)

    for text in ("1764123112345", "1765010212345", "2026-11-21x10:00", "17641231-0500"):
        assert "expected a time as ISO 8601" in bad_rows(query, {"a": text})[0].reason
    for text in ("20261121", "2026-11-21", "2026-W47-6", "2026W476", "20261121T1000", "2026-11-21 10:00Z"):
        assert one('{date lead.a "%F"}', {"a": text}) == "'2026-11-21'"


def test_a_time_before_1970_is_cut_to_the_microsecond_before_it_like_any_other() -> None:
    call = '{date lead.a "%F %T.%f"}'

    assert one(call, {"a": Numeral("-0.0000015")}) == "'1969-12-31 23:59:59.999998'"
    assert one(call, {"a": Numeral("0.0000015")}) == "'1970-01-01 00:00:00.000001'"


@pytest.mark.parametrize(
    ("text", "zone"), [("0001-01-01T00:00Z", "America/New_York"), ("9999-12-31T23:00Z", "Asia/Tokyo")]
)
def test_a_time_that_its_zone_takes_out_of_the_calendar_is_told_as_that(text: str, zone: str) -> None:
    query = compiled(f'SELECT {{date lead.a "%Y" "{zone}"}}', batch=False)

    assert "between the years 1 and 9999" in bad_rows(query, {"a": text})[0].reason
