"""`segsync quarantine`: what could not be delivered, and what people do with it."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import typer
from redis import RedisError

from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.cli.installation import open_ledger, open_runtime, refuse_unknown
from workers.cli.output import print_json, print_table
from workers.cli.people import caller, is_meant
from workers.control import quarantine as control
from workers.control.acting import record, recorded
from workers.control.quarantine import UP_TO_DATE_SECONDS
from workers.errors import SegsyncError, WrongUsage
from workers.lanes.keys import Keys
from workers.ledger.tables import STATES
from workers.monitoring.periods import moment
from workers.quarantine import entries as quarantine
from workers.quarantine.entries import Selection
from workers.quarantine.exporting import export_lines, with_text
from workers.quarantine.past_tries import history
from workers.settings import load_local
from workers.settings.segment_ids import segment_id_if_any
from workers.settings.spelling import counted, in_line, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workers.quarantine.entries import QuarantineEntry
    from workers.quarantine.past_tries import PastTry
    from workers.quarantine.requeue import Requeued

WHY_SHOWN: Final = 10
"""Reasons that are shown of entries that cannot be retried; more would scroll the first away."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What `quarantine list --json` prints.

    open     open entries in all, of the integration and the segment asked for
    entries  the newest of them, or of those in the state asked for
    """

    open: int
    entries: list[QuarantineEntry]


def listed(
    integration: str | None, limit: int, *, segment: str | None = None, state: str = "open", as_json: bool
) -> int:
    """Prints the newest entries, open ones unless said."""
    segment, ledger = segment_id_if_any(segment), open_ledger()
    entries = quarantine.list_entries(ledger, integration, limit, _state(state), segment=segment)
    if not entries:
        refuse_unknown(integration)
    found = Listed(quarantine.count(ledger, Selection(integration=integration, segment=segment)), entries)
    if as_json:
        print_json(found)
    elif not entries:
        typer.echo(_nothing(segment, state))
    else:
        _print(found, state)
    return FINE


def _nothing(segment: str | None, state: str) -> str:
    if segment is not None:
        return f"no entries of segment {in_line(segment[:60])}: {state}"
    return "the quarantine is empty" if state == "open" else f"no entries: {state}"


def _state(name: str) -> str | None:
    if name != "all" and name not in STATES:
        raise WrongUsage(f"--state {name[:60]!r}: expected one of {', '.join(STATES)}, all")
    return None if name == "all" else name


def _print(found: Listed, state: str) -> None:
    columns = (">id", "at, UTC", "integration", "segment", "what", "why")
    rows = ((e.id, f"{e.at:%m-%d %H:%M:%S}", e.integration or "(intake)", e.segment, _what(e), _why(e, state))
            for e in found.entries)  # fmt: skip
    print_table(columns, rows)
    if state == "open" and found.open > len(found.entries):
        typer.echo(f"\n{len(found.entries):,} of {found.open:,}")


def _what(entry: QuarantineEntry) -> str:
    if entry.profile is not None:
        return f"{entry.event_type} of profile {entry.profile}"
    return entry.event_type or "event"


def _why(entry: QuarantineEntry, state: str) -> str:
    told = "" if state == entry.state else f"{entry.state}; "
    again = f" (retried {entry.retries} x)" if entry.retries else ""
    return f"{told}{entry.code}: {entry.reason}{again}"


def show(entry_id: int, *, as_json: bool) -> int:
    """Prints one entry, whatever its state, with its data and the tries that it was in; that is written down."""
    ledger = open_ledger()
    with _looking_at_data("quarantine show", str(entry_id)):
        entry = quarantine.show(ledger, entry_id)
        tries = history(ledger, entry)
    if as_json:
        print_json(with_text(entry) | {"tries": tries})
        return FINE
    for field in fields(entry):
        value = getattr(entry, field.name)
        if field.name != "payload" and value not in (None, ""):
            typer.echo(f"{field.name:<12} {in_line(str(value))}")
    for each in tries:
        typer.echo(f"{'try':<12} {in_line(_try(each))}")
    cut = "" if entry.is_whole else f"  (the first {len(entry.payload):,} bytes)"
    typer.echo(f"payload{cut}\n{plain(entry.payload.decode(errors='backslashreplace'))}")
    return FINE


@contextmanager
def _looking_at_data(act: str, target: str) -> Iterator[None]:
    """Writes down who sees people's data, and once more where it fails; as `recorded`, but with or without Redis.

    A Redis that is away keeps nobody from an entry that is in the ledger.
    """
    _write_down(act, target)
    try:
        yield
    except BaseException as error:
        _write_down(act, target, failed=str(error) if isinstance(error, SegsyncError) else type(error).__name__)
        raise


def _write_down(act: str, target: str, failed: str = "") -> None:
    local = load_local()
    with suppress(RedisError):
        record(local.redis.client(), Keys(local.namespace), caller(), act, target, failed=failed)


def _try(attempt: PastTry) -> str:
    what = f"{attempt.event_type} " if attempt.event_type else ""
    came = f"{attempt.code}: {attempt.reason}" if attempt.code else "delivered, without it"
    many = counted(attempt.operations, "operation")
    return f"{attempt.at:%Y-%m-%d %H:%M:%S} {what}of {many}: {came}"


def wanted(
    ids: Sequence[int], integration: str | None, code: str | None, segment: str | None = None, *, every: bool = False
) -> Selection:
    """Which entries a command is about; WrongUsage where nobody said, or said two things."""
    segment = segment_id_if_any(segment)
    named = integration or code or segment
    if ids and (named or every):
        raise WrongUsage("expected either IDs, or --integration, --segment, --code or --all")
    if not (ids or named or every):
        raise WrongUsage(
            "which entries? expected IDs, --integration K, --segment ID or --code C (for a retry: or --all)"
        )
    return Selection(tuple(ids), integration, code, segment=segment)


def fitting(integration: str | None, code: str | None, state: str, segment: str | None = None) -> Selection:
    """All entries of a state, perhaps only of an integration, of a segment or with a code."""
    return Selection((), integration, code, _state(state), segment_id_if_any(segment))


def retry(which: Selection, *, as_json: bool) -> int:
    """Sends entries on their way once more; status 1 where some had to stay."""
    runtime = open_runtime()
    runtime.drain_outcomes(UP_TO_DATE_SECONDS)
    if not quarantine.count(runtime.ledger, which):
        refuse_unknown(which.integration)
    with recorded(runtime.redis, runtime.keys, who := caller(), "quarantine retry", control.words_of(which)):
        done = control.retry(runtime, which, who.name)
    return _tell(done, "on its way once more", "on their way once more", as_json=as_json)


def drop(which: Selection, *, as_json: bool, yes: bool = False) -> int:
    """Marks entries dropped, after asking on a terminal; status 1 where some had to stay."""
    runtime = open_runtime()
    runtime.drain_outcomes(UP_TO_DATE_SECONDS)
    many = quarantine.count(runtime.ledger, which)
    if not many:
        refuse_unknown(which.integration)
    elif not is_meant(f"Give up {counted(many, 'entry', 'entries')}?", yes=yes):
        typer.echo("nothing was dropped", err=True)
        return NEEDS_SOMEONE
    with recorded(runtime.redis, runtime.keys, who := caller(), "quarantine drop", control.words_of(which)):
        done = control.drop(runtime, which, who.name)
    return _tell(done, "dropped", "dropped", as_json=as_json)


def _tell(done: Requeued, one: str, many: str, *, as_json: bool) -> int:
    if as_json:
        print_json(done)
    else:
        typer.echo(f"{counted(done.entries, f'entry is {one}', f'entries are {many}')}")
        for entry_id, why in done.left[:WHY_SHOWN]:
            typer.echo(f"{entry_id} stays as it is: {why}")
        if done.skipped > WHY_SHOWN:
            typer.echo(f"and {counted(done.skipped - WHY_SHOWN, 'more stays as it is', 'more stay as they are')}")
    return NEEDS_SOMEONE if done.skipped else FINE


def export(which: Selection, file: str) -> int:
    """Writes entries with their data as JSON lines; a file is made for its owner's eyes only, and never overwritten."""
    if not quarantine.count(open_ledger(), which):
        refuse_unknown(which.integration)
    with _looking_at_data("quarantine export", control.words_of(which)):
        return _export(file, which)


def _export(file: str, which: Selection) -> int:
    if file == "-":
        _write(which, sys.stdout.buffer)
        return FINE
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise WrongUsage(f"{file}: cannot be made: {error.strerror}") from None
    try:
        with open(descriptor, "wb") as out:  # noqa: PTH123 - a descriptor has no path
            count = _write(which, out)
    except BaseException:
        # A full disk, a ledger that went away, Ctrl-C: what is there looks like all of them, and has people's data.
        with suppress(OSError):
            Path(file).unlink()
        raise
    typer.echo(f"{counted(count, 'entry', 'entries')} in {file}; it holds people's data")
    return FINE


def _write(which: Selection, out: IO[bytes]) -> int:
    count = 0
    for line in export_lines(open_ledger(), which):
        out.write(line)
        count += 1
    out.flush()
    return count


def purge(older_than: str, *, yes: bool = False) -> int:
    """Deletes what was resolved before then, after asking on a terminal; open entries and those on their way stay."""
    before = moment(older_than, "--older-than", datetime.now(UTC))
    if not is_meant(f"Delete what was resolved before {before:%Y-%m-%d %H:%M} UTC for good?", yes=yes):
        typer.echo("nothing was deleted", err=True)
        return NEEDS_SOMEONE
    local = load_local()
    with recorded(local.redis.client(), Keys(local.namespace), caller(), "quarantine purge", f"before {before:%F %T}"):
        count = quarantine.purge(open_ledger(), before)
    were, are = ("was", "is") if count == 1 else ("were", "are")
    entries = counted(count, "entry", "entries")
    typer.echo(f"{entries} that {were} resolved before {before:%Y-%m-%d %H:%M} UTC {are} deleted")
    return FINE
