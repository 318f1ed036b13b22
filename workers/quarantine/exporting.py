"""Entries with their data as JSON lines: what `segsync quarantine export` writes, and the console's download."""

from __future__ import annotations

import base64
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import msgspec

from workers.quarantine import entries as quarantine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.ledger.database import Ledger
    from workers.quarantine.entries import EntryDetail, Selection


def export_lines(ledger: Ledger, which: Selection) -> Iterator[bytes]:
    """One line for each entry, with its end; UnknownEntry, LedgerError."""
    for page in quarantine.pages(ledger, which):
        for entry in page:
            yield msgspec.json.encode(with_text(entry) | {"whole": entry.is_whole}) + b"\n"


def with_text(entry: EntryDetail) -> dict[str, Any]:
    """The entry with its payload as text, or in base64 where it is none."""
    found: dict[str, Any] = {field.name: getattr(entry, field.name) for field in fields(entry)}
    try:
        found["payload"], found["payload_base64"] = entry.payload.decode(), None
    except UnicodeDecodeError:
        found["payload"], found["payload_base64"] = None, base64.b64encode(entry.payload).decode()
    return found
