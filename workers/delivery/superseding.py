"""What a settled batch means for the quarantine's open entries of its lane (rule 30). Pure.

A lane with open entries keeps a hash slot -> entry. The slot of a profile is its key, hashed, so that whatever is
delivered for the key later finds the entry and marks it superseded; segment events have slots of their own. An
operation without a usable key has none: nothing can be told to come after it but a clear. Keys are compared as
batches compare them, letter by letter: what a target alone takes for one key stays two.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from workers.events.event import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from workers.delivery.batch import Batch, Key, Rejected
    from workers.lanes import Operation

_pack = msgspec.msgpack.Encoder().encode

CLEAR = "clear"
"""A refused clear: any profile delivered later supersedes it, since running it then would undo that."""
SEGMENT = "segment"
"""A refused segment_upsert or segment_delete: the next of them supersedes it."""
NO_SLOT = ""


class Change(NamedTuple):
    """What settle.lua shall do with the lane's hash.

    retried  (slot, entry, state, code) of each operation that came out of the quarantine
    written  slots of what was committed
    cleared  sequence of the clear or segment_delete that was committed, or "": the one it had first, if it was
             retried. It supersedes what is older, and nothing that came after it: a profile that was refused before
             its segment's end must not come back into what has ended
    opened   (slot or "", entry, first sequence) of what goes to the quarantine
    """

    retried: list[tuple[str, str, str, str]]
    written: list[str]
    cleared: str
    opened: list[tuple[str, str, str]]

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
    opened: list[tuple[str, str, str]],
    *,
    idle: bool,
    has_open: bool,
    since: Mapping[str, str],
) -> Change:
    """What a settled batch means.

    opened    (slot, entry, first sequence) of what was rejected
    idle      whether no query is configured for the segment event that it is
    has_open  whether the lane has open entries: without any, what was written need not be told
    since     of each entry that is retried: the sequence that it had first
    """
    refused = {each.operation.sequence for each in rejected}
    retried = _retried(batch, refused, idle=idle) if batch.retried else []
    event = None if batch.event is None or idle or refused else batch.event
    ends = event is not None and event.kind in (Kind.CLEAR, Kind.SEGMENT_DELETE)
    cleared = first_sequence(event, since) if event is not None and ends else ""
    written = list(_written(batch, refused)) if has_open else []
    if has_open and event is not None and event.kind != Kind.CLEAR:
        written.append(SEGMENT)
    return Change(retried, written, cleared, opened)


def first_sequence(operation: Operation, since: Mapping[str, str]) -> str:
    """When it came in, however often it was retried."""
    first = since.get(operation.retry.entry, "") if operation.retry is not None else ""
    return first or operation.sequence


def _written(batch: Batch, refused: set[str]) -> Iterator[str]:
    """What is retried supersedes nothing: it was the entry of its slot, or had none."""
    normal = [
        member.key
        for member in batch.members
        if member.operation.retry is None and member.operation.sequence not in refused
    ]
    if normal:
        yield CLEAR
    yield from map(slot_of_key, dict.fromkeys(normal))


def _retried(batch: Batch, refused: set[str], *, idle: bool) -> list[tuple[str, str, str, str]]:
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
        else:
            state, code = "superseded", "no query" if idle else "later operation"
        found[retry.entry] = (retry.slot, retry.entry, state, code)
    return list(found.values())
