"""What an event teaches about its segment, put on the load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.routing.routes import kept_bytes

if TYPE_CHECKING:
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
