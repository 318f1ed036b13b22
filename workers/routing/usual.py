"""The fast way of the usual entry onto the load: in one loop, without a call for each thing that may be true of it.

It takes entries from where it is told on, for as long as each of them is one usual event (`events/usual.py`) of a
segment that is known and wanted, has a stream id that is a time after all before it, and fits on the load as a whole.
The first that is not, or may not be, is left where it is: the router takes it the general way, and comes back.

Why the same comes out, for such an entry: the event says nothing new of its segment, so it goes where the last one
went (`routes.says_nothing_new`) and teaches nothing. It has one part, no profile that is bad, and no index to begin
at, so nothing is set aside or left out. Its id is its sequence, as `position.place` says. Its operations are put on
the load by the function that the general way uses, and the load is left at the entry where the general way would
have sent it.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from workers.events.sequence import MAX_MS, MAX_N, Sequence
from workers.events.usual import UsualEvent
from workers.lanes.chunks import Operation
from workers.routing.position import FAR_MS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence as Several

    from workers.lanes.moves import InEntry
    from workers.routing.routes import Known
    from workers.routing.transfer import Transfer


def put_usual(
    load: Transfer,
    entries: Several[tuple[bytes, InEntry]],
    events: Several[object],
    at: int,
    known: Mapping[str, Known | None],
    now_ms: int,
) -> int:
    """Puts usual entries on the load from the one at `at` on; the place of the first that it has left.

    events  what stands in each of the entries
    """
    last_ms, last_n, _ = load.sequence
    latest, start = min(now_ms + FAR_MS, MAX_MS), at
    for event in islice(events, at, None):
        if type(event) is not UsualEvent:
            break
        segment = known.get(event.segment)
        if segment is None or not segment.targets:
            break
        first, _, second = entries[at][0].partition(b"-")
        ms, n, kind, at_us = int(first), int(second), event.kind, event.at_us
        if ms > latest or n > MAX_N or ms < last_ms or (ms == last_ms and n <= last_n):
            break
        operations = [Operation(ms, n, index, kind, at_us, body) for index, body in enumerate(event.bodies)]
        if not load.add_all(segment.wanted, operations):
            break
        last_ms, last_n, at = ms, n, at + 1
        if load.is_full:
            break
    if at > start:
        load.begin(Sequence(last_ms, last_n))
        load.finish(entries[at - 1][0].decode(), at - start)
    return at
