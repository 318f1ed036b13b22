"""What an event teaches about its segment, put on the load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.events.event import Kind
from workers.lanes.chunks import Operation
from workers.lanes.runs import BY_ENTERING
from workers.routing.routes import Wanted, kept_bytes

if TYPE_CHECKING:
    from workers.events.event import Event
    from workers.routing.routes import Judgement
    from workers.routing.transfer import Transfer


def teach(load: Transfer, segment: str, verdict: Judgement | None) -> None:
    """In the step that takes the event's first operation: what is known before says who is to be told of it."""
    if verdict is None:
        return
    if verdict.changed:
        load.learn(segment, b"" if verdict.known is None else kept_bytes(verdict.known.segment))
    for integration in verdict.entered:
        load.entered(integration, segment)
    for integration in verdict.left:
        load.left(integration, segment)
    load.asked += [(integration, segment, BY_ENTERING) for integration in verdict.asks]


def clear_behind(load: Transfer, wanted: Wanted, event: Event, verdict: Judgement | None) -> None:
    """In the step that learns that a segment is out of scope: afterwards nobody knows who has followed it.

    Behind the upsert, which is told to who is left, too; all other events are told to those alone who still follow.
    """
    (ms, n, _), kind = load.sequence, int(Kind.CLEAR)
    for integration in verdict.clears if verdict is not None else ():
        operation = Operation(ms, n, 1, kind, event.at_us, b"")
        load.add(Wanted(wanted.segment, wanted.name, (integration,)), operation)
