"""The quarantine: what could not be delivered, each with its reason, until someone retries or drops it.

A table in the ledger's database and the only place that holds people's data, so only what is shown
one by one (`show`) carries payloads and vendors' texts (rule 33).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select, true

from workers.errors import SegsyncError
from workers.ledger.rows import milliseconds_of, stored_text, time_of
from workers.ledger.tables import OPEN, STATES, quarantine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Column, ColumnElement, Connection, RowMapping

    from workers.ledger.database import Ledger

MOST_ENTRIES: Final = 10_000
"""What one `list_entries` may return."""

PAGE: Final = 100
"""Entries that are read at once with their data, of up to 64 KiB each."""

_LAST_ID: Final = 2**63 - 1

_TIMES: Final = {"at": "at_ms", "changed": "changed_ms"}


class UnknownEntry(SegsyncError):
    """The quarantine has no entry of this id; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineEntry:
    """One entry, without its data.

    id           what people type; never used again for another entry
    integration  None where the event never reached one
    profile      the profile's `_id`; of source "audience" its key
    at           when it was quarantined
    code         short and stable: "malformed", "missing key", "mysql 1406", ...
    reason       our sentence
    size         bytes of the whole payload
    source       "lane", "intake", "outcomes" or "audience"
    state        one of ledger.tables.STATES
    retries      how often it was retried before, under the entries that this one replaces
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
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDetail(QuarantineEntry):
    """One entry with everything that is known of it.

    uid      of the record it came from
    payload  the bytes as they came; shorter than `size`: their beginning
    sha256   of the whole payload
    detail   the vendor's text, if a target refused it
    changed  when `state` was changed last; None while it never was; `changed_by` by whose command, `note` why
    slot, event_us, replaces  as in outcomes.Quarantined
    """

    uid: str
    sequence: str
    payload: bytes
    sha256: str
    detail: str
    changed: datetime | None
    changed_by: str
    note: str
    slot: str
    event_us: int | None
    replaces: str

    @property
    def is_whole(self) -> bool:
        """Whether all of the payload was kept."""
        return len(self.payload) == self.size


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries a command is about: those of these ids whatever their state, or all that fit the rest.

    state  one of ledger.tables.STATES; None: any
    """

    ids: tuple[int, ...] = ()
    integration: str | None = None
    code: str | None = None
    state: str | None = "open"
    segment: str | None = None


def list_entries(
    ledger: Ledger,
    integration: str | None = None,
    limit: int = 50,
    state: str | None = "open",
    code: str | None = None,
    segment: str | None = None,
) -> list[QuarantineEntry]:
    """The newest entries, of one integration, code or segment or of all, the newest first; open ones unless said.

    ValueError unless 1 <= limit <= 10,000 and for an unknown state; LedgerError.
    """
    if not 1 <= limit <= MOST_ENTRIES:
        raise ValueError(f"limit {limit!r}: expected 1 to {MOST_ENTRIES}")
    fits = _fits(Selection((), integration, code, state, segment))
    wanted = select(*_columns(QuarantineEntry)).where(fits).order_by(quarantine.c.id.desc()).limit(limit)
    with ledger.reading() as connection:
        return [QuarantineEntry(**_fields(row, QuarantineEntry)) for row in connection.execute(wanted).mappings()]


def count(ledger: Ledger, wanted: Selection) -> int:
    """How many entries are wanted. UnknownEntry, ValueError, LedgerError as `pages`."""
    with ledger.reading() as connection:
        _refuse_unknown(connection, wanted.ids)
        return int(connection.execute(select(func.count()).select_from(quarantine).where(_fits(wanted))).scalar() or 0)


def pages(ledger: Ledger, wanted: Selection) -> Iterator[list[EntryDetail]]:
    """The wanted entries with their data, the oldest first, a page at a time; none that comes meanwhile.

    UnknownEntry for an id that is none, ValueError for an unknown state, LedgerError.
    """
    fits = _fits(wanted)
    with ledger.reading() as connection:
        _refuse_unknown(connection, wanted.ids)
        last = connection.execute(select(func.max(quarantine.c.id))).scalar() or 0
    after = 0
    while True:
        place = quarantine.c.id.between(after + 1, last)
        page = select(*_columns(EntryDetail)).where(fits, place).order_by(quarantine.c.id).limit(PAGE)
        with ledger.reading() as connection:
            found = [EntryDetail(**_fields(row, EntryDetail)) for row in connection.execute(page).mappings()]
        if not found:
            return
        yield found
        after = found[-1].id


def purge(ledger: Ledger, before: datetime) -> int:
    """Deletes what was resolved before that time; returns how many. ValueError for a time without zone, LedgerError."""
    limit, deleted = milliseconds_of(before), 0
    with ledger.writing() as writer:
        while step := writer.purge(limit, MOST_ENTRIES):
            deleted += step
    return deleted


def _fits(wanted: Selection) -> ColumnElement[bool]:
    if wanted.ids:
        return quarantine.c.id.in_(wanted.ids)
    fits: ColumnElement[bool] = true()
    if wanted.state == "open":
        fits = OPEN
    elif wanted.state is not None:
        if wanted.state not in STATES:
            raise ValueError(f"state {wanted.state!r}: expected one of {', '.join(STATES)}")
        fits = quarantine.c.state == wanted.state
    if wanted.integration is not None:
        fits = fits & (quarantine.c.integration == stored_text(wanted.integration))
    if wanted.segment is not None:
        fits = fits & (quarantine.c.segment == stored_text(wanted.segment))
    if wanted.code is not None:
        fits = fits & (quarantine.c.code == stored_text(wanted.code))
    return fits


def _refuse_unknown(connection: Connection, ids: tuple[int, ...]) -> None:
    asked = set(ids)
    possible = [each for each in asked if 0 < each <= _LAST_ID]
    known = set(connection.execute(select(quarantine.c.id).where(quarantine.c.id.in_(possible))).scalars())
    missing = sorted(asked - known)
    if missing:
        raise UnknownEntry(f"no quarantine entry {', '.join(map(str, missing))}")


def without_data(entry: EntryDetail) -> QuarantineEntry:
    """What `list_entries` would have of it."""
    return QuarantineEntry(**{each.name: getattr(entry, each.name) for each in fields(QuarantineEntry)})


def show(ledger: Ledger, entry_id: int) -> EntryDetail:
    """The entry of this id, whatever its state; UnknownEntry, LedgerError."""
    if not 0 < entry_id <= _LAST_ID:
        raise UnknownEntry(f"no quarantine entry {entry_id}")
    with ledger.reading() as connection:
        row = connection.execute(select(*_columns(EntryDetail)).where(quarantine.c.id == entry_id)).mappings().first()
    if row is None:
        raise UnknownEntry(f"no quarantine entry {entry_id}")
    return EntryDetail(**_fields(row, EntryDetail))


def replaced(connection: Connection, entry: EntryDetail) -> EntryDetail | None:
    """The entry whose place this one has taken, when it was retried in vain; None where there is none."""
    before = select(*_columns(EntryDetail)).where(quarantine.c.uid == entry.replaces)
    row = connection.execute(before).mappings().first() if entry.replaces else None
    return None if row is None else EntryDetail(**_fields(row, EntryDetail))


def count_open(ledger: Ledger) -> dict[str | None, int]:
    """Open entries per integration; None counts what never reached one. LedgerError."""
    key = quarantine.c.integration
    with ledger.reading() as connection:
        return dict(connection.execute(select(key, func.count()).where(OPEN).group_by(key)).all())


def _columns(shape: type[QuarantineEntry]) -> list[Column[Any]]:
    return [quarantine.c[_TIMES.get(field.name, field.name)] for field in fields(shape)]


def _fields(row: RowMapping, shape: type[QuarantineEntry]) -> dict[str, Any]:
    found = {field.name: row[_TIMES.get(field.name, field.name)] for field in fields(shape)}
    return found | {name: time_of(found[name]) for name in _TIMES.keys() & found.keys()}
