"""What is taken for a usual event is what `parse` reads, whatever stands in the intake."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.events.table import ROWS
from workers.errors import MalformedEvent
from workers.events import usual as module
from workers.events.event import Event, SegmentFacts
from workers.events.parsing import MAX_EVENT_BYTES, parse
from workers.events.usual import PROFILES_AT_MOST, WHOLE, UsualEvent, usual

IDS = [
    b'"a"',
    b'"\xc3\xa9"',
    *(b"7", b"0", b"-0", b"-7", b"7.0", b"7e0", b"07", b"true", b"%d" % (WHOLE - 1), b"%d" % -WHOLE, b"%d" % 2**64),
    *(b"7" * 255, b"7" * 256, b"-" + b"7" * 255),
    b'""',
    b"null",
    b'"' + b"x" * 63 + b'"',
    b'"' + b"x" * 300 + b'"',
    b'"\\u0061"',
]
VALUES = [
    *(
        b"1",
        b"-0",
        b"1e999",
        b"[[]]",
        b'{"b":{}}',
        b'"\xff"',
        b'"\\ud800"',
        b'"\\ud83d\\ude00"',
        b"01",
        b"NaN",
        b'"\x01"',
    ),
    *(b"[" * 98 + b"]" * 98, b"[" * 150 + b"]" * 150, b"7" * 4_299, b"7" * 4_301, b'"' + b"7" * 4_301 + b'"'),
]
KEYS = [b'"_id"', b'"\\u005fid"', b'"K"', b'"\xff"', b"K"]
SEGMENTS = [b'{"id":"7","name":"n"}', b'{"id":7,"tags":[]}', b'{"id":7,"groups":["a"]}', b'{"id":7,"database":"d"}']
SEGMENTS += [b'{"id":7.5}', b"{}", b'{"id":"\\u0000"}', b'{"id":""}']
MORE = [
    b',"id":1',
    b',"id":""',
    b',"at":"now"',
    b',"at":"2026-01-01"',
    b',"snapshot":1',
    b',"snapshot":null',
    b',"x":"\xff"',
    b",",
]
KINDS = [b'"clear"', b'"segment_upsert"', b'"resync"', b"7"]


def event(kind: bytes, segment: bytes, more: bytes, profiles: list[bytes]) -> bytes:
    return b'{"type":%s,"segment":%s%s,"profiles":[%s]}' % (kind, segment, more, b",".join(profiles))


def profile(dice: Random) -> bytes:
    if dice.random() < 0.8:
        pairs = [(b'"_id"', dice.choice(IDS[:1] * 5 + IDS)), (b'"K"', dice.choice(VALUES))]
        pairs += [(dice.choice(KEYS), dice.choice(IDS + VALUES))] if dice.random() < 0.3 else []
        return b"{" + b",".join(b"%s: %s" % pair for pair in pairs) + b"}"
    return dice.choice([b"7", b"null", b"[]", b"", b"{", b'{"_id":"a"}', b'{"K":1}'])


def anything(dice: Random) -> bytes:
    """Mostly a usual event but for one thing, or two."""
    return event(
        dice.choice([b'"add"', b'"remove"'] * 10 + KINDS),
        dice.choice([b'{"id":7}'] * 20 + SEGMENTS),
        dice.choice([b""] * 20 + MORE),
        [profile(dice) for _ in range(dice.randint(0, 2) or dice.randint(0, 1))],
    )


def is_equal(found: UsualEvent, data: bytes) -> bool:
    kind, bodies = found.kind, list(enumerate(found.bodies))
    read = parse(data)
    wanted = Event(read.kind, SegmentFacts(found.segment), found.at_us, read.profiles, [])
    return read == wanted and kind == int(read.kind) and bodies == [(index, body) for index, _, body in read.profiles]


@pytest.mark.parametrize("first", range(0, 4_000, 1_000))
def test_what_is_usual_is_what_is_read(first: int) -> None:
    for seed in range(first, first + 1_000):
        data = anything(Random(seed))
        found = usual(data)
        assert found is None or is_equal(found, data), seed


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"add","segment":{"id":7},"profiles":[{"_id":"a","\\u005fid":null}]}',
        b'{"type":"add","segment":{"id":7},"profiles":[{"_id":"a","n":%s}]}' % (b"7" * 4_301),
        b'{"type":"add","segment":{"id":7},"profiles":[{"_id":"a","n":%s%s}]}' % (b"[" * 100, b"]" * 100),
        b'{"type":"add","segment":{"id":7},"profiles":[{"_id":"a"}],"x":"%s"}' % (b"x" * MAX_EVENT_BYTES),
        b'{"type":"add","segment":{"id":7},"profiles":[%s]}' % b",".join([b'{"_id":"a"}'] * (PROFILES_AT_MOST + 1)),
    ],
    ids=["escaped key", "long number", "deep", "large", "many profiles"],
)
def test_what_only_looks_like_it_is_left_alone(data: bytes) -> None:
    assert usual(data) is None


@given(st.data())
def test_an_event_with_any_byte_changed(data: Any) -> None:
    """Whatever of it is broken: what is no event at all is never a usual one."""
    whole = event(b'"add"', b'{"id":7}', b"", [b'{"_id":"a","n":[1.5,{"k":"\xc3\xa9\\n"}]}'])
    at = data.draw(st.integers(0, len(whole) - 1))
    broken = whole[:at] + data.draw(st.binary(max_size=2)) + whole[at + data.draw(st.integers(0, 2)) :]
    found = usual(broken)
    assert found is None or is_equal(found, broken)


def test_of_all_that_may_stand_in_the_intake() -> None:
    for row in ROWS:
        found = usual(row.data)
        assert found is None or is_equal(found, row.data), row.name


@pytest.mark.parametrize("profile_id", ["61f0", 7, 0, -7, WHOLE - 1, 1 - WHOLE])
def test_most_events_are_usual(profile_id: str | int) -> None:
    profile = {
        "_id": profile_id,
        "CustomID": "A-17",
        "name": "Zoë",
        "more": {"a": [1, 2.5, None, True]},
        "long": "x" * 3_000,
    }
    for kind in ("add", "remove"):
        data = json.dumps({"type": kind, "segment": {"id": "7"}, "profiles": [profile] * 3, "unknown": 1}).encode()
        found = usual(data)
        assert found is not None
        assert is_equal(found, data)


def test_a_mistake_of_ours_is_left_to_the_general_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(_: object) -> Any:
        raise IndexError

    monkeypatch.setattr(module, "decode_wire", wrong)
    assert usual(event(b'"add"', b'{"id":7}', b"", [b'{"_id":"a"}'])) is None


def test_what_is_no_event_is_none() -> None:
    with pytest.raises(MalformedEvent):
        parse(b'{"type":"add"}')
    assert usual(b'{"type":"add"}') is None
