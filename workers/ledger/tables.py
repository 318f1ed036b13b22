"""The ledger's tables, and what a record becomes in them.

    deliveries   one row for each try of each batch, or for `tries` of them
    queries      one row for each committed query of a delivery, or for `runs` of them
    quarantine   what could not be delivered: the only place that holds people's data

The schema is made by `workers/migrations`; a test keeps both alike.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from msgspec import structs
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Named,
    Table,
    Text,
    TypedColumns,
    literal_column,
    text,
)

from workers.outcomes import Delivery, Quarantined, QueryRun, Resolved

if TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, str | int | bytes | None]
"""One row to insert, by column."""

metadata = MetaData()

SERIAL: Final = BigInteger().with_variant(Integer, "sqlite")
"""64 bits, counted up by the database: SQLite does that for INTEGER only."""


class DeliveryColumns(TypedColumns):
    """`outcomes.Delivery`, field for field, and a short id for `queries` to refer to."""

    id: Named[int] = Column(SERIAL, primary_key=True)
    uid: Named[str] = Column(Text)
    integration: Named[str] = Column(Text)
    connector: Named[str] = Column(Text)
    segment: Named[str] = Column(Text)
    outcome: Named[str] = Column(Text)
    first: Named[str] = Column(Text)
    last: Named[str] = Column(Text)
    operations: Named[int] = Column(BigInteger)
    merged: Named[int] = Column(BigInteger)
    moot: Named[int] = Column(BigInteger)
    quarantined: Named[int] = Column(BigInteger)
    attempt: Named[int] = Column(BigInteger)
    started_ms: Named[int] = Column(BigInteger)
    duration_us: Named[int] = Column(BigInteger)
    waited_ms: Named[int] = Column(BigInteger)
    code: Named[str] = Column(Text)
    reason: Named[str] = Column(Text)
    tries: Named[int] = Column(BigInteger, server_default="1")
    event_type: Named[str] = Column(Text, server_default=text("''"))


class QueryColumns(TypedColumns):
    """`outcomes.QueryRun`, and what the statistics need of its delivery, so that they need no join."""

    delivery: Named[int] = Column(BigInteger, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True)
    position: Named[int] = Column(Integer, primary_key=True)
    integration: Named[str] = Column(Text)
    event_type: Named[str] = Column(Text)
    started_ms: Named[int] = Column(BigInteger)
    waited_ms: Named[int] = Column(BigInteger)
    profiles: Named[int] = Column(BigInteger)
    statements: Named[int] = Column(BigInteger)
    rows: Named[int] = Column(BigInteger)
    duration_us: Named[int] = Column(BigInteger)
    runs: Named[int] = Column(BigInteger, server_default="1")


class QuarantineColumns(TypedColumns):
    """`outcomes.Quarantined`, with an id that people can type and what became of it.

    source      "lane", "intake" (it never reached an integration) or "outcomes" (an unreadable record)
    state       one of STATES
    changed_ms  when `state` was changed last, `changed_by` by whose command, `note` why
    """

    id: Named[int] = Column(SERIAL, primary_key=True)
    uid: Named[str] = Column(Text, unique=True)
    source: Named[str] = Column(Text)
    state: Named[str] = Column(Text)
    changed_ms: Named[int | None] = Column(BigInteger)
    changed_by: Named[str] = Column(Text)
    note: Named[str] = Column(Text)
    integration: Named[str | None] = Column(Text)
    segment: Named[str | None] = Column(Text)
    event_type: Named[str | None] = Column(Text)
    profile: Named[str | None] = Column(Text)
    sequence: Named[str] = Column(Text)
    at_ms: Named[int] = Column(BigInteger)
    code: Named[str] = Column(Text)
    reason: Named[str] = Column(Text)
    payload: Named[bytes] = Column(LargeBinary)
    size: Named[int] = Column(BigInteger)
    sha256: Named[str] = Column(Text)
    detail: Named[str] = Column(Text)
    slot: Named[str] = Column(Text)
    event_us: Named[int | None] = Column(BigInteger)
    retries: Named[int] = Column(BigInteger)
    replaces: Named[str] = Column(Text)


deliveries = Table("deliveries", metadata, DeliveryColumns)
queries = Table("queries", metadata, QueryColumns)
# AUTOINCREMENT: an id that was dropped never names another entry.
quarantine = Table("quarantine", metadata, QuarantineColumns, sqlite_autoincrement=True)

# Literals, not parameters: SQLite uses a partial index only where it sees the index's own condition.
FAILED: Final = deliveries.c.outcome != literal_column("'delivered'")
OPEN: Final = quarantine.c.state == literal_column("'open'")
UNRESOLVED: Final = quarantine.c.state.in_([literal_column("'open'"), literal_column("'retried'")])

STATES: Final = ("open", "retried", "delivered", "superseded", "replaced", "dropped")
"""What an entry can be: waiting for someone; on its way (an event that never reached an integration: it has gone to
all that want it); in the target; overtaken by a later operation of its key or a clear; refused once more, under an
entry of its own; thrown away by a person's command. The last four are final."""

# Makes a repeated record known, and finds a span of time. Random uids alone would be spread over the whole
# index: 17,000 deliveries/s after 300,000, and falling; so it stays at 35,000.
Index("deliveries_once", deliveries.c.started_ms, deliveries.c.uid, unique=True)
Index("deliveries_failed", deliveries.c.started_ms, sqlite_where=FAILED, postgresql_where=FAILED)
Index("queries_started", queries.c.started_ms)
Index("quarantine_at", quarantine.c.at_ms)
Index("quarantine_open", quarantine.c.integration, quarantine.c.id, sqlite_where=OPEN, postgresql_where=OPEN)
Index(
    "quarantine_unresolved",
    quarantine.c.integration,
    quarantine.c.segment,
    sqlite_where=UNRESOLVED,
    postgresql_where=UNRESOLVED,
)

UNREADABLE: Final = "unreadable record"
"""The code of what the drainer found in the outcomes stream and could not read."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST: Final = 10**12
"""No count and no duration is larger: sums of such numbers stay within 64 bits."""
_LAST_MS: Final = 253_402_300_799_000
"""The last second of the year 9999: later times have no date."""
_LONGEST_TEXT: Final = 255
"""Characters: what PostgreSQL can index, and more than any id or code has."""
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
    return _row(record) | {
        "source": _source(record),
        "state": "open",
        "changed_ms": None,
        "changed_by": "",
        "note": "",
    }


def change_row(record: Resolved) -> Row:
    """What becomes of an entry: parameters of `ledger_states`' UPDATE."""
    note = ": ".join(part for part in (record.code, record.reason) if part)
    return {
        "of": stored_uid(record.entry),
        "state": stored_text(record.state),
        "changed_ms": stored_moment(record.at_ms),
        "changed_by": stored_text(record.by),
        "note": stored_text(note, 4_000),
    }


def _source(record: Quarantined) -> str:
    if record.code == UNREADABLE:
        return "outcomes"
    return "intake" if record.integration is None else "lane"


def _row(record: Delivery | QueryRun | Quarantined) -> Row:
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
    "event_us": _micros,
    "replaces": stored_uid,
    "profile": partial(stored_text, longest=1_000),
    "reason": partial(stored_text, longest=4_000),
    "detail": partial(stored_text, longest=64_000),
    "payload": _payload,
}
_MENDERS: Final = {
    record: [
        (field.name, _SPECIAL.get(field.name, _count if field.type is int else stored_text))
        for field in structs.fields(record)
        if field.name != "queries"
    ]
    for record in (Delivery, QueryRun, Quarantined)
}
