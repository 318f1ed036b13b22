"""What the router sends to the quarantine, or back to it. Pure but for the clock."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from msgspec import structs

from workers.events.event import BadProfile, Event, raw_excerpt
from workers.events.parsing import MAX_EVENT_BYTES
from workers.outcomes import Quarantined, new_uid

if TYPE_CHECKING:
    from workers.events.sequence import Sequence
    from workers.routing.entry import Entry
    from workers.routing.transfer import Transfer

POISON = "poison"
BEGINNING_BYTES = 256


def refused(data: bytes, sequence: Sequence, code: str, reason: str) -> Quarantined:
    """Bytes that are no event."""
    return Quarantined(
        uid=new_uid(),
        integration=None,
        segment=None,
        event_type=None,
        profile=None,
        sequence=str(sequence),
        at_ms=time.time_ns() // 1_000_000,
        code=code,
        reason=reason,
        payload=raw_excerpt(data),
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def poison(data: bytes, sequence: Sequence, deaths: int) -> Quarantined:
    """What ends whoever routes it, kept whole where an event can be so large: nobody has said that it is none."""
    reason = f"routing it ended the router's process {deaths} times; kept as it came"
    record = refused(data, sequence, POISON, reason)
    return structs.replace(record, payload=data) if len(data) <= MAX_EVENT_BYTES else record


def bad_profile(event: Event, bad: BadProfile, sequence: Sequence) -> Quarantined:
    """A profile that cannot be used, in an event that can; `sequence` is the event's."""
    return Quarantined(
        uid=new_uid(),
        integration=None,
        segment=event.segment.id,
        event_type=event.kind.label,
        profile=bad.profile_id,
        sequence=str(sequence._replace(index=bad.index)),
        at_ms=time.time_ns() // 1_000_000,
        code=bad.code,
        reason=bad.reason,
        payload=raw_excerpt(bad.raw),
        size=len(bad.raw),
        sha256=hashlib.sha256(bad.raw).hexdigest(),
        event_us=sequence.ms * 1000 if event.at_us is None else event.at_us,
    )


def shortened(record: Quarantined) -> Quarantined:
    """Only its beginning, where there are too many of them; never of what may be a proper event."""
    return record if record.code == POISON else structs.replace(record, payload=record.payload[:BEGINNING_BYTES])


def set_aside(load: Transfer, entry: Entry, record: Quarantined) -> None:
    """Into the quarantine, or back: an entry of its own, that of an event that was retried, or the one that it had."""
    header = entry.header
    if header is None:
        load.quarantine(record)
    elif header.integration is not None:
        load.resolve(header.entry, "open", record.code, record.reason)
    else:
        # The same uid however often the retry is repeated.
        uid = hashlib.sha256(f"{header.entry}/{header.retries}/{record.sequence[-7:]}".encode()).hexdigest()[:24]
        load.quarantine(structs.replace(record, uid=uid, retries=header.retries, replaces=header.entry))
