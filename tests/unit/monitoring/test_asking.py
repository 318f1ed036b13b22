"""Workers are asked by one, for all who want to know."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.waiting import PATIENCE, until
from workers.monitoring import asking
from workers.monitoring.asking import WAITING, AskedAlready, SharedAsk
from workers.monitoring.consumers import Consumers

if TYPE_CHECKING:
    from collections.abc import Iterator

SAID = Consumers(1, {"route": 1})


def test_of_many_at_once_one_asks_and_more_than_wait_are_refused() -> None:
    asked, may_answer = list[int](), threading.Event()

    def ask() -> Consumers:
        asked.append(1)
        assert may_answer.wait(PATIENCE)
        return SAID

    shared = SharedAsk(ask)
    with ThreadPoolExecutor(WAITING) as pool:
        waiting = [pool.submit(shared) for _ in range(WAITING)]
        until(lambda: not shared._places._value)
        with pytest.raises(AskedAlready, match="wait for the workers' answer already"):
            shared()
        may_answer.set()
        assert [each.result(PATIENCE) for each in waiting] == [SAID] * WAITING
    assert (shared(), len(asked)) == (SAID, 1)


def test_an_old_answer_and_a_failure_are_not_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    said: Iterator[Consumers | OSError] = iter([OSError("the broker is away"), SAID, SAID])

    def ask() -> Consumers:
        found = next(said)
        if isinstance(found, OSError):
            raise found
        return found

    shared = SharedAsk(ask)
    with pytest.raises(OSError, match="away"):
        shared()
    assert shared() == shared() == SAID
    monkeypatch.setattr(asking, "KEPT_SECONDS", 0.0)
    assert shared() == SAID
    assert next(said, None) is None
