"""Answers that come through Redis: for how long somebody is waited for, and how much waits."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

import segsync
from segsync import _Answer
from workers.errors import TargetError
from workers.lanes.keys import Keys
from workers.resync.answering import answers_of


class Deserted:
    """A Redis in which a reading is claimed at the second look, by who is gone at the fourth, while another lives."""

    def __init__(self) -> None:
        self.looks = 0

    def exists(self, *keys: str) -> int:
        if keys == ("ns:answering:7",):
            return 1
        self.looks += 1
        assert self.looks < 10, "the dead one is waited for, with the lane at its mark"
        return 1 if "ns:answering:7" in keys or self.looks in (2, 3) else 0

    def get(self, _: str) -> None:
        return None

    def __getattr__(self, _: str) -> Any:
        return lambda *_args, **_named: None


def test_who_has_claimed_a_reading_and_is_gone_is_not_waited_for() -> None:
    """Though another call answers for the same segment, whose word was taken for his."""
    found = answers_of(cast("Any", Deserted()), Keys("ns"), "1", "7", lambda: None)
    with pytest.raises(TargetError, match="nobody answers for the platform"):
        list(found.everything())


class Queue:
    """A Redis that keeps one answer, which nobody reads."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def get(self, _: str) -> str:
        return json.dumps({"token": "t", "run": "1"})

    def llen(self, _: str) -> int:
        return len(self.parts)

    def rpush(self, _: str, part: bytes) -> None:
        self.parts.append(part)

    def expire(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("size", "most"), [(7_900_000, 2), (1_000_000, 16), (1_000, 16), (17_000_000, 1)])
def test_an_answer_that_nobody_reads_takes_little_room(monkeypatch: pytest.MonkeyPatch, size: int, most: int) -> None:
    monkeypatch.setattr(segsync, "STUCK_SECONDS", 0.02)
    monkeypatch.setattr(segsync, "LOOK_SECONDS", 0.01)
    queue = Queue()
    answer = _Answer(queue, "ns:events", "7", None, None)
    assert [answer._put("t", bytes(size)) for _ in range(most + 1)] == [True] * most + [False]
    queue.parts.pop(0)
    assert answer._put("t", bytes(size)), "what was read makes room"


@pytest.mark.parametrize(("integration", "runs"), [(None, ["1", "3"]), ("a", ["1"]), ("a:x", [])])
def test_runs_of_a_segment_whose_id_ends_alike_are_others(integration: str | None, runs: list[str]) -> None:
    answer = _Answer(None, "ns:events", "7", integration, None)
    assert list(answer._found({b"a:7": b"1", b"a:x:7": b"2", "b:7": "3", "b:17": "4"})) == runs


class Fading:
    """What an answer has claimed, taken back between two looks at it."""

    def __init__(self) -> None:
        self.looks = iter(("ns:claimed:t", ""))

    def __get__(self, *_: object) -> str:
        return next(self.looks)

    def __set__(self, *_: object) -> None:
        pass


def test_a_claim_that_is_taken_back_meanwhile_makes_no_key_without_a_name() -> None:
    kept: list[str] = []

    class Redis:
        def eval(self, *_: object) -> int:
            return 1

        def set(self, key: str, *_: object, **__: object) -> None:
            kept.append(key)

    class Ending(_Answer):
        _claimed = Fading()

    Ending(Redis(), "ns:events", "7", None, None)._say()
    assert kept == ["ns:claimed:t"]
