"""What became of the demo's events: read back from target and ledger, compared, and told."""

from __future__ import annotations

import sqlite3
import textwrap
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import typer
from sqlalchemy import func, select

from workers.cli.demo import events
from workers.cli.demo.config import INTEGRATION
from workers.cli.output import print_table
from workers.ledger import statistics
from workers.ledger.tables import deliveries
from workers.quarantine import entries as quarantine
from workers.settings.spelling import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workers.ledger.database import Ledger
    from workers.ledger.statistics import StatsRow
    from workers.quarantine.entries import QuarantineEntry

KINDS: Final = ("segment_upsert", "add", "remove", "clear", "segment_delete")


@dataclass(frozen=True, slots=True)
class Accounts:
    """What became of the operations, summed over all deliveries in the ledger."""

    operations: int
    merged: int
    moot: int
    quarantined: int

    @property
    def written(self) -> int:
        """Operations that a statement carried to the target."""
        return self.operations - self.merged - self.moot - self.quarantined


@dataclass(frozen=True, slots=True)
class Found:
    """All that was read back."""

    members: events.Rows
    segments: dict[int, str]
    stats: list[StatsRow]
    entries: list[QuarantineEntry]
    accounts: Accounts

    def differences(self) -> list[str]:
        """What is not as it must be, in words; [] once everything is."""
        return list(self._differences())

    def _differences(self) -> Iterator[str]:
        expected = events.expected_members()
        missing, strange = expected - self.members, self.members - expected
        if missing:
            yield f"mysegment: {len(missing):,} rows are missing, such as {min(missing)}"
        if strange:
            yield f"mysegment: {len(strange):,} rows should not be there, such as {min(strange)}"
        if self.segments != events.expected_segments():
            yield f"segments: {self.segments}, expected {events.expected_segments()}"
        if self.accounts.operations != events.OPERATIONS:
            yield f"ledger: {self.accounts.operations:,} operations settled, expected {events.OPERATIONS:,}"
        counted = Counter(row.event_type for row in self.stats if row.queries)
        if absent := [kind for kind in KINDS if not counted[kind]]:
            yield f"ledger: no successful query for {', '.join(absent)}"
        profiles = {entry.profile for entry in self.entries}
        if profiles != events.QUARANTINED or len(self.entries) != len(events.QUARANTINED):
            yield f"quarantine: {len(self.entries)} entries, of profiles {profiles}; expected {events.QUARANTINED}"


def read_back(folder: Path, ledger: Ledger) -> Found:
    """Reads the target and the ledger as they are now. LedgerError."""
    now = datetime.now(UTC)
    with closing(sqlite3.connect(folder / "target.db")) as target:
        members = set(target.execute("SELECT segment_id, client_id, name FROM mysegment"))
        segments = dict(target.execute("SELECT segment_id, name FROM segments ORDER BY segment_id"))
    column = deliveries.c
    summed = (func.coalesce(func.sum(column[name]), 0) for name in ("operations", "merged", "moot", "quarantined"))
    with ledger.reading() as connection:
        accounts = Accounts(*connection.execute(select(*summed).where(column.outcome == "delivered")).one())
    hour = timedelta(hours=1)
    stats = statistics.stats(ledger, now - hour, now + hour)
    return Found(members, segments, stats, quarantine.list_entries(ledger), accounts)


def tell_pushed(taken: int) -> None:
    """What was pushed."""
    names = ", ".join(f'{segment} "{name}"' for segment, name in events.NAMES.items())
    people = "\n                    ".join(str(profile["name"]) for profile in events.PEOPLE)
    typer.echo(f"""
Pushed {taken} events of all five kinds, and an entry that is none

    segment_upsert  {names}
    add             to {events.VIP}, these and one without its key field:
                    {people}
    add             to {events.NEWSLETTER}: {len(events.SUBSCRIBERS):,} profiles
    remove          from {events.NEWSLETTER}: {len(events.LEAVERS):,} of them
    add             to {events.SALE}: {len(events.SHOPPERS)} profiles
    clear           {events.SALE}
    add             to {events.SALE}: 1 profile
    segment_delete  {events.TYPO}
    XADD            {events.MALFORMED}""")


def tell(found: Found, seconds: float) -> None:
    """What was read back."""
    typer.echo(f"\nRead back from the target, {seconds:.1f} s later\n")
    print_table((">segment_id", "client_id", "name"), _shown_members(found))
    typer.echo()
    print_table((">segment_id", "name in segments"), ((str(id_), name) for id_, name in found.segments.items()))
    typer.echo("\nRead back from the ledger\n")
    print_table(("event", ">successful queries", ">profiles", ">rows", ">slowest"), _shown_stats(found))
    sums = found.accounts
    typer.echo(
        f"\n{sums.operations:,} operations: {sums.written:,} written, {sums.merged:,} merged into later ones, "
        f"{sums.moot:,} made moot\nby the clear, {sums.quarantined:,} in quarantine"
    )
    typer.echo("\nIn quarantine, until someone retries or drops it\n")
    for entry in found.entries:
        what = f"profile {entry.profile}" if entry.profile else "event"
        told = plain(f"{what}: {entry.code}: {entry.reason}")
        typer.echo(textwrap.fill(told, 80, initial_indent="    ", subsequent_indent="      "))


def _shown_members(found: Found) -> Iterator[tuple[str, str, str]]:
    """A small segment's rows, a large one's number."""
    for segment in sorted(events.NAMES):
        rows = sorted(row for row in found.members if row[0] == segment)
        if len(rows) <= len(events.PEOPLE):
            yield from ((str(segment), client, name) for _, client, name in rows)
        else:
            yield str(segment), f"{rows[0][1]} … {rows[-1][1]}", f"({len(rows):,} rows)"


def _shown_stats(found: Found) -> Iterator[tuple[str, int, int, int, str]]:
    for kind in KINDS:
        rows = [row for row in found.stats if row.event_type == kind and row.integration == INTEGRATION]
        slowest = max((row.latency_max_ms or 0 for row in rows), default=0)
        queries, profiles, affected = (
            sum(getattr(row, name) for row in rows) for name in ("queries", "profiles", "rows")
        )
        yield kind, queries, profiles, affected, f"{slowest / 1000:.2f} s"
