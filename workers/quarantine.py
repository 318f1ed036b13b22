"""The quarantine, read: what could not be delivered, each with its reason, until someone retries or drops it.

A table in the ledger's database and the only place that holds people's data, so only what is shown
one by one (`show`) carries payloads and vendors' texts (RULES.md 33).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from workers.errors import SegsyncError
from workers.ledger_tables import OPEN, quarantine, stored_text, time_of

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Column, RowMapping

    from workers.ledger import Ledger

MOST_ENTRIES: Final = 10_000
"""What one `list_entries` may return."""

_LAST_ID: Final = 2**63 - 1

_TIMES: Final = {"at": "at_ms", "changed": "changed_ms"}


class UnknownEntry(SegsyncError):
    """The quarantine has no entry of this id; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry, without its data.

    id           what people type; never used again for another entry
    integration  None where the event never reached one
    profile      the profile's `_id`
    at           when it was quarantined
    code         short and stable: "malformed", "missing key", "mysql 1406", ...
    reason       our sentence
    size         bytes of the whole payload
    source       "lane", "intake" or "outcomes"
    state        "open", "retried", "dropped" or "superseded"
    """

    id: int
    integration: str | None
    segment: str | None
    event_type: str | None
    profile: str | None
    at: datetime
    code: str
    reason: str
    size: int
    source: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDetail(Entry):
    """One entry with everything that is known of it.

    uid      of the record it came from
    payload  the bytes as they came; shorter than `size`: their beginning
    sha256   of the whole payload
    detail   the vendor's text, if a target refused it
    changed  when `state` was changed last; None while it never was
    """

    uid: str
    sequence: str
    payload: bytes
    sha256: str
    detail: str
    changed: datetime | None


def list_entries(ledger: Ledger, integration: str | None = None, limit: int = 50) -> list[Entry]:
    """The newest open entries, of one integration or of all, the newest first.

    ValueError unless 1 <= limit <= 10,000; LedgerError.
    """
    if not 1 <= limit <= MOST_ENTRIES:
        raise ValueError(f"limit {limit!r}: expected 1 to {MOST_ENTRIES}")
    wanted = select(*_columns(Entry)).where(OPEN).order_by(quarantine.c.id.desc()).limit(limit)
    if integration is not None:
        wanted = wanted.where(quarantine.c.integration == stored_text(integration))
    with ledger.reading() as connection:
        return [Entry(**_fields(row, Entry)) for row in connection.execute(wanted).mappings()]


def show(ledger: Ledger, entry_id: int) -> EntryDetail:
    """The entry of this id, whatever its state; UnknownEntry, LedgerError."""
    if not 0 < entry_id <= _LAST_ID:
        raise UnknownEntry(f"no quarantine entry {entry_id}")
    with ledger.reading() as connection:
        row = connection.execute(select(*_columns(EntryDetail)).where(quarantine.c.id == entry_id)).mappings().first()
    if row is None:
        raise UnknownEntry(f"no quarantine entry {entry_id}")
    return EntryDetail(**_fields(row, EntryDetail))


def count_open(ledger: Ledger) -> dict[str | None, int]:
    """Open entries per integration; None counts what never reached one. LedgerError."""
    key = quarantine.c.integration
    with ledger.reading() as connection:
        return dict(connection.execute(select(key, func.count()).where(OPEN).group_by(key)).all())


def _columns(shape: type[Entry]) -> list[Column[Any]]:
    return [quarantine.c[_TIMES.get(field.name, field.name)] for field in fields(shape)]


def _fields(row: RowMapping, shape: type[Entry]) -> dict[str, Any]:
    found = {field.name: row[_TIMES.get(field.name, field.name)] for field in fields(shape)}
    return found | {name: time_of(found[name]) for name in _TIMES.keys() & found.keys()}
