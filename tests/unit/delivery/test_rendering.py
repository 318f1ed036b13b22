"""The order in which a batch's queries run (rule 15)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from workers.delivery.batching import BatchPolicy, Buffer
from workers.delivery.rendering import render
from workers.events.event import Kind
from workers.lanes.chunks import Operation, pack
from workers.templates import QueryKind


def test_removes_run_before_adds() -> None:
    """A key that moves from one profile to another would else meet itself: a unique key, violated (rule 15)."""
    given = [
        Operation(1, 1, 0, Kind.ADD, None, b'{"_id":"2","K":"A"}'),
        Operation(1, 2, 0, Kind.REMOVE, None, b'{"_id":"1","K":"B"}'),
    ]
    batch = Buffer("", given[-1].sequence, "", [pack("n", given)]).cut(BatchPolicy(10, ("K",), merges=True))
    queries = {kind: SimpleNamespace(render=lambda *_, kind=kind: [kind.value]) for kind in QueryKind}
    integration: Any = SimpleNamespace(queries=queries)
    assert batch is not None

    rendered = render(integration, "7", batch)

    assert [query.event_type for query in rendered.queries] == ["remove", "add"]
