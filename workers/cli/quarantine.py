"""`segsync quarantine list|show`: what could not be delivered."""

from __future__ import annotations

import base64
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import typer

from workers import quarantine
from workers.cli.failing import FINE
from workers.cli.opening import open_ledger
from workers.cli.printing import plain, print_json, print_table

if TYPE_CHECKING:
    from workers.quarantine import Entry, EntryDetail


@dataclass(frozen=True, slots=True)
class Listed:
    """What `quarantine list --json` prints.

    open     open entries in all, of the integration asked for
    entries  the newest of them
    """

    open: int
    entries: list[Entry]


def listed(integration: str | None, limit: int, *, as_json: bool) -> int:
    """Prints the newest open entries."""
    ledger = open_ledger()
    entries = quarantine.list_entries(ledger, integration, limit)
    counts = quarantine.count_open(ledger)
    found = Listed(sum(counts.values()) if integration is None else counts.get(integration, 0), entries)
    if as_json:
        print_json(found)
    elif not entries:
        typer.echo("the quarantine is empty")
    else:
        _print(found)
    return FINE


def _print(found: Listed) -> None:
    columns = (">id", "at, UTC", "integration", "segment", "what", "why")
    rows = (
        (e.id, f"{e.at:%m-%d %H:%M:%S}", e.integration or "(intake)", e.segment, _what(e), f"{e.code}: {e.reason}")
        for e in found.entries
    )
    print_table(columns, rows)
    if found.open > len(found.entries):
        typer.echo(f"\n{len(found.entries):,} of {found.open:,}")


def _what(entry: Entry) -> str:
    if entry.profile is not None:
        return f"{entry.event_type} of profile {entry.profile}"
    return entry.event_type or "event"


def show(entry_id: int, *, as_json: bool) -> int:
    """Prints one entry, whatever its state, with its data."""
    entry = quarantine.show(open_ledger(), entry_id)
    if as_json:
        print_json(_with_text(entry))
        return FINE
    for field in fields(entry):
        value = getattr(entry, field.name)
        if field.name != "payload" and value not in (None, ""):
            typer.echo(f"{field.name:<12} {plain(str(value))}")
    cut = "" if len(entry.payload) == entry.size else f"  (the first {len(entry.payload):,} bytes)"
    typer.echo(f"payload{cut}\n{plain(entry.payload.decode(errors='backslashreplace'))}")
    return FINE


def _with_text(entry: EntryDetail) -> dict[str, Any]:
    """The entry with its payload as text, or in base64 where it is none."""
    found: dict[str, Any] = {field.name: getattr(entry, field.name) for field in fields(entry)}
    try:
        found["payload"], found["payload_base64"] = entry.payload.decode(), None
    except UnicodeDecodeError:
        found["payload"], found["payload_base64"] = None, base64.b64encode(entry.payload).decode()
    return found
