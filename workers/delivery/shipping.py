"""From a batch to what a target is told of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.contract import Group, SegmentEvent, Shipment
from workers.delivery.rounds import Round, into_rounds
from workers.events.event import Kind
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.connectors.contract import Positions
    from workers.delivery.batch import Batch, Keyed
    from workers.integrations import Integration, Ordering
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
        fields=integration.fields,
        groups=tuple(_groups(batch, integration)),
        event=None if batch.event is None else _event(batch.event),
        positions=positions,
        patience=patience,
        size=sum([len(each.operation.body) for each in batch.members]),
    )


def _groups(batch: Batch, integration: Integration) -> Iterator[Group]:
    """In the order they run: as if the operations had been taken one by one (rule 15)."""
    for one in [_one_round(batch)] if _is_one_round(batch, integration.ordering) else _rounds(batch, integration):
        for kind, told in ((QueryKind.REMOVE, one.removes), (QueryKind.ADD, one.adds)):
            if told:
                yield Group(kind, told)


def _rounds(batch: Batch, integration: Integration) -> list[Round[Keyed]]:
    came = ((each.operation.kind == _ADD, each.key, each) for each in batch.members)
    return into_rounds(came, integration.ordering)


def _is_one_round(batch: Batch, ordering: Ordering) -> bool:
    """Whether nothing in it can meet what it passes: known without a look at the keys."""
    return batch.distinct and (ordering.merges or len({each.operation.kind for each in batch.members}) == 1)


def _one_round(batch: Batch) -> Round[Keyed]:
    adds = [each for each in batch.members if each.operation.kind == _ADD]
    removes = [] if len(adds) == len(batch.members) else [e for e in batch.members if e.operation.kind != _ADD]
    return Round(removes, adds)


def _event(event: Operation) -> SegmentEvent:
    return SegmentEvent(QUERY_KINDS[Kind(event.kind)], event.sequence, event.event_time_us, event.number)
