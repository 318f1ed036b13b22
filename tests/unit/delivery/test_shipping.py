"""The order in which a batch's operations are told (rule 15)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from workers.connectors.sql.rendering import render
from workers.delivery.batch import BatchPolicy
from workers.delivery.batching import Buffer
from workers.delivery.shipping import shipment
from workers.events.event import Kind
from workers.integrations import Ordering
from workers.lanes.chunks import Operation, pack
from workers.templates import QueryKind


def told(ordering: Ordering, *given: tuple[Kind, str]) -> list[str]:
    """The queries of a batch of these, each with its keys."""
    operations = [
        Operation(1, n, 0, kind, None, b'{"_id":"%d","K":"%s"}' % (n, key.encode()))
        for n, (kind, key) in enumerate(given)
    ]
    batch = Buffer("", operations[-1].sequence, "", [pack("n", operations)]).cut(BatchPolicy(10, ("K",), ordering))
    assert batch is not None
    queries = {
        kind: SimpleNamespace(render=lambda rows, _, kind=kind: [f"{kind} {[row.profile['K'] for row in rows]}"])
        for kind in QueryKind
    }
    integration: Any = SimpleNamespace(key="crm", queries=queries, fields=None, ordering=ordering)
    return [statement for query in render(shipment(integration, "7", batch)) for statement in query.statements]


def test_removes_run_before_adds_where_they_cannot_meet() -> None:
    """A key that moves from one profile to another would else meet itself: a unique key, violated."""
    assert told(Ordering.FOLDED, (Kind.ADD, "A"), (Kind.REMOVE, "B")) == ["remove ['B']", "add ['A']"]


def test_nothing_passes_what_the_target_could_take_for_the_same_row() -> None:
    came = (Kind.ADD, "7"), (Kind.REMOVE, "007")
    assert told(Ordering.FOLDED, *came) == ["add ['7']", "remove ['007']"]
    assert told(Ordering.EXACT, *came) == ["remove ['007']", "add ['7']"]
    assert told(Ordering.STRICT, (Kind.ADD, "A"), (Kind.REMOVE, "B")) == ["add ['A']", "remove ['B']"]


def test_adds_keep_their_sequence() -> None:
    """A second unique key that z gives up and a takes: sorted by the key, a would meet it."""
    assert told(Ordering.FOLDED, (Kind.ADD, "z"), (Kind.ADD, "a")) == ["add ['z', 'a']"]
