"""What a settled batch means for the entries of its lane, and how retried operations merge."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from workers.connectors.contract import Rejection
from workers.delivery.batch import Batch, BatchPolicy, Rejected
from workers.delivery.batching import Buffer
from workers.delivery.superseding import CLEAR, SEGMENT, Change, NewEntry, Past, change, slot_of_key, slots
from workers.events.event import Kind
from workers.integrations import Ordering
from workers.lanes.chunks import Operation, Retry, pack, unpack

KINDS = {"add": Kind.ADD, "remove": Kind.REMOVE, "clear": Kind.CLEAR, "upsert": Kind.SEGMENT_UPSERT}
KINDS["delete"] = Kind.SEGMENT_DELETE
SINCE = {"old": "1" * 27}
"""When the entry first came in that is retried as "old"."""
OLDEST = "0" * 27
ALL = BatchPolicy(1000, ("K",), Ordering.EXACT)


def operation(n: int, word: str) -> Operation:
    """From words like "add A", "clear" and "retry:e1 add A"."""
    *entry, kind = word.removesuffix(key := word.partition("add ")[2] or word.partition("remove ")[2]).split()
    body = json.dumps({"_id": str(n), "K": "" if key == "?" else key}).encode() if key else b""
    uid = entry[0].removeprefix("retry:") if entry else ""
    retry = Retry(uid, f"slot-{uid}", 1) if uid else None
    return Operation(1000 + n, 0, 0, KINDS[kind], None, body, retry)


def cut(
    *words: str, still_open: tuple[str, ...] = (), limit: int | None = None, ordering: Ordering = Ordering.EXACT
) -> Batch:
    operations = [operation(n, word) for n, word in enumerate(words, start=1)]
    hand = Buffer("", operations[-1].sequence, "", [pack(None, operations)])
    hand.still_open = dict.fromkeys(still_open, "")
    batch = hand.cut(replace(ALL, ordering=ordering), limit)
    assert batch is not None
    return batch


def told(
    batch: Batch,
    *rejected: Operation,
    idle: bool = False,
    has_open: bool = True,
    ordering: Ordering = Ordering.EXACT,
    overtaken: tuple[str, ...] = (),
) -> Change:
    refused = [Rejected(each, "code", "why") for each in rejected]
    entries = [(slot, f"new-{n}") for n, slot in enumerate(slots(batch, refused))]
    return change(batch, refused, entries, ordering, Past(has_open, SINCE, overtaken), idle=idle)


def keys(batch: Batch) -> tuple[list[Any], list[Any]]:
    found = {kind: [m for m in batch.members if m.operation.kind == kind] for kind in (Kind.REMOVE, Kind.ADD)}
    removes, adds = ([m.row.profile["K"] for m in members] for members in found.values())
    return removes, adds


@pytest.mark.parametrize("ordering", [Ordering.EXACT, Ordering.FOLDED, Ordering.STRICT])
@pytest.mark.parametrize("words", [("remove A", "retry:e add A"), ("retry:e add A", "remove A")])
def test_what_is_retried_loses_every_merge(words: tuple[str, ...], ordering: Ordering) -> None:
    """Also where nothing else is merged."""
    batch = cut(*words, still_open=("e",), ordering=ordering)
    assert (keys(batch), batch.merged, batch.moot) == ((["A"], []), 1, 0)
    assert told(batch).retried == [("slot-e", "e", "superseded", "later operation")]


@pytest.mark.parametrize("words", [("remove A", "retry:e add a"), ("retry:e add a", "remove A")])
@pytest.mark.parametrize("ordering", [Ordering.FOLDED, Ordering.STRICT])
def test_what_is_retried_comes_before_what_may_be_its_row(words: tuple[str, ...], ordering: Ordering) -> None:
    batch = cut(*words, still_open=("e",), ordering=ordering)
    assert [member.key for member in batch.members] == [("a",), ("A",)]


@pytest.mark.parametrize("ordering", [Ordering.EXACT, Ordering.FOLDED, Ordering.STRICT])
def test_what_is_retried_passes_no_later_word_for_its_key_whatever_else_is_merged(ordering: Ordering) -> None:
    """Where a removal before an add is no merge, and where nothing is, the retry ran after it and undid it."""
    batch = cut("remove A", "retry:e add A", "add B", still_open=("e",), ordering=ordering)
    assert keys(batch) == (["A"], ["B"])
    assert told(batch).retried == [("slot-e", "e", "superseded", "later operation")]


def test_what_something_came_after_is_not_delivered_and_ends_no_batch_elsewhere() -> None:
    words = ("add A", "retry:e add B", "add C", "clear")
    gone, current = cut(*words), cut(*words, still_open=("e",))
    assert (keys(gone), gone.moot) == (([], ["A", "C"]), 1)
    assert keys(current) == ([], ["B", "A", "C"])
    assert (gone.taken, gone.last, gone.counted) == (current.taken, current.last, current.counted)


def test_a_retried_segment_event_that_is_overtaken_takes_its_place_and_does_nothing() -> None:
    batch = cut("retry:e clear", "add A")
    assert (batch.taken, batch.event, batch.moot) == (1, None, 1)
    batch = cut("retry:e clear", "add A", still_open=("e",))
    assert batch.event is not None
    assert told(batch).retried == [("slot-e", "e", "delivered", "")]


@pytest.mark.parametrize("ordering", [Ordering.EXACT, Ordering.FOLDED, Ordering.STRICT])
def test_of_an_entry_retried_twice_in_a_batch_one_is_delivered(ordering: Ordering) -> None:
    batch = cut("retry:e add A", "retry:e add A", still_open=("e",), ordering=ordering)
    assert keys(batch) == ([], ["A"])
    assert told(batch).retried == [("slot-e", "e", "delivered", "")]


def test_what_is_refused_again_is_replaced() -> None:
    batch = cut("retry:e add A", still_open=("e",))
    found = told(batch, batch.members[0].operation)
    assert found.retried == [("slot-e", "e", "replaced", "")]
    slot = slot_of_key(("A",))
    assert found.opened == [NewEntry(slot, "new-0", batch.members[0].operation.sequence, slot, "")]
    assert found.written == []


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_that_are_refused_for_a_key_the_later_one_keeps_its_slot(first: int) -> None:
    """What is opened last does, and what was retried is as old as when it first came in."""
    operations = [operation(n, word) for n, word in enumerate(("add A", "retry:old add A"), start=1)]
    hand = Buffer("", operations[-1].sequence, "", [pack(None, operations)])
    hand.still_open = {"old": OLDEST}
    hand.aside = {each.sequence: Rejection(each.sequence, "code", "why") for each in operations}
    batch = hand.cut(ALL)
    assert batch is not None
    assert len(batch.aside) == 2
    refused = batch.aside if first == 0 else batch.aside[::-1]
    entries = [(slot, each.operation.sequence) for slot, each in zip(slots(batch, refused), refused, strict=True)]
    found = change(batch, refused, entries, Ordering.EXACT, Past(True, hand.still_open), idle=False)
    assert [each.entry for each in found.opened] == [operations[1].sequence, operations[0].sequence]


def test_what_was_written_is_told_only_where_entries_are_open() -> None:
    batch = cut("add A", "remove B")
    assert told(batch).written == [CLEAR, slot_of_key(("A",)), slot_of_key(("B",))]
    found = told(batch, has_open=False)
    assert not any(found)
    assert found.packed() == b""


def test_what_was_refused_was_not_written() -> None:
    batch = cut("add A", "add B")
    found = told(batch, batch.members[0].operation)
    assert found.written == [CLEAR, slot_of_key(("B",))]


def test_an_operation_without_key_has_no_slot() -> None:
    batch = cut("add ?", "add B")
    found = told(batch, batch.rejected[0].operation)
    assert [each.slot for each in found.opened] == [""]


def test_segment_events_have_slots_of_their_own() -> None:
    upsert, clear = cut("upsert"), cut("clear")
    assert (upsert.event, clear.event) != (None, None)
    assert told(upsert).written == [SEGMENT]
    assert clear.event is not None
    assert upsert.event is not None
    assert told(clear).cleared == clear.event.sequence
    assert told(upsert, upsert.event).opened == [NewEntry(SEGMENT, "new-0", upsert.event.sequence, "", "")]
    refused = [NewEntry(CLEAR, "new-0", clear.event.sequence, "", "")]
    assert told(clear, clear.event) == Change([], [], [], "", refused)
    assert not any(told(clear, idle=True)), "without a query nothing was cleared"


def test_the_end_of_a_segment_supersedes_what_is_older_of_its_profiles_and_its_names() -> None:
    batch = cut("delete")
    assert batch.event is not None
    found = told(batch)
    assert (found.cleared, found.written) == (batch.event.sequence, [SEGMENT])
    assert not any(told(batch, idle=True)), "without a query the target was told of no end"


def test_a_retried_clear_is_as_old_as_when_it_first_came() -> None:
    """Else it would supersede, for good, what was refused after it and before it was retried."""
    later = operation(9, "clear")
    retried = Operation(later.ms, 0, 0, later.kind, None, b"", Retry("old", "clear", 1))
    held = Buffer("", retried.sequence, "", [pack(None, [retried])])
    held.still_open = SINCE
    batch = held.cut(ALL)
    assert batch is not None
    assert told(batch).cleared == SINCE["old"]


def test_the_latest_of_what_is_retried_says_which_refused_clear_it_supersedes() -> None:
    batch = cut("add C", "retry:old add A", "retry:e add B", still_open=("old", "e"))
    assert told(batch).brought == SINCE["old"]
    refused = next(each for each in batch.retried if each.sequence != operation(3, "add B").sequence)
    assert told(batch, refused).brought == operation(3, "add B").sequence
    assert told(cut("add C")).brought == ""


def test_slots_keep_keys_apart_and_hide_them() -> None:
    found = {slot_of_key(key) for key in [("a", "b"), ("ab",), ("a", "", "b"), ("A", "b"), ("a", "b ")]}
    assert len(found) == 5
    assert all(len(slot) == 20 for slot in found)


def test_chunks_of_before_can_be_read() -> None:
    old = (1, 2, 3, 1, None, b"{}")
    header = operation(1, "add A").sequence * 2 + "000001"
    name, (read,) = unpack(header.encode() + msgspec.msgpack.encode(("VIP", [old])))
    assert (name, read) == ("VIP", Operation(1, 2, 3, 1, None, b"{}", None))


def test_a_retry_travels_in_a_chunk() -> None:
    sent = operation(1, "retry:e add A")
    assert unpack(pack(None, [sent]))[1] == [sent]


@pytest.mark.parametrize("ordering", [Ordering.FOLDED, Ordering.STRICT, Ordering.EXACT])
def test_what_may_be_one_row_is_told_as_one_row_unless_the_file_says_otherwise(ordering: Ordering) -> None:
    batch = cut("add 7", "add 007", "add 8", ordering=ordering)
    rows = told(batch, ordering=ordering).rows
    assert len(rows) == (3 if ordering is Ordering.EXACT else 2)
    assert batch.members[1].operation.sequence in [last for _, last in rows]


@pytest.mark.parametrize(("words", "refused", "later"), [(("add 7", "add 007"), 0, 1), (("add 007", "add 7"), 1, 0)])
def test_what_is_written_of_its_row_in_the_batch_that_refuses_it_is_told_with_it(
    words: tuple[str, ...], refused: int, later: int
) -> None:
    """Whether that is later or not: who looks compares it with the entry's own sequence."""
    batch = cut(*words, ordering=Ordering.STRICT)
    members = batch.members
    found = told(batch, members[refused].operation, has_open=False, ordering=Ordering.STRICT)
    (entry,) = found.opened
    assert (entry.since, entry.later) == (members[refused].operation.sequence, members[later].operation.sequence)
    assert found.rows == [], "the lane had no entries before"


def test_what_was_overtaken_under_another_spelling_is_open_again() -> None:
    batch = cut("retry:e add A", ordering=Ordering.STRICT)
    assert batch.members == []
    found = told(batch, ordering=Ordering.STRICT, overtaken=("e",))
    assert found.retried == [("slot-e", "e", "open", "other spelling")]


def test_what_is_retried_is_as_old_for_its_row_as_when_it_first_came() -> None:
    batch = cut("retry:old add 007", still_open=("old",), ordering=Ordering.STRICT)
    ((_, last),) = told(batch, ordering=Ordering.STRICT).rows
    assert last == SINCE["old"]
