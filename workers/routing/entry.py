"""One entry of the intake, and what stands in it: anybody can push anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from workers.errors import MalformedEvent, SegsyncError
from workers.events.event import Event
from workers.events.mark import Mark
from workers.events.mark import decode as decode_mark
from workers.events.parsing import parse
from workers.events.resync_request import ResyncRequest, request_in
from workers.events.retry_header import RetryHeader, decode
from workers.events.usual import UsualEvent

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from workers.lanes.moves import InEntry

EVENT, RETRY, MARK = b"event", b"retry", b"mark"
NO_EVENT = "the entry has no field 'event'; expected XADD ... event '{...}'"


class UnreadableEvent(SegsyncError):
    """What stands in the intake is no event; `code` and `reason` as in the quarantine."""

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code}: {reason}")


class Entry(NamedTuple):
    """One entry of the intake.

    id, ms, n  its stream id, whatever numbers that has
    parts      what it says, in order: its fields `event`; where it has none, all it has, as one
    has_event  whether `parts` are fields `event`
    retries    whether it has a field `retry`
    header     what that says of the entry of the quarantine that is retried; None where it is none of this installation
    ignored    names of other fields
    mark       its only field `mark`, if it is no event but the mark of a resync's run
    """

    id: str
    ms: int
    n: int
    parts: tuple[bytes, ...]
    has_event: bool = True
    retries: bool = False
    header: RetryHeader | None = None
    ignored: tuple[bytes, ...] = ()
    mark: Mark | None = None


def entry_of(given_id: bytes, given: InEntry, installation: str) -> Entry:
    """The entry, as lanes.Reading has it."""
    entry_id = given_id.decode()
    ms, _, n = entry_id.partition("-")
    if isinstance(given, bytes):
        return Entry(entry_id, int(ms), int(n), (given,))
    fields = list(zip(given[::2], given[1::2], strict=True))
    events = tuple(value for name, value in fields if name == EVENT)
    if len(fields) == 1 and fields[0][0] == MARK and (mark := decode_mark(fields[0][1])) is not None:
        return Entry(entry_id, int(ms), int(n), (), False, mark=mark)
    if not events:
        # One field alone is most likely a misspelled `event`: then a retry pushes what was meant.
        whole = fields[0][1] if len(fields) == 1 else b"\n".join(name + b" " + value for name, value in fields)
        return Entry(entry_id, int(ms), int(n), (whole,), has_event=False)
    retries = [value for name, value in fields if name == RETRY]
    ignored = tuple(name for name, _ in fields if name not in {EVENT, RETRY})
    header = decode(retries[0], installation) if retries else None
    return Entry(entry_id, int(ms), int(n), events, True, bool(retries), header, ignored)


Part = Event | ResyncRequest | UnreadableEvent | int
"""What stands in a part of an entry; where it was not read, how many processes have died over the entry."""


class Read(NamedTuple):
    """An entry with what stands in each of its parts."""

    entry: Entry
    parts: Sequence[Part]

    def segments(self) -> set[str]:
        """The segments that something is said of."""
        found = {part.segment.id for part in self.parts if isinstance(part, Event | ResyncRequest)}
        return found if self.entry.mark is None else found | {self.entry.mark.segment}


def segments_of(events: Collection[UsualEvent | Read]) -> set[str]:
    """The segments that something is said of in any of them."""
    usual_ones = {event.segment for event in events if type(event) is UsualEvent}
    return usual_ones.union(*[event.segments() for event in events if isinstance(event, Read)])


def read(entry: Entry) -> Read:
    """With all its parts, whatever was pushed."""
    return Read(entry, [_read(entry, part) for part in range(len(entry.parts))])


def _read(entry: Entry, part: int) -> Part:
    try:
        return read_part(entry, part)
    except UnreadableEvent as error:
        return error


def read_part(entry: Entry, part: int) -> Event | ResyncRequest:
    """The event in one of its parts. Raises UnreadableEvent, whatever was pushed."""
    if not entry.has_event:
        raise UnreadableEvent("malformed", NO_EVENT)
    try:
        event = parse(entry.parts[part])
    except MalformedEvent as error:
        if (request := request_in(entry.parts[part])) is not None:
            return request
        code, _, reason = str(error).partition(": ")
        raise UnreadableEvent(code, reason) from None
    except MemoryError:
        raise
    except Exception as error:
        # A mistake of ours: it must not stop all that comes after, nor take the process for dead.
        raise UnreadableEvent("unreadable", f"reading it raised {type(error).__name__}") from error
    return event if not entry.retries else _dated(entry, event)


def _dated(entry: Entry, event: Event) -> Event:
    """A retried event with the time when it happened."""
    header = entry.header
    if header is None or len(entry.parts) > 1:
        raise UnreadableEvent("malformed", "the field 'retry' is none of ours; expected the field 'event' alone")
    if header.at_us is None:
        return event
    return Event(event.kind, event.segment, header.at_us, event.profiles, event.bad)
