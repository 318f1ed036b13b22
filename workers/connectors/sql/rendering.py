"""From a shipment to the statements that deliver it. Pure.

A profile that no literal can express (a NUL for PostgreSQL, text where a number is wanted) costs itself and not its
batch: all that cannot be rendered is named at once, so that the others can go without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.connectors.contract import Rejection, Unfit
from workers.errors import ErrorClass, Phase, TargetError
from workers.templates import BadRows, Oversized, SegmentView

if TYPE_CHECKING:
    from workers.connectors.contract import Group, SegmentEvent, Shipment
    from workers.templates import RowError


@dataclass(frozen=True, slots=True)
class RenderedQuery:
    """One query of a shipment.

    statements  in order; [] where none is to be sent
    unsent      statements that are not, since the list that is all of them came out empty
    """

    event_type: str
    profiles: int
    statements: list[str]
    unsent: int = 0


def render(shipment: Shipment) -> list[RenderedQuery]:
    """The queries, in the order they run, but those that have nothing to say.

    Raises Unfit, which names all profiles that cannot be rendered; TargetError where they would be too long together.
    """
    if shipment.event is not None:
        return _segment_event(shipment, shipment.event)
    rejected: list[Rejection] = []
    queries = []
    for group in shipment.groups:
        if not group.members:
            continue
        rendered = _profiles(group, shipment, rejected)
        if rendered.statements or rendered.unsent:
            queries.append(rendered)
    if rejected:
        raise Unfit(rejected)
    return queries


def is_idle(shipment: Shipment) -> bool:
    """Whether it is a segment event for which no query is configured."""
    return shipment.event is not None and shipment.event.kind not in shipment.queries


def _segment_event(shipment: Shipment, event: SegmentEvent) -> list[RenderedQuery]:
    query = shipment.queries.get(event.kind)
    if query is None:
        return []
    view = SegmentView(shipment.segment, shipment.name, event.event_time_us, event.number)
    try:
        rendered = query.render_all([], view)
    except BadRows as bad:
        raise Unfit([_rejection(event.sequence, error) for error in bad.errors]) from None
    return [RenderedQuery(event.kind.value, 0, *rendered)] if any(rendered) else []


def _profiles(group: Group, shipment: Shipment, rejected: list[Rejection]) -> RenderedQuery:
    """Renders one query; what cannot be rendered is added to `rejected`, and the rest is tried without it."""
    query, members = shipment.queries[group.kind], group.members
    last = members[-1].row
    view = SegmentView(shipment.segment, shipment.name, last.event_time_us, last.sequence)
    while members:
        try:
            rendered = query.render_all([member.row for member in members], view, shipment.size)
        except Oversized:
            reason = "the statements of so many profiles would be longer than a worker can bear"
            raise TargetError(ErrorClass.SPLIT, "segsync statement", reason, phase=Phase.RENDER) from None
        except BadRows as bad:
            at_fault = {error.index: error for error in bad.errors}
            rejected += [_rejection(members[i].sequence, error) for i, error in at_fault.items()]
            members = tuple(member for i, member in enumerate(members) if i not in at_fault)
        else:
            return RenderedQuery(group.kind.value, len(members), *rendered)
    return RenderedQuery(group.kind.value, 0, [])


def _rejection(sequence: str, error: RowError) -> Rejection:
    """The reason names the field and never its value."""
    field = f"{error.field}: " if error.field else ""
    return Rejection(sequence, error.code, field + error.reason)
