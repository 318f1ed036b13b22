"""Events as the intake reads them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import case
from tests.unit.events.table import ROWS, SECRET, Row, Verdict
from workers.errors import MalformedEvent
from workers.events import parsing as events
from workers.events.event import Kind, SegmentFacts, raw_excerpt
from workers.events.numerals import Numeral
from workers.events.parsing import parse
from workers.events.profiles import profile

if TYPE_CHECKING:
    from collections.abc import Iterator

LONE_SURROGATE = rb'{"_id":"bad","a":"\ud800"}'


def add(*profiles: bytes) -> bytes:
    return b'{"type":"add","segment":{"id":7},"profiles":[' + b",".join(profiles) + b"]}"


def clear(**keys: object) -> bytes:
    return json.dumps({"type": "clear", "segment": {"id": 7}, **keys}).encode()


def each_row(*verdicts: Verdict) -> Iterator[Row]:
    rows = [row for row in ROWS if row.verdict in verdicts]
    assert rows
    yield from rows


def test_good() -> None:
    for row in each_row(Verdict.GOOD):
        with case(row.name):
            assert parse(row.data).bad == []


def test_a_bad_profile_goes_alone() -> None:
    for row in each_row(Verdict.BAD_PROFILE):
        with case(row.name):
            event = parse(row.data)

            (bad,) = event.bad
            assert row.says in bad.reason
            assert bad.code in {"bad id", "malformed profile"}
            assert bad.index == 1
            assert bad.raw == row.data.partition(b'{"_id":"before"},')[2].removesuffix(b',{"_id":"after"}]}')
            assert event.profiles == [(0, "before", b'{"_id":"before"}'), (2, "after", b'{"_id":"after"}')]


def test_malformed() -> None:
    for row in each_row(Verdict.MALFORMED):
        with case(row.name):
            with pytest.raises(MalformedEvent) as caught:
                parse(row.data)

            assert row.says in str(caught.value)
            assert str(caught.value).partition(": ")[0] in {"malformed", "not json", "not utf-8", "reserved"}


@pytest.mark.parametrize("row", [row for row in ROWS if SECRET.encode() in row.data], ids=lambda row: row.name)
def test_no_reason_shows_a_value(row: Row) -> None:
    assert all(SECRET not in bad.reason for bad in parse(row.data).bad)


def test_an_event() -> None:
    event = parse(
        b'{"type":"remove","at":"2026-11-21T18:30:00.5+02:00","segment":{"id":7,"name":"VIP","database":"main",'
        b'"groups":["sales",12],"tags":[]},"profiles":[{"_id":61, "a": 1.50},{"_id":"x"}]}'
    )

    assert event.kind is Kind.REMOVE
    assert event.segment == SegmentFacts("7", "VIP", "main", ("sales", "12"), ())
    assert event.at_us == 1_795_278_600_500_000
    assert event.profiles == [(0, "61", b'{"_id":61, "a": 1.50}'), (1, "x", b'{"_id":"x"}')]
    assert event.bad == []


def test_an_event_that_says_nothing_but_its_segment() -> None:
    event = parse(b'{"type":"segment_delete","segment":{"id":"a"}}')

    assert event.segment == SegmentFacts("a", None, None, None, None)
    assert event.at_us is None
    assert event.profiles == []


def test_kinds_are_stored_as_numbers_and_shown_as_types() -> None:
    assert [(kind.value, kind.label) for kind in Kind] == [
        (1, "add"),
        (2, "remove"),
        (3, "clear"),
        (4, "segment_upsert"),
        (5, "segment_delete"),
    ]


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_read_back(kind: Kind) -> None:
    assert parse(f'{{"type":"{kind.label}","segment":{{"id":7}},"profiles":[]}}'.encode()).kind is kind


def test_7_and_the_text_7_are_one_id() -> None:
    ids = [parse(add(raw)).profiles[0][1] for raw in (b'{"_id":7}', b'{"_id":"7"}')]
    segments = [parse(f'{{"type":"clear","segment":{{"id":{raw}}}}}'.encode()).segment.id for raw in ("7", '"7"')]

    assert ids == segments == ["7", "7"]


def test_a_group_named_twice_is_one() -> None:
    assert parse(b'{"type":"clear","segment":{"id":7,"groups":[7,"a","7"]}}').segment.groups == ("7", "a")


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-21T18:30:00.123456Z", datetime(2026, 11, 21, 18, 30, 0, 123456, UTC)),
        ("2026-11-21T18:30:00.1234569", datetime(2026, 11, 21, 18, 30, 0, 123456, UTC)),
        ("2026-11-21 18:30", datetime(2026, 11, 21, 18, 30, tzinfo=UTC)),
        ("2026-11-21T18:30:00,5-0130", datetime(2026, 11, 21, 20, 0, 0, 500000, UTC)),
        ("2026-11-21T01:00:00+03", datetime(2026, 11, 20, 22, tzinfo=UTC)),
        ("1969-12-31T23:59:59.999999Z", datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)),
    ],
)
def test_times_are_microseconds_in_utc(at: str, expected: datetime) -> None:
    since = expected - datetime(1970, 1, 1, tzinfo=UTC)

    assert parse(clear(at=at)).at_us == since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds


def test_a_profile_keeps_its_numbers_digits() -> None:
    raw = (
        b'{"_id":1,"a":1.50,"b":1E5,"c":0.10000000000000000001,"d":123456789012345678901234567890,"e":[true,null,"x"]}'
    )

    assert profile(raw) == {
        "_id": 1,
        "a": Numeral("1.50"),
        "b": Numeral("1E5"),
        "c": Numeral("0.10000000000000000001"),
        "d": 123456789012345678901234567890,
        "e": [True, None, "x"],
    }


def test_what_parse_calls_good_can_be_decoded() -> None:
    for row in each_row(Verdict.GOOD, Verdict.BAD_PROFILE):
        with case(row.name):
            for _, profile_id, raw in parse(row.data).profiles:
                assert str(profile(raw)["_id"]) == profile_id


def test_the_deepest_profile_can_be_decoded_deep_in_a_stack() -> None:
    raw = b'{"_id":1,"a":' + b"[" * 99 + b"]" * 99 + b"}"

    def deep(frames: int) -> dict[str, object]:
        return deep(frames - 1) if frames else profile(raw)

    assert parse(add(raw)).bad == []
    assert deep(700)["_id"] == 1


def test_a_bad_profile_says_whose_it_is_where_that_can_be_read() -> None:
    event = parse(add(LONE_SURROGATE, rb'{"_id":7,"a":"\ud800"}', rb'{"_id":"\ud800"}', rb'{"_id":1.0}'))

    assert [bad.profile_id for bad in event.bad] == ["bad", "7", None, None]


def test_a_bad_profile_leaves_the_others_their_place_and_bytes() -> None:
    good = [b'{"_id": 1,\t"a":"},]\\"[{"}', b'{"_id":"2","profiles":[{"_id":3}]}', '{"_id":"ü"}'.encode()]

    event = parse(b' {"x":{"profiles":[1]},' + add(good[0], LONE_SURROGATE, b"[]", good[1], good[2])[1:])

    assert event.profiles == [(0, "1", good[0]), (3, "2", good[1]), (4, "ü", good[2])]
    assert [(bad.index, bad.raw) for bad in event.bad] == [(1, LONE_SURROGATE), (2, b"[]")]


def test_profiles_under_an_escaped_key_are_never_mixed_up_with_others() -> None:
    escaped = rb',"\u0070rofiles":[{"_id":2}]}'
    event = parse(add(LONE_SURROGATE)[:-1] + escaped)

    assert [profile_id for _, profile_id, _ in event.profiles] == ["2"]


def test_of_profiles_that_stand_twice_the_last_count() -> None:
    event = parse(add(b'{"_id":1}')[:-1] + b',"profiles":[' + LONE_SURROGATE + b',{"_id":2}]}')

    assert [profile_id for _, profile_id, _ in event.profiles] == ["2"]
    assert [bad.index for bad in event.bad] == [0]


def test_null_after_bad_profiles_counts_as_the_last() -> None:
    with pytest.raises(MalformedEvent, match="add needs them"):
        parse(add(LONE_SURROGATE)[:-1] + b',"profiles":null}')


def test_blanks_that_json_has_not_are_not_overlooked() -> None:
    with pytest.raises(MalformedEvent, match="not json"):
        parse(add(LONE_SURROGATE, '\u00a0{"_id":1}'.encode()))


_TEXTS = st.text('aü😀 \n\0"\\[]{},:', max_size=6)
_SCALARS = st.none() | st.booleans() | st.integers() | _TEXTS
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3), max_leaves=6
)
_PROFILES = st.lists(st.dictionaries(st.sampled_from(["_id", "profiles", "a", "}"]), _VALUES, max_size=4), max_size=5)


@given(_PROFILES, st.sampled_from([None, 1]), st.booleans())
def test_one_bad_profile_changes_nothing_for_the_others(
    profiles: list[dict[str, object]], indent: int | None, ascii_only: bool
) -> None:
    """The slow way, which a half of a surrogate pair leads to, agrees with the fast one."""
    raws = [json.dumps(each, indent=indent, ensure_ascii=ascii_only).encode() for each in profiles]

    fast = parse(add(*raws))
    slow = parse(add(*raws, LONE_SURROGATE))

    assert slow.profiles == fast.profiles
    assert slow.bad[:-1] == fast.bad
    assert slow.bad[-1].raw == LONE_SURROGATE


@given(st.binary(max_size=40), st.integers(0, 90))
def test_whatever_the_bytes_nothing_but_malformed_is_raised(junk: bytes, position: int) -> None:
    event = add(b'{"_id":1,"a":[{}]}', LONE_SURROGATE)
    data = event[:position] + junk + event[position + len(junk) // 2 :]
    try:
        found = parse(data)
    except MalformedEvent:
        return
    json.loads(data)
    assert len(found.profiles) + len(found.bad) == len(json.loads(data)["profiles"])


def test_an_event_of_8_mib_is_read_and_one_byte_more_is_not() -> None:
    raw = add(b'{"_id":1,"a":""}')
    full = raw.replace(b'""', b'"' + b"x" * (events.MAX_EVENT_BYTES - len(raw)) + b'"')

    assert len(parse(full).profiles) == 1
    with pytest.raises(MalformedEvent, match=r"^too large: 8,388,609 bytes; an event is at most 8,388,608"):
        parse(full + b" ")


def test_more_profiles_than_8_mib_of_good_ones_hold_are_junk() -> None:
    with pytest.raises(MalformedEvent, match=r"profiles: expected at most 1,000,000, got 1,000,001"):
        parse(add(b"0," * 1_000_000 + b"0"))


@pytest.mark.timeout(20)
def test_unclosed_quotes_do_not_take_the_square_of_their_number() -> None:
    with pytest.raises(MalformedEvent, match="not json"):
        parse(add(b'{"_id":"' + rb"\"" * 1_000_000))


def test_an_excerpt_is_all_of_64_kib_and_the_first_4_of_more() -> None:
    whole = bytes(64 * 1024)

    assert raw_excerpt(whole) == whole
    assert raw_excerpt(whole + b"x") == bytes(4 * 1024)
