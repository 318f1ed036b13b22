"""From a batch to the statements that deliver it. Pure.

A profile that no literal can express (a NUL for PostgreSQL, text where a number is wanted) costs itself and not its
batch: it is set aside, and the others are rendered without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.delivery.batching import Batch, Member, Rejected
from workers.events.event import Kind
from workers.templates import BadRows, Query, QueryKind, SegmentView

if TYPE_CHECKING:
    from workers.integrations import Integration


@dataclass(frozen=True, slots=True)
class RenderedQuery:
    """One query of a batch: its statements, in order."""

    event_type: str
    profiles: int
    statements: list[str]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A batch's queries in the order they run, and what had to be set aside.

    idle  operations for which no query is configured
    """

    queries: list[RenderedQuery]
    rejected: list[Rejected]
    idle: int

    @property
    def statements(self) -> int:
        """Statements in all."""
        return sum(len(query.statements) for query in self.queries)


def render(integration: Integration, segment: str, batch: Batch) -> Rendered:
    """The statements of a batch of this segment."""
    if batch.event is not None:
        return _segment_event(integration, segment, batch)
    rejected = list(batch.rejected)
    queries = []
    for kind, members in ((QueryKind.REMOVE, batch.removes), (QueryKind.ADD, batch.adds)):
        if members:
            rendered = _profiles(integration.queries[kind], kind, segment, batch, members, rejected)
            if rendered.statements:
                queries.append(rendered)
    return Rendered(queries, rejected, 0)


def _segment_event(integration: Integration, segment: str, batch: Batch) -> Rendered:
    event = batch.event
    assert event is not None  # noqa: S101 - the caller has looked
    kind = QueryKind(Kind(event.kind).label)
    query = integration.queries.get(kind)
    if query is None:
        return Rendered([], [], 1)
    view = SegmentView(segment, batch.name, event.event_time_us, event.number)
    try:
        statements = query.render([], view)
    except BadRows as bad:
        return Rendered([], [Rejected.unusable(event, error) for error in bad.errors], 0)
    return Rendered([RenderedQuery(kind.value, 0, statements)] if statements else [], [], 0)


def _profiles(
    query: Query, kind: QueryKind, segment: str, batch: Batch, members: list[Member], rejected: list[Rejected]
) -> RenderedQuery:
    """Renders one query; what cannot be rendered moves to `rejected`."""
    last = members[-1].operation
    view = SegmentView(segment, batch.name, last.event_time_us, last.number)
    while members:
        try:
            statements = query.render([member.row for member in members], view)
        except BadRows as bad:
            at_fault = {error.index: error for error in bad.errors}
            rejected += [Rejected.unusable(members[i].operation, error) for i, error in at_fault.items()]
            members = [member for i, member in enumerate(members) if i not in at_fault]
        else:
            return RenderedQuery(kind.value, len(members), statements)
    return RenderedQuery(kind.value, 0, [])
