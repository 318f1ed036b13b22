"""How much goes into one chunk and one step (rule 3)."""

from __future__ import annotations

from workers.events.event import Kind
from workers.lanes.chunks import MAX_BYTES, MAX_OPERATIONS, Operation, Retry
from workers.routing.position import Position
from workers.routing.routes import Wanted
from workers.routing.transfer import LANES_AT_MOST, Transfer

WANTED = Wanted("7", "name", ("crm", "other"))


def event(count: int, body: bytes = b"{}", n: int = 1) -> list[Operation]:
    return [Operation(1, n, index, Kind.ADD, None, body) for index in range(count)]


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


def test_a_step_touches_some_thousand_lanes() -> None:
    assert not load(LANES_AT_MOST - 1, segments=10_000).is_full
    assert load(LANES_AT_MOST, segments=10_000).is_full


def test_an_event_that_goes_in_as_a_whole_is_what_its_operations_are_one_by_one() -> None:
    whole, each = Transfer(Position(), ""), Transfer(Position(), "")
    for n in range(5):
        assert whole.add_all(WANTED, event(300, n=n))
        for operation in event(300, n=n):
            each.add(WANTED, operation)
    assert (whole.size - 800 * 2 * 2, whole.move("me").operations) == (each.size - 800 * 2 * 2, 1500)
    assert [run.operations for run in whole.move("me").runs] == [900, 600], "no event is cut that need not be"
    assert [run.integrations for run in whole.move("me").runs] == [("crm", "other")] * 2


def test_an_event_that_does_not_fit_as_a_whole_leaves_the_load_as_it_was() -> None:
    for operations in (event(MAX_OPERATIONS + 1), event(4, b"x" * (MAX_BYTES // 3))):
        filled = Transfer(Position(), "")
        assert not filled.add_all(WANTED, operations)
        assert not filled.move("me").runs
    small = Transfer(Position(), "", budget=1_000)
    assert small.add_all(WANTED, event(20)), "one at least goes, or nothing ever would"
    assert not small.add_all(WANTED, event(20))
    assert not load(LANES_AT_MOST, segments=10_000).add_all(WANTED, event(1))
    assert load(LANES_AT_MOST, segments=10_000).add_all(Wanted("3", "name", ("crm",)), event(1)), (
        "a lane it has already"
    )


def test_what_comes_out_of_the_quarantine_shares_no_chunk_with_what_does_not() -> None:
    filled = Transfer(Position(), "")
    filled.add(WANTED, Operation(1, 0, 0, Kind.ADD, None, b"{}", Retry("entry", "slot", 1)))
    assert filled.add_all(WANTED, event(1))
    assert [run.kept for run in filled.move("me").runs] == [True, False]
    renamed = Wanted("7", "other name", WANTED.targets)
    assert filled.add_all(renamed, event(1))
    assert [run.operations for run in filled.move("me").runs] == [1, 1, 1]
