"""What only the target's tables tell of the order is asked, remembered for a while, and safe until it is known."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from workers.delivery.leases import Lease, now
from workers.delivery.orderings import ASK_AGAIN_SECONDS, ASK_EVERY_SECONDS, OrderingNotes, Orderings
from workers.errors import ErrorClass, TargetError
from workers.integrations import Integration, Ordering, Scope
from workers.lanes.keys import Keys
from workers.templates import QueryKind, compile_query
from workers.templates.row_naming import Insert, Name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis

ADD = "INSERT INTO t (k, mail) VALUES {for $l = $batch}('{$l.K}', '{$l.mail}'){autocomma}{end}"


def integration(ordering: Ordering) -> Integration:
    query = compile_query(ADD, dialect="mysql", kind=QueryKind.ADD, batch=True, key=("K",))
    return Integration(
        key="vip", connector="crm", scope=Scope("main"), key_fields=("K",), queries={QueryKind.ADD: query},
        batched=True, ordering=ordering,
    )  # fmt: skip


class Hashes:
    """What of Redis is needed."""

    def __init__(self) -> None:
        self.fields: dict[tuple[str, str], bytes] = {}

    def eval(self, _script: str, _keys: int, _nothing: str, key: str, field: str, value: str) -> None:
        self.fields[key, field] = value.encode()

    def hget(self, key: str, field: str) -> bytes | None:
        return self.fields.get((key, field))


class Asked:
    """A target whose answers are said beforehand, and the clock it is asked by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        self.answers: list[bool | TargetError] = []
        self.questions: list[tuple[Insert, Sequence[str]]] = []
        self.notes = OrderingNotes(cast("Redis", Hashes()), Keys("t"))
        self.orderings = Orderings(self._answer, self.notes, 30.0)
        monkeypatch.setattr(time, "monotonic", lambda: self.seconds)

    def _answer(self, insert: Insert, key: Sequence[str]) -> bool:
        self.questions.append((insert, key))
        answer = self.answers.pop(0)
        if isinstance(answer, TargetError):
            raise answer
        return answer

    def settled(self, of: Ordering = Ordering.CATALOG) -> Ordering:
        lease = Lease("vip", "1", "c", "deliver.crm", "t", now())
        return self.orderings.settled(integration(of), lease).ordering


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


@pytest.mark.parametrize("ordering", [Ordering.EXACT, Ordering.STRICT, Ordering.FOLDED])
def test_what_is_settled_asks_nothing(asked: Asked, ordering: Ordering) -> None:
    assert asked.settled(ordering) is ordering
    assert asked.questions == []


@pytest.mark.parametrize(("answer", "expected"), [(True, Ordering.FOLDED), (False, Ordering.STRICT)])
def test_the_target_is_asked_once_in_a_while(asked: Asked, answer: bool, expected: Ordering) -> None:
    asked.answers = [answer, not answer]
    assert asked.settled() is expected
    asked.seconds = ASK_EVERY_SECONDS - 1
    assert asked.settled() is expected
    assert len(asked.questions) == 1
    (insert, key), *_ = asked.questions
    assert (insert.table, key) == ((Name("t"),), ("K",))
    asked.seconds = ASK_EVERY_SECONDS
    assert asked.settled() is not expected


def test_until_it_can_answer_nothing_passes_anything(asked: Asked) -> None:
    asked.answers = [TargetError(ErrorClass.RETRY, "c", "away"), True]
    assert asked.settled() is Ordering.STRICT
    asked.seconds = ASK_AGAIN_SECONDS
    assert asked.settled() is Ordering.FOLDED


def test_compaction_goes_by_what_the_target_told_last(asked: Asked) -> None:
    wanted = integration(Ordering.CATALOG)
    asked.answers = [TargetError(ErrorClass.RETRY, "c", "away"), True]
    assert asked.orderings.remembered(wanted) is Ordering.STRICT
    asked.seconds = ASK_AGAIN_SECONDS
    assert asked.settled() is Ordering.FOLDED
    asked.seconds = 10 * ASK_EVERY_SECONDS
    assert asked.orderings.remembered(wanted) is Ordering.FOLDED
    assert len(asked.questions) == 2
    assert asked.orderings.remembered(integration(Ordering.EXACT)) is Ordering.EXACT


def test_what_was_told_of_other_queries_counts_no_more(asked: Asked) -> None:
    asked.answers = [True, False]
    assert asked.settled() is Ordering.FOLDED
    asked.seconds = ASK_EVERY_SECONDS
    assert asked.orderings.remembered(replace(integration(Ordering.CATALOG), key_fields=("email",))) is Ordering.STRICT
