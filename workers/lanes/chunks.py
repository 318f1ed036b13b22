"""How operations lie in a lane: packed chunks with a header that scripts can read.

    first sequence (27 digits) | last sequence (27) | count (6) | msgpack: [segment's name, [operation, ...]]

A chunk holds operations of one time in which the segment's name did not change, so `{segment_name}` renders the
name that the lane had passed at that point, at every try (rule 17).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from workers.errors import SegsyncError
from workers.events.event import Kind
from workers.events.sequence import TEXT_LENGTH, fingerprint_of, number_of, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_OPERATIONS = 1_000
MARK = 6
"""The kind of a resync's mark: no event, and never handed out. It stands in a chunk of its own."""
MARK_INDEX = 9_999_999
"""Its index: what a run tells under its mark comes before it, with the same time and a smaller index."""
MAX_BYTES = 256 * 1024
HEADER = 2 * TEXT_LENGTH + 6


class Retry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an operation carries that comes out of the quarantine (rule 30).

    entry    uid of its entry
    slot     field of the lane's hash of open entries in which `entry` stands as long as nothing came after it
    retries  how often it was retried, this time included
    """

    entry: str
    slot: str
    retries: int


class StillOpen(NamedTuple):
    """What became of entries of the quarantine since they were retried.

    since      of those that nothing came after and nobody dropped: the sequence that each had when it first came in;
               "" where it was opened by a segsync that kept none
    overtaken  those that something came after that may have been for their row
    """

    since: Mapping[str, str]
    overtaken: frozenset[str]


class Operation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One profile's add or remove, or one segment event.

    ms, n, index   its Sequence
    kind           events.Kind
    at_us          the producer's own time in Unix microseconds, if it gave one
    body           the profile's JSON as it came; empty for a segment event
    retry          set where it comes out of the quarantine; absent in chunks of segsync before it could
    """

    ms: int
    n: int
    index: int
    kind: int
    at_us: int | None
    body: bytes
    retry: Retry | None = None

    @property
    def sequence(self) -> str:
        """The sequence as it is compared and stored: fixed-width digits (rule 1)."""
        return text_of(self.ms, self.n, self.index)

    def fingerprint(self, passed_over: int = 0) -> str:
        """Tells it from another with its sequence: a Redis whose clock is behind its lost tail gives one out again.

        passed_over  operations that its lane has set aside up to there: with one more it is another
        """
        return fingerprint_of(b"%d %d %d " % (self.kind, self.at_us or 0, passed_over) + self.body)

    @property
    def is_profile(self) -> bool:
        """Whether it is one profile's, and no segment event."""
        return self.kind <= _REMOVE

    @property
    def number(self) -> int:
        """`{sequence}` of templates: 63 bits, never falling along a lane (rule 1)."""
        return number_of(self.ms, self.n)

    @property
    def event_time_us(self) -> int:
        """`{event_time}`: the producer's time, else the stream's."""
        return self.ms * 1000 if self.at_us is None else self.at_us


# Looked up once: an enum's members are slow to look up, and this is done for every operation.
_REMOVE = int(Kind.REMOVE)


class UnreadableChunk(SegsyncError):
    """A lane holds bytes that no version of segsync wrote."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[str | None, list[Operation]])


def pack(name: str | None, operations: list[Operation]) -> bytes:
    """A chunk of these operations, which are in order and not empty; `name` is the segment's at that time."""
    header = f"{operations[0].sequence}{operations[-1].sequence}{len(operations):06d}"
    return header.encode() + _encoder.encode((name, operations))


def operations_in(chunk: bytes) -> int:
    """How many it holds, by its header; as many as one may, where it is not readable."""
    count = chunk[2 * TEXT_LENGTH : HEADER]
    return int(count) if count.isdigit() else MAX_OPERATIONS


def unpack(chunk: bytes) -> tuple[str | None, list[Operation]]:
    """The segment's name and the operations; UnreadableChunk for bytes that are no chunk."""
    try:
        return _decoder.decode(memoryview(chunk)[HEADER:])
    except msgspec.MsgspecError as error:
        raise UnreadableChunk(f"a chunk of {len(chunk)} bytes is not readable: {error}") from error
