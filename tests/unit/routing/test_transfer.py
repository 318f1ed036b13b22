"""How much goes into one chunk and one step (rule 3)."""

from __future__ import annotations

from workers.events.event import Kind
from workers.lanes.chunks import MAX_BYTES, MAX_OPERATIONS, Operation
from workers.routing.position import Position
from workers.routing.transfer import LANES_AT_MOST, Transfer, Wanted


def load(count: int, body: bytes = b"{}", *, segments: int = 1) -> Transfer:
    filled = Transfer(Position(), "")
    for n in range(count):
        filled.add(Wanted(str(n % segments), "name", ("crm",)), Operation(1, n, 0, Kind.ADD, None, body))
    return filled


def test_a_chunk_holds_a_thousand_operations() -> None:
    runs = load(2 * MAX_OPERATIONS + 1).move("me").runs
    assert [run.operations for run in runs] == [MAX_OPERATIONS, MAX_OPERATIONS, 1]


def test_a_chunk_holds_256_kilobytes() -> None:
    runs = load(10, b"x" * (MAX_BYTES // 3)).move("me").runs
    assert [run.operations for run in runs] == [2, 2, 2, 2, 2]
    assert all(len(run.chunk) <= MAX_BYTES for run in runs)


def test_a_step_touches_some_hundred_lanes() -> None:
    assert not load(LANES_AT_MOST - 1, segments=10_000).is_full
    assert load(LANES_AT_MOST, segments=10_000).is_full
