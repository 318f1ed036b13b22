"""What a record becomes in the ledger's tables, and times and texts as its rows hold them.

Any record can be written: a record that a database refused would stop all that come after it.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from msgspec import structs

from workers.ledger.tables import UNREADABLE
from workers.outcomes import OF_NO_LANE, Acted, Delivery, Quarantined, QueryRun, Resolved, Resynced

if TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, str | int | bytes | None]
"""One row to insert, by column."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST: Final = 10**12
"""No count and no duration is larger: sums of such numbers stay within 64 bits."""
_LAST_MS: Final = 253_402_300_799_000
"""The last second of the year 9999: later times have no date."""
_LONGEST_TEXT: Final = 255
"""Characters: what PostgreSQL can index, and more than any id or code has."""
_LONGEST_REASON: Final = 4_000
_LONGEST_UID: Final = 64
_LONGEST_PAYLOAD: Final = 16 * 2**20
"""Bytes: twice the largest event."""


def time_of(milliseconds: int | None) -> datetime | None:
    """The time, in UTC, of Unix milliseconds as the tables hold them."""
    return None if milliseconds is None else _EPOCH + timedelta(milliseconds=milliseconds)


def milliseconds_of(time: datetime) -> int:
    """Unix milliseconds of a time; ValueError where it has no zone."""
    if time.tzinfo is None:
        raise ValueError(f"time {time.isoformat()!r} has no zone; expected one, as in {time.isoformat() + 'Z'!r}")
    return (time - _EPOCH) // timedelta(milliseconds=1)


def delivery_row(record: Delivery) -> Row:
    """The row of `deliveries` for a try."""
    return _row(record)


def query_rows(delivery: int, record: Delivery) -> list[Row]:
    """The rows of `queries` for what a try has committed; `delivery` is its id in `deliveries`."""
    shared: Row = {
        "delivery": delivery,
        "integration": stored_text(record.integration),
        "started_ms": stored_moment(record.started_ms),
        "waited_ms": _count(record.waited_ms),
    }
    return [_row(run) | shared | {"position": position} for position, run in enumerate(record.queries)]


def quarantine_row(record: Quarantined) -> Row:
    """The row of `quarantine` for an entry, which is open."""
    source = _source(record)
    reason = stored_text(withheld(record.reason) if source == "intake" else record.reason, _LONGEST_REASON)
    return _row(record) | {
        "source": source,
        "reason": reason,
        "state": "open",
        "changed_ms": None,
        "changed_by": "",
        "note": "",
    }


_QUOTED: Final = re.compile(
    r"(?P<place>[a-z.]+(?:\[\d+\])?): ['\"](?P<ends>.*['\"] (?=is none; |is no time; |holds |is not applied, ))?",
    re.DOTALL,
)
"""The beginning of an intake's sentence, up to the last place where a text that is quoted can end."""


def withheld(reason: str) -> str:
    """Why an event could not be read, without the text of it that is quoted, which may be a person's.

    'at: what stands there is no time; expected …': a reason is shown to whoever may look, and kept; what the event
    has there, its entry shows to whoever may see people's data.
    """
    found = _QUOTED.match(reason)
    if found is None:
        return reason
    return (
        f"{found['place']}: what stands there {reason[found.end() :] if found[0].endswith(' ') else 'cannot be used'}"
    )


def resync_row(record: Resynced) -> Row:
    """The row of `resyncs` for a run that is over."""
    return _row(record)


def act_row(record: Acted) -> Row:
    """The row of `acts` for what somebody has had done."""
    return _row(record)


def change_row(record: Resolved) -> Row:
    """What becomes of an entry: parameters of `entry_states`' UPDATE."""
    note = ": ".join(part for part in (record.code, record.reason) if part)
    return {
        "of": stored_uid(record.entry),
        "state": stored_text(record.state),
        "changed_ms": stored_moment(record.at_ms),
        "changed_by": stored_text(record.by),
        "note": stored_text(note, _LONGEST_REASON),
    }


def _source(record: Quarantined) -> str:
    if record.code == UNREADABLE:
        return "outcomes"
    if record.integration is None:
        return "intake"
    return "audience" if record.sequence == OF_NO_LANE else "lane"


def _row(record: Delivery | QueryRun | Quarantined | Resynced | Acted) -> Row:
    return {name: mend(getattr(record, name)) for name, mend in _MENDERS[type(record)]}


# What follows makes any value one that both databases can store: a record that cannot be written would
# stop all that come after it.


def stored_text(value: str | None, longest: int = _LONGEST_TEXT) -> str | None:
    """The text as a row holds it: to look for a value, look for this."""
    if value is None or (value.isprintable() and len(value) <= longest):
        return value
    return _encodable(value)[:longest]


def _encodable(value: str) -> str:
    # PostgreSQL stores no NUL; a lone surrogate has no UTF-8.
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def stored_uid(value: str) -> str:
    """The uid as a row holds it."""
    # Cut or mended, two uids could become one, and the second record would be lost as known.
    if len(value) <= _LONGEST_UID and value.isprintable():
        return value
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def _payload(value: bytes) -> bytes:
    return value[:_LONGEST_PAYLOAD]


def _count(value: int) -> int:
    return value if 0 <= value <= _MOST else min(max(value, 0), _MOST)


def stored_moment(value: int) -> int:
    """Unix milliseconds as every database can keep them."""
    return min(max(value, 0), _LAST_MS)


def _micros(value: int | None) -> int | None:
    return None if value is None else min(max(value, -(2**62)), 2**62)


_SPECIAL: Final[dict[str, Callable[[Any], str | int | bytes | None]]] = {
    "uid": stored_uid,
    "started_ms": stored_moment,
    "at_ms": stored_moment,
    "asked_ms": stored_moment,
    "ended_ms": stored_moment,
    "event_us": _micros,
    "replaces": stored_uid,
    "profile": partial(stored_text, longest=1_000),
    "reason": partial(stored_text, longest=_LONGEST_REASON),
    "detail": partial(stored_text, longest=64_000),
    "failed": partial(stored_text, longest=4_000),
    "target": partial(stored_text, longest=1_000),
    "payload": _payload,
}
_MENDERS: Final = {
    record: [
        (field.name, _SPECIAL.get(field.name, _count if field.type is int else stored_text))
        for field in structs.fields(record)
        if field.name != "queries"
    ]
    for record in (Delivery, QueryRun, Quarantined, Resynced, Acted)
}
