"""What the producers' client takes for a usual event it sends as it sends any other: to the byte, or not at all."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import segsync
from segsync import InvalidEvent


class Text(str):
    __slots__ = ()


IDS: list[Any] = [
    7,
    0,
    "7",
    "é",
    "a" * 63,
    "a" * 64,
    -1,
    2**63,
    10**300,
    True,
    None,
    7.0,
    "",
    "\x00",
    "a\u2028",
    Text("7"),
    [],
]
VALUES: list[Any] = [1, 1.5, float("nan"), 10**5000, "\ud800", 'é"\\\n', [None, {}]]
VALUES += [{"a": {1: 2}}, {(): 1}, object(), b"x", "x" * 300]
DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]
KINDS: list[Any] = ["clear", "segment_upsert", "resync", None, 7, [], Text("add")]


def given_event(dice: Random) -> dict[str, Any]:
    def mostly(usual: Any, odd: list[Any]) -> Any:
        return usual if dice.random() < 0.9 else dice.choice(odd)

    profile = {"_id": mostly("61f0", IDS), "K": dice.choice([*VALUES, "C-17", "C-18", 5, DEEP])}
    profiles = mostly([mostly(profile, [None, [], "p", {}])], [[], (profile,), [profile] * 2, None, profile])
    segment = mostly({"id": mostly(7, IDS)}, [{"id": 7, "name": "n"}, {}, {"ID": 7}, None, [7]])
    event = {"type": mostly(dice.choice(["add", "remove"]), KINDS), "segment": segment, "profiles": profiles}
    if dice.random() < 0.1:
        event |= dice.choice([{"at": "2026-01-01"}, {"id": 1}, {"unknown": None}])
    pairs = list(event.items())
    if dice.random() < 0.1:
        dice.shuffle(pairs)
    return dict(pairs[: 2 if dice.random() < 0.05 else None])


@pytest.mark.parametrize("first", range(0, 4_000, 1_000))
def test_what_is_usual_is_sent_as_any_other(first: int) -> None:
    taken = 0
    for seed in range(first, first + 1_000):
        event = given_event(Random(seed))
        usual = segsync._usual(event)
        if usual is not None:
            taken += 1
            assert segsync._written(event) == [usual], seed
    assert taken > 100


def test_a_segment_is_never_taken_for_another_that_is_equal() -> None:
    sent = []
    for segment_id in (1, "1", True, 1.0, 0, False):
        event = {"type": "add", "segment": {"id": segment_id}, "profiles": [{"_id": "a"}]}
        try:
            sent += segsync.payloads_of(event)
        except InvalidEvent:
            sent.append(b"")
    assert sent == [
        b'{"type":"add","segment":{"id":1},"profiles":[{"_id":"a"}]}',
        b'{"type":"add","segment":{"id":"1"},"profiles":[{"_id":"a"}]}',
        *(b"", b""),
        b'{"type":"add","segment":{"id":0},"profiles":[{"_id":"a"}]}',
        b"",
    ]
