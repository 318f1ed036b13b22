"""The order in which a batch's operations are told (rule 15)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.json import encode

from tests.unit.templates.rendering import compiled
from workers.connectors.sql.rendering import render
from workers.delivery.batch import Batch, BatchPolicy, Keyed
from workers.delivery.batching import Buffer
from workers.delivery.shipping import shipment
from workers.errors import ErrorClass, Phase, TargetError
from workers.events.event import Kind
from workers.integrations import Ordering
from workers.lanes.chunks import Operation, pack
from workers.templates import QueryKind, Row
from workers.templates.query import Rendered


def told(ordering: Ordering, *given: tuple[Kind, str]) -> list[str]:
    """The queries of a batch of these, each with its keys."""
    operations = [
        Operation(1, n, 0, kind, None, b'{"_id":"%d","K":"%s"}' % (n, key.encode()))
        for n, (kind, key) in enumerate(given)
    ]
    batch = Buffer("", operations[-1].sequence, "", [pack("n", operations)]).cut(BatchPolicy(10, ("K",), ordering))
    assert batch is not None
    queries = {
        kind: SimpleNamespace(
            render_all=lambda rows, *_, kind=kind: Rendered([f"{kind} {[row.profile['K'] for row in rows]}"], 0)
        )
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


def test_what_is_too_long_together_is_to_be_split_and_is_nobodys_fault() -> None:
    """So much that no worker could bear it: the size of what came says so, without a look at every value."""
    long = "'" * 250_000 + "\U0001f600"
    profiles: list[dict[str, object]] = [{"K": str(n), "v": long} for n in range(20)]
    members = [
        Keyed(Operation(1, n, 0, Kind.ADD, None, encode(found)), (str(n),), Row(found, 0, n))
        for n, found in enumerate(profiles)
    ]
    many = ", '{$l.v}'" * 12
    query = compiled(f"INSERT INTO t VALUES {{for $l = $batch}}({{$l.K}}{many}){{autocomma}}{{end}}")
    integration: Any = SimpleNamespace(key="crm", queries={QueryKind.ADD: query}, fields=None, ordering=Ordering.FOLDED)
    batch = Batch(members[0].sequence, members[-1].sequence, 0, None, members=members, distinct=True)

    with pytest.raises(TargetError) as raised:
        render(shipment(integration, "7", batch))

    assert (raised.value.error_class, raised.value.phase) == (ErrorClass.SPLIT, Phase.RENDER)
    batch.members = members[:1]
    assert render(shipment(integration, "7", batch))
