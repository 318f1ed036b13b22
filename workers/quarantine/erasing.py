"""Emptying entries of the quarantine of a person's data; what happened, and when, stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import case

from workers.ledger.rows import stored_text
from workers.ledger.tables import quarantine
from workers.quarantine.entries import Selection, pages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from workers.ledger.database import Ledger
    from workers.quarantine.entries import EntryDetail

ERASED: Final = "erased"
"""The note of an entry whose data is gone."""
_EMPTY: Final = {"payload": b"", "sha256": "", "profile": None, "detail": "", "slot": "", "note": ERASED}
_REASON: Final = case((quarantine.c.source == "intake", ""), else_=quarantine.c.reason)
"""Of an event that could not be read the code alone stays: the reason could quote it, in entries of older versions."""
AT_ONCE: Final = 400
"""Entries in one IN: SQLite's older limit is 999 parameters."""


def find_entries(ledger: Ledger, fits: Callable[[EntryDetail], bool]) -> list[int]:
    """The ids of those that still have data and fit, whatever their state. LedgerError."""
    everything = pages(ledger, Selection(state=None))
    return [entry.id for page in everything for entry in page if entry.note != ERASED and fits(entry)]


def empty(ledger: Ledger, ids: Sequence[int]) -> None:
    """Their data goes: payload and its hash, the profile's `_id`, the target's words, why an event could not be read.

    LedgerError.
    """
    for at in range(0, len(ids), AT_ONCE):
        with ledger.changing() as connection:
            some = quarantine.c.id.in_(ids[at : at + AT_ONCE])
            connection.execute(quarantine.update().where(some).values(_EMPTY | {"reason": _REASON}))


def hand_over(ledger: Ledger, heirs: Mapping[int, str]) -> None:
    """Entries, by id, that tell of somebody else as well have that one's key from now on. LedgerError."""
    with ledger.changing() as connection:
        for id_, profile in heirs.items():
            connection.execute(
                quarantine.update().where(quarantine.c.id == id_).values(profile=stored_text(profile, 1_000))
            )
