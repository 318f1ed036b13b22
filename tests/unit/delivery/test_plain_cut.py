"""What is cut column by column is what is cut one operation after the other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.delivery import batching
from workers.delivery.batch import Batch, BatchPolicy
from workers.delivery.batching import Buffer
from workers.delivery.shipping import shipment
from workers.events.event import Kind
from workers.integrations import Ordering
from workers.lanes.chunks import Operation, Retry, pack
from workers.templates import QueryKind

BODIES = [
    b'{"_id":"1","K":%s}' % key for key in (b'"a"', b'"A"', b'"b"', b"7", b'"007"', b"7.5", b'""', b"null", b"[]")
]
BODIES += [b'{"_id":"1"}', b'{"_id":"1","K":"\\u00e9"}']
ALIKE = [b'{"_id":"1","K":"strasse"}', b'{"_id":"1","K":"strase"}']
"""One row to some language's collation, and two to all others."""
OPERATION = st.tuples(
    st.sampled_from([Kind.ADD] * 4 + [Kind.REMOVE] * 3 + [Kind.SEGMENT_UPSERT]),
    st.sampled_from(BODIES[:6] * 3 + BODIES[6:]),
    st.sampled_from([None, None, 1_700_000_000_000_000]),
    st.booleans(),
)


def hand(came: list[Any], per_chunk: int) -> Buffer:
    operations = [
        Operation(1 + n // 3, n, n % 2, kind, at, body, Retry(f"e{n}", f"s{n}", 1) if retried and n % 5 == 0 else None)
        for n, (kind, body, at, retried) in enumerate(came)
    ]
    chunks = [
        pack("old" if start < len(came) // 2 else "new", operations[start : start + per_chunk])
        for start in range(0, len(operations), per_chunk)
    ]
    return Buffer("", operations[-1].sequence, "", chunks)


def cuts(came: list[Any], per_chunk: int, how: BatchPolicy) -> list[Batch]:
    held, found = hand(came, per_chunk), []
    while (batch := held.cut(how)) is not None:
        found.append(batch)
        held.settle(batch)
    return found


@example([(Kind.ADD, BODIES[0], None, False), (Kind.REMOVE, BODIES[2], None, False)], 2, 2, Ordering.STRICT)
@example([(Kind.ADD, body, None, False) for body in (*BODIES[:2], *BODIES[:2])], 4, 2, Ordering.FOLDED)
@example([(Kind.ADD, ALIKE[0], None, False), (Kind.REMOVE, ALIKE[1], None, False)] * 2, 4, 2, Ordering.FOLDED)
@given(
    st.lists(OPERATION, min_size=1, max_size=12),
    st.integers(1, 4),
    st.integers(1, 8),
    st.sampled_from([Ordering.EXACT, Ordering.FOLDED, Ordering.STRICT]),
)
def test_it_is_the_batch_that_is_cut_one_operation_after_the_other(
    came: list[Any], per_chunk: int, size: int, ordering: Ordering
) -> None:
    how = BatchPolicy(size, ("K",), ordering)
    at_once = cuts(came, per_chunk, how)
    told = [_told(batch, ordering) for batch in at_once]
    for batch in at_once:
        batch.distinct = False
    assert told == [_told(batch, ordering) for batch in at_once], "one round is what the rounds would have been"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batching, "plain_batch", lambda *_: None)
        assert at_once == cuts(came, per_chunk, how)


def _told(batch: Batch, ordering: Ordering) -> list[Any]:
    integration: Any = type(
        "_", (), {"key": "crm", "queries": dict.fromkeys(QueryKind), "fields": None, "ordering": ordering}
    )
    return [(kind, list(members)) for kind, members in shipment(integration, "7", batch).groups]


def test_profiles_alone_with_different_keys_are_one_round_and_nothing_looks_at_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.delivery.shipping.into_rounds", None)
    monkeypatch.setattr(batching, "_Cutter", None)
    came = [(kind, b'{"_id":"1","K":"%d"}' % n, None, False) for n, kind in enumerate([Kind.ADD, Kind.REMOVE] * 5)]
    (batch,) = cuts(came, 3, BatchPolicy(10, ("K",), Ordering.FOLDED))[:1]
    assert batch.distinct
    assert [kind for kind, _ in _told(batch, Ordering.FOLDED)] == [QueryKind.REMOVE, QueryKind.ADD]


@example([(Kind.ADD, b'{"_id":"1","K":"%d"}' % n, None, False) for n in range(8)], 3, 3)
@given(st.lists(OPERATION, min_size=1, max_size=12), st.integers(1, 4), st.integers(1, 4))
def test_what_is_cut_ahead_is_what_would_have_been_cut(came: list[Any], per_chunk: int, size: int) -> None:
    how = BatchPolicy(size, ("K",), Ordering.FOLDED)
    held, found = hand(came, per_chunk), []
    while (batch := held.cut(how)) is not None:
        found.append(batch)
        ahead = held.cut_ahead(batch, how)
        held.settle(batch)
        assert ahead is None or held.cut(how) is ahead
        assert ahead is None or held.cut(how) == ahead, "and once more, where it is tried again"
    assert found == cuts(came, per_chunk, how)


def test_nothing_is_cut_ahead_that_may_change() -> None:
    came = [(Kind.ADD, b'{"_id":"1","K":"%d"}' % n, None, False) for n in range(8)]
    how = BatchPolicy(3, ("K",), Ordering.FOLDED)
    held = hand(came, 3)
    batch = held.cut(how)
    assert batch is not None
    ahead = held.cut_ahead(batch, how)
    assert ahead is not None
    held.settle(batch)
    assert held.cut(how, 2) is not ahead, "another limit"
    assert held.cut_ahead(ahead, how) is None, "it is not full: more may come"

    held = hand(came, 3)
    batch = held.cut(how)
    assert batch is not None
    ahead = held.cut_ahead(batch, how)
    held.settle(batch)
    held.receive(held.to, "9" * 27, [])
    assert held.cut(how) is not ahead, "a clear has come"
