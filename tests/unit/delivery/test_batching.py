"""How batches are cut: the same at every try, in the order that the events describe."""

from __future__ import annotations

import json
from typing import Any

from workers.connectors.contract import Rejection
from workers.delivery.batch import Batch, BatchPolicy
from workers.delivery.batching import Buffer
from workers.events.event import Kind
from workers.integrations import Ordering
from workers.lanes.chunks import Operation, pack

KINDS = {"add": Kind.ADD, "remove": Kind.REMOVE, "clear": Kind.CLEAR, "upsert": Kind.SEGMENT_UPSERT}
BATCHED = BatchPolicy(size=1000, key=("K",), ordering=Ordering.EXACT)


def operation(n: int, word: str) -> Operation:
    """The n-th operation of a lane, from words like "add A" or "clear"."""
    kind, _, key = word.partition(" ")
    body: dict[str, Any] = {"_id": str(n), "K": key}
    if key == "?":
        del body["K"]
    return Operation(1000 + n, 0, 0, KINDS[kind], None, json.dumps(body).encode() if key else b"")


def hand(*words: str, done: int = 0, clear: int | None = None, per_chunk: int = 2, names: str = "") -> Buffer:
    operations = [operation(n, word) for n, word in enumerate(words, start=1)]
    chunks = []
    for start in range(0, len(operations), per_chunk):
        name = names[start] if names else None
        chunks.append(pack(name, operations[start : start + per_chunk]))
    settled = operations[done - 1].sequence if done else ""
    return Buffer(settled, operations[-1].sequence, operations[clear - 1].sequence if clear else "", chunks)


def cut(held: Buffer, how: BatchPolicy = BATCHED, limit: int | None = None) -> Batch:
    batch = held.cut(how, limit)
    assert batch is not None
    return batch


def keys(batch: Batch) -> tuple[list[str], list[str]]:
    """Of the removes, and of the adds, each in the order they came."""
    found = {kind: [m for m in batch.members if m.operation.kind == kind] for kind in (Kind.REMOVE, Kind.ADD)}
    removes, adds = ([str(m.row.profile["K"]) for m in members] for members in found.values())
    return removes, adds


def all_cuts(held: Buffer, how: BatchPolicy = BATCHED) -> list[tuple[int, Any]]:
    found = []
    while (batch := held.cut(how)) is not None:
        found.append((batch.taken, Kind(batch.event.kind).name if batch.event else keys(batch)))
        held.settle(batch)
    return found


def test_the_last_operation_of_a_key_wins_and_takes_its_place() -> None:
    batch = cut(hand("add C", "add B", "remove A", "remove B", "add A"))
    assert [m.key for m in batch.members] == [("C",), ("B",), ("A",)]
    assert keys(batch) == (["B"], ["C", "A"])
    assert (batch.taken, batch.merged) == (5, 2)


def test_two_profiles_sharing_a_key_end_as_the_events_say() -> None:
    """remove(1, A), add(2, A) must leave A: operations meet on the key, not on `_id` (rule 15)."""
    assert keys(cut(hand("remove A", "add A"))) == ([], ["A"])
    assert keys(cut(hand("add A", "remove A"))) == (["A"], [])


def test_61_and_the_text_61_are_one_key() -> None:
    first = Operation(1, 0, 0, Kind.ADD, None, b'{"_id":"a","K":61}')
    second = Operation(2, 0, 0, Kind.REMOVE, None, b'{"_id":"b","K":"61"}')
    batch = cut(Buffer("", second.sequence, "", [pack(None, [first, second])]))
    assert keys(batch) == (["61"], [])


def test_a_segment_event_is_a_batch_of_its_own() -> None:
    assert all_cuts(hand("add A", "upsert", "add B", "clear")) == [
        (1, ([], ["A"])),
        (1, "SEGMENT_UPSERT"),
        (1, ([], ["B"])),
        (1, "CLEAR"),
    ]


def test_a_clear_makes_adds_and_removes_before_it_moot_and_nothing_else() -> None:
    held = hand("add A", "remove B", "clear", "upsert", "add C", clear=3)
    first = cut(held)
    assert (first.taken, first.counted, first.moot, keys(first)) == (3, 1, 2, ([], []))
    assert all_cuts(held) == [(3, "CLEAR"), (1, "SEGMENT_UPSERT"), (1, ([], ["C"]))]


def test_what_a_clear_makes_moot_goes_with_it_or_not_at_all() -> None:
    """A clear may fail for ever: nothing may be settled on its word that another event parts from it."""
    parted = hand("add A", "upsert", "remove B", "clear", clear=4)
    assert all_cuts(parted) == [(1, ([], ["A"])), (1, "SEGMENT_UPSERT"), (2, "CLEAR")]


def test_nothing_is_moot_on_the_word_of_a_clear_that_is_set_aside() -> None:
    refused = hand("add A", "clear", "add B", clear=2)
    sequence = operation(2, "clear").sequence
    refused.aside = {sequence: Rejection(sequence, "code", "why")}
    assert all_cuts(refused) == [(1, ([], ["A"])), (1, ([], [])), (1, ([], ["B"]))]


def aside(held: Buffer, *numbers: int) -> None:
    sequences = [operation(n, "add A").sequence for n in numbers]
    held.aside = {sequence: Rejection(sequence, "code", "why") for sequence in sequences}


def test_what_is_set_aside_is_taken_and_nobody_is_told_of_it() -> None:
    held = hand("add A", "add B", "add ?", "add D")
    aside(held, 2, 3)
    batch = cut(held)
    assert (batch.taken, batch.counted, keys(batch)) == (4, 4, ([], ["A", "D"]))
    assert [(each.operation.ms, each.key) for each in batch.aside] == [(1002, ("B",)), (1003, None)]
    assert batch.rejected == []


def test_where_the_last_operation_of_a_key_is_set_aside_the_one_before_it_counts() -> None:
    """A good operation that was merged into one that is then refused is not lost with it."""
    held = hand("add A", "remove A", "add A")
    aside(held, 3)
    batch = cut(held)
    assert (keys(batch), batch.merged) == ((["A"], []), 1)
    aside(held, 2, 3)
    assert keys(cut(held)) == ([], ["A"])


def test_a_clear_that_is_not_in_the_hand_makes_nothing_moot() -> None:
    operations = [operation(n, word) for n, word in enumerate(("add A", "add B", "clear"), start=1)]
    held = Buffer("", operations[1].sequence, operations[2].sequence, [pack(None, operations[:2])])
    assert all_cuts(held) == [(2, ([], ["A", "B"]))]


def test_a_clear_carries_the_name_that_the_lane_had_come_to() -> None:
    batch = cut(hand("add A", "clear", clear=2, per_chunk=1, names="xy"))
    assert (batch.taken, batch.name) == (2, "y")


def test_without_a_clear_query_nothing_is_moot() -> None:
    assert all_cuts(hand("add A", "clear"))[0] == (1, ([], ["A"]))


def test_the_size_counts_operations_before_merging() -> None:
    held = hand("add A", "add A", "add A", "add B")
    assert [taken for taken, _ in all_cuts(held, BatchPolicy(2, ("K",), Ordering.EXACT))] == [2, 2]


def test_one_at_a_time_merges_nothing() -> None:
    held = hand("add A", "remove A", "add A")
    one_by_one = BatchPolicy(1, ("K",), Ordering.STRICT)
    assert all_cuts(held, one_by_one) == [
        (1, ([], ["A"])),
        (1, (["A"], [])),
        (1, ([], ["A"])),
    ]


def test_a_limit_takes_a_shorter_prefix() -> None:
    held = hand(*(f"add K{n}" for n in range(10)))
    assert [cut(held, BatchPolicy(8, ("K",), Ordering.EXACT), limit).taken for limit in (None, 9, 4, 1)] == [
        8,
        8,
        4,
        1,
    ]


def test_a_batch_knows_when_it_has_come_down_to_one() -> None:
    assert cut(hand("add A", "add B")).alone is None
    alone = cut(hand("add A", "remove A")).alone
    assert alone is not None
    assert alone.ms == 1002
    assert cut(hand("clear")).alone is not None
    assert cut(hand("add ?")).alone is None


def test_a_missing_key_is_set_aside_and_the_rest_goes_on() -> None:
    batch = cut(hand("add A", "add ?", "remove ?", "add B"))
    assert keys(batch) == ([], ["A", "B"])
    assert [(r.operation.index, r.code) for r in batch.rejected] == [(0, "missing key")] * 2
    assert batch.rejected[0].reason.startswith("K: expected a text or a number"), "which of ten fields it was"
    assert batch.taken == 4


def test_a_batch_ends_where_the_name_changes() -> None:
    held = hand("add A", "add B", "add C", "add D", names="oonn")
    first = cut(held)
    held.settle(first)
    assert (first.taken, first.name, cut(held).name) == (2, "o", "n")


def test_what_was_settled_within_a_chunk_is_not_taken_again() -> None:
    held = hand("add A", "add B", "add C", "add D", done=1)
    assert len(held) == 3
    batch = cut(held, BatchPolicy(1, ("K",), Ordering.EXACT))
    assert keys(batch) == ([], ["B"])
    assert held.beyond(batch) == {"next_ms": 1003, "held_operations": 2, "held_chunks": 1}
    held.settle(batch)
    assert len(held) == 2


def test_what_was_not_handed_out_is_not_taken() -> None:
    operations = [operation(n, f"add K{n}") for n in range(1, 4)]
    held = Buffer("", operations[1].sequence, "", [pack(None, operations)])
    assert len(held) == 2
