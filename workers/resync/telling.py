"""What a run tells a lane: operations that stand before its mark, packed as the router packs them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.events.sequence import Sequence
from workers.lanes.chunks import MARK_INDEX, MAX_BYTES, MAX_OPERATIONS, Operation, pack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workers.events.event import Kind

MOST_UNDER_A_MARK = MARK_INDEX - 100_000
"""Operations that one mark may have before it."""


def chunks_of(
    mark: str, index: int, kind: Kind, bodies: Iterable[bytes], name: str | None = None
) -> Iterator[tuple[bytes, int]]:
    """Chunks, each with the index that comes after it.

    mark   its sequence: what is told under it has its time
    index  the first operation's
    name   the segment's
    """
    ms, n, _ = Sequence.from_text(mark)
    group: list[Operation] = []
    size = 0
    for body in bodies:
        if group and (len(group) == MAX_OPERATIONS or size + len(body) > MAX_BYTES):
            yield pack(name, group), index
            group, size = [], 0
        group.append(Operation(ms, n, index, kind, None, body))
        index += 1
        size += len(body)
    if group:
        yield pack(name, group), index
