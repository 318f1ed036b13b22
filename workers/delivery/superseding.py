"""What a settled batch means for the quarantine's open entries of its lane (rule 30). Pure.

A lane with open entries keeps a hash slot -> entry. The slot of a profile is its key, hashed, so that whatever is
delivered for the key later finds the entry and marks it superseded; segment events have slots of their own. An
operation without a usable key has none: nothing can be told to come after it but a clear.

A target may take two keys for one row, 7 and 007, and only for some of them does anybody here know. So what is
delivered under another spelling supersedes nothing, or what it did not write would be lost; it is noted for all the
keys that may be its row, and an entry that is older than that is not retried: a person decides.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from workers.delivery.key_folding import fold_key
from workers.events.event import Kind
from workers.integrations import Ordering

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from workers.delivery.batch import Batch, Key, Rejected
    from workers.lanes import Operation

_pack = msgspec.msgpack.Encoder().encode

CLEAR = "clear"
"""A refused clear: any profile delivered later supersedes it, since running it then would undo that."""
SEGMENT = "segment"
"""A refused segment_upsert or segment_delete: the next of them supersedes it."""
NO_SLOT = ""
OTHER_SPELLING = "other spelling"
"""Why an entry is open again: what came later may have been for its row."""


class NewEntry(NamedTuple):
    """An operation that goes to the quarantine.

    slot   where the entry stands while it is open; "" for a profile without a key
    since  sequence that the operation had first
    row    what its key has in common with all that may be its row; "" for a segment event, or where there is none
    later  the last sequence of the batch that was written for that row, or ""
    over   whether the batch has written its very key later: then it is superseded at once
    """

    slot: str
    entry: str
    since: str
    row: str
    later: str
    over: bool = False


class Past(NamedTuple):
    """What is known of the lane's entries, as looked up before its batch was cut.

    has_open   whether there are any: without, what was written need not be told
    since      of each entry that is retried: the sequence that it had first
    overtaken  those that are retried although something came later that may have been for their row
    """

    has_open: bool
    since: Mapping[str, str]
    overtaken: Collection[str] = ()


class Change(NamedTuple):
    """What settle.lua shall do with the lane's hash.

    retried  (slot, entry, state, code) of each operation that came out of the quarantine
    written  slots of what was committed
    rows     (row, last sequence) of what was committed, as in NewEntry
    cleared  sequence of the clear or segment_delete that was committed, or "": the one it had first, if it was
             retried. It supersedes what is older, and nothing that came after it: a profile that was refused before
             its segment's end must not come back into what has ended
    brought  sequence that the latest of the retried profiles that were delivered had first, or "": a clear that was
             refused before that is superseded, since running it now would undo it
    """

    retried: list[tuple[str, str, str, str]]
    written: list[str]
    rows: list[tuple[str, str]]
    cleared: str
    opened: list[NewEntry]
    brought: str = ""

    def packed(self) -> bytes:
        """For settle.lua; b"" where there is nothing to do."""
        return _pack(self) if any(self) else b""


def slot_of_key(key: Key) -> str:
    """20 hexadecimal digits that stand for a canonical key."""
    return hashlib.blake2b(_pack(key), digest_size=10).hexdigest()


def slots(batch: Batch, rejected: Sequence[Rejected]) -> list[str]:
    """The slot of each rejected operation."""
    if not rejected:
        return []
    keys = batch.keys()
    return [_slot(each, keys) for each in rejected]


def _slot(rejected: Rejected, keys: dict[str, Key]) -> str:
    operation = rejected.operation
    if not operation.is_profile:
        return CLEAR if operation.kind == Kind.CLEAR else SEGMENT
    key = keys.get(operation.sequence)
    return NO_SLOT if key is None else slot_of_key(key)


def change(
    batch: Batch,
    rejected: Sequence[Rejected],
    entries: Sequence[tuple[str, str] | None],
    ordering: Ordering,
    past: Past,
    *,
    idle: bool,
) -> Change:
    """What a settled batch means.

    entries   (slot, entry) of what was rejected; None for what has no entry
    ordering  EXACT: a key has no other spelling
    idle      whether no query is configured for the segment event that it is
    """
    refused = {each.operation.sequence for each in rejected}
    retried = _retried(batch, refused, past, idle=idle) if batch.retried else []
    event = None if batch.event is None or idle or refused else batch.event
    ends = event is not None and event.kind in (Kind.CLEAR, Kind.SEGMENT_DELETE)
    cleared = first_sequence(event, past.since) if event is not None and ends else ""
    rows = _rows(batch, refused, ordering, past.since) if past.has_open or entries else {}
    written = list(_written(batch, refused)) if past.has_open else []
    if past.has_open and event is not None and event.kind != Kind.CLEAR:
        written.append(SEGMENT)
    keyed = _rows(batch, refused, Ordering.EXACT, past.since) if entries else {}
    opened = list(_opened(batch, rejected, entries, ordering, rows, keyed, past.since))
    # Of two that are refused for a key the later one keeps its slot: a retry is older than its place.
    opened.sort(key=lambda each: each.since)
    brought = _brought(batch, refused, past.since) if batch.retried else ""
    return Change(retried, written, list(rows.items()) if past.has_open else [], cleared, opened, brought)


def _rows(batch: Batch, refused: set[str], ordering: Ordering, since: Mapping[str, str]) -> dict[str, str]:
    """For each row that was written: the last sequence of what was told of it; what was retried is as old as it was."""
    last: dict[str, str] = {}
    for member in batch.members:
        if member.operation.sequence not in refused:
            row = _row(member.key, ordering)
            last[row] = max(last.get(row, ""), first_sequence(member.operation, since))
    return last


def _opened(
    batch: Batch,
    rejected: Sequence[Rejected],
    entries: Sequence[tuple[str, str] | None],
    ordering: Ordering,
    rows: Mapping[str, str],
    keyed: Mapping[str, str],
    since: Mapping[str, str],
) -> Iterator[NewEntry]:
    keys = batch.keys() if rejected else {}
    for each, opened in zip(rejected, entries, strict=True):
        if opened is None:
            continue
        slot, entry = opened
        key = keys.get(each.operation.sequence)
        row = "" if key is None else _row(key, ordering)
        first = first_sequence(each.operation, since)
        yield NewEntry(slot, entry, first, row, rows.get(row, ""), over=keyed.get(slot, "") > first)


def _row(key: Key, ordering: Ordering) -> str:
    return slot_of_key(key if ordering is Ordering.EXACT else fold_key(key))


def first_sequence(operation: Operation, since: Mapping[str, str]) -> str:
    """When it came in, however often it was retried."""
    first = since.get(operation.retry.entry, "") if operation.retry is not None else ""
    return first or operation.sequence


def _written(batch: Batch, refused: set[str]) -> Iterator[str]:
    """What is retried supersedes nothing of its key: it was the entry of its slot, or had none."""
    normal = [
        member.key
        for member in batch.members
        if member.operation.retry is None and member.operation.sequence not in refused
    ]
    if normal:
        yield CLEAR
    yield from map(slot_of_key, dict.fromkeys(normal))


def _brought(batch: Batch, refused: set[str], since: Mapping[str, str]) -> str:
    """As in Change."""
    delivered = (
        first_sequence(member.operation, since)
        for member in batch.members
        if member.operation.retry is not None and member.operation.sequence not in refused
    )
    return max(delivered, default="")


def _retried(batch: Batch, refused: set[str], past: Past, *, idle: bool) -> list[tuple[str, str, str, str]]:
    """What came of each entry; of an entry that was retried twice, what came of the one that was not merged."""
    delivered = {member.operation.sequence for member in batch.members}
    if batch.event is not None and not idle:
        delivered.add(batch.event.sequence)
    found: dict[str, tuple[str, str, str, str]] = {}
    for operation in batch.retried:
        retry = operation.retry
        if retry is None:
            continue
        if operation.sequence in refused:
            state, code = "replaced", ""
        elif operation.sequence in delivered:
            state, code = "delivered", ""
        elif retry.entry in found:
            continue
        elif retry.entry in past.overtaken:
            state, code = "open", OTHER_SPELLING
        else:
            state, code = "superseded", "no query" if idle else "later operation"
        found[retry.entry] = (retry.slot, retry.entry, state, code)
    return list(found.values())
