"""From a batch to what a target is told of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.contract import Group, Member, SegmentEvent, Shipment
from workers.delivery.rounds import into_rounds
from workers.events.event import Kind
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workers.connectors.contract import Positions
    from workers.delivery.batch import Batch, Keyed
    from workers.integrations import Integration
    from workers.lanes import Operation

QUERY_KINDS = {kind: QueryKind(kind.label) for kind in Kind}
"""The query that answers each kind of event."""
_ADD = int(Kind.ADD)


def shipment(
    integration: Integration,
    segment: str,
    batch: Batch,
    *,
    lane: str = "",
    positions: Positions | None = None,
    patience: float = 0.0,
) -> Shipment:
    """All of a batch that the target is to be told; `lane`, `positions` and `patience` as in Shipment."""
    return Shipment(
        integration=integration.key,
        segment=segment,
        name=batch.name,
        lane=lane,
        first=batch.first,
        last=batch.last,
        queries=integration.queries,
        groups=tuple(_groups(batch.members, integration)),
        event=None if batch.event is None else _event(batch.event),
        positions=positions,
        patience=patience,
    )


def _groups(members: Sequence[Keyed], integration: Integration) -> Iterator[Group]:
    """In the order they run: as if the operations had been taken one by one (rule 15)."""
    came = ((each.operation.kind == _ADD, each.key, each) for each in members)
    for one in into_rounds(came, integration.ordering):
        for kind, told in ((QueryKind.REMOVE, one.removes), (QueryKind.ADD, one.adds)):
            if told:
                yield Group(kind, tuple(Member(each.operation.sequence, each.row) for each in told))


def _event(event: Operation) -> SegmentEvent:
    return SegmentEvent(QUERY_KINDS[Kind(event.kind)], event.sequence, event.event_time_us, event.number)
