"""`segsync preview`: the statements that events would run, without Redis and (but for --try) without a database.

It goes the way of a delivery: the event is parsed as the router parses it, the segment's name is what the lane would
know, batches are cut and rendered by the deliverer's own code. Events come in order, as if the lane held nothing
before them and nothing came after. The local file counts, not the applied revision: it is for trying before applying.
What differs from run to run is fixed, so that a rendering can be kept and compared: see FIXED_TIME_MS.
"""

from __future__ import annotations

import difflib
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

import typer

from workers.cli.exit_status import FINE, NEEDS_SOMEONE, WRONG
from workers.cli.output import plain, print_json
from workers.delivery.batching import Batch, BatchPolicy, Buffer
from workers.delivery.rendering import render
from workers.errors import ErrorClass, HoldLevel, MalformedEvent, SettingsError, TargetError, WrongUsage
from workers.events.event import Event, Kind
from workers.events.parsing import parse
from workers.lanes.chunks import Operation, pack
from workers.preflight import trial
from workers.routing.routes import Known, Routes
from workers.settings import load
from workers.settings.files import FileError, read_text
from workers.settings.spelling import nearest
from workers.templates import QueryKind
from workers.templates.statements import terminated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workers.integrations import Integration
    from workers.settings import ConnectorSettings

FIXED_TIME_MS: Final = 1_767_225_600_000
"""The stream's time in previews, 2026-01-01T00:00:00Z: `{event_time}` where an event has no `at`, and the beginning of
`{sequence}`, which counts the events of a file from 0."""
MANY_LINES: Final = ".jsonl"
NO_QUERY: Final = "there is no such query, so nothing runs"
ENDINGS: Final = (".json", MANY_LINES)


@dataclass(slots=True)
class Previewed:
    """A batch as a delivery would run it.

    queries  in order, each with its statements
    absent   the event type that there is no query for; "" otherwise
    """

    queries: list[trial.TriedQuery]
    absent: str = ""


@dataclass(slots=True)
class Preview:
    """What a file's events would run.

    batches   each a transaction of its own
    rejected  what would go to quarantine, each with its place and reason; never a value
    notes     what deserves a word
    """

    segment: str
    batches: list[Previewed] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def queries(self) -> list[list[trial.TriedQuery]]:
        """Each batch's queries."""
        return [batch.queries for batch in self.batches]

    @property
    def text(self) -> str:
        """Statements with headings, as the .sql file keeps them."""
        parts = [part for batch in self.batches for part in _parts(batch)]
        parts += [f"-- rejected: {line}" for line in self.rejected]
        return "\n\n".join(parts or ["-- nothing runs"]) + "\n"


def run(key: str, path: Path, *, write: bool = False, tried: bool = False, as_json: bool = False) -> int:
    """Prints a file's statements, or compares (or writes) a folder's; status 1 for rejections and for differences.

    tried    also runs them, and rolls back; status 1 as well where one fails or the target cannot be reached
    as_json  one object for a program; not for a folder

    SettingsError; WrongUsage for an integration, a file or an event that cannot be used.
    """
    settings = load()
    if key not in settings.integrations:
        hint = nearest(key, settings.integrations)
        raise WrongUsage(f"no integration {key[:60]!r} in {settings.local.path}{hint}")
    integration = settings.integrations[key]
    previewer = Previewer(integration, settings.default_database)
    _check_options(path, write=write, tried=tried, as_json=as_json)
    if path.is_dir():
        return _folder(previewer, path, write=write)
    preview = previewer.file(path)
    outcome = _try(settings.connectors[integration.connector], preview) if tried else None
    if as_json:
        print_json(_as_json(key, preview, outcome))
        said = list(_told(outcome, preview)) if outcome and not outcome.fine else []
    else:
        _say(preview.text)
        said = [*preview.notes, *preview.rejected, *(_told(outcome, preview) if outcome else ())]
    for line in said:
        typer.echo(plain(f"segsync: {line}"), err=True)
    return FINE if not preview.rejected and (outcome is None or outcome.fine) else NEEDS_SOMEONE


def _check_options(path: Path, *, write: bool, tried: bool, as_json: bool) -> None:
    if write and tried:
        raise WrongUsage("--write and --try do not go together: what was tried differs from run to run")
    if path.is_dir() and (tried or as_json):
        option = "--try" if tried else "--json"
        raise WrongUsage(f"{option} is for one file of events, and {path} is a folder; name a file in it")
    if write and not path.is_dir():
        raise WrongUsage("--write makes the .sql files of a folder; for one event: segsync preview K E.json > E.sql")


class Previewer:
    """Renders events for one integration."""

    def __init__(self, integration: Integration, default_database: str) -> None:
        self._integration = integration
        self._routes = Routes({integration.key: integration}, default_database)
        self._how = BatchPolicy(integration.batch_size, integration.key_fields, integration.batched)

    def file(self, path: Path) -> Preview:
        """A .json file's event, or a .jsonl file's; WrongUsage where one cannot be used."""
        return self.events(_read(path), str(path))

    def events(self, events: list[Event], name: str) -> Preview:
        """Events of one segment, in order; WrongUsage where there are several. `name` is where they come from."""
        segments = {event.segment.id for event in events}
        if len(segments) != 1:
            raise WrongUsage(f"{name}: has events of {len(segments)} segments; expected one lane, which is one segment")
        segment = segments.pop()
        preview = Preview(segment)
        for number, event in enumerate(events, 1):
            preview.rejected += [_rejection(number, each.index, each.code, each.reason) for each in event.bad]
        hand = self._hand(events, preview)
        preview.batches = [self._batch(segment, batch, preview) for batch in _batches(hand, self._how)]
        return preview

    def _hand(self, events: list[Event], preview: Preview) -> Buffer:
        """What a deliverer would hold; a chunk for each event, since the segment's name may change between two."""
        known: Known | None = None
        chunks, last, clear = [], "", ""
        for n, event in enumerate(events):
            verdict = self._routes.judge(event.kind, event.segment, known)
            known = verdict.known
            if not verdict.targets:
                preview.notes.append(f"event {n + 1}: as far as it says, the segment is not in the scope; shown anyway")
            if operations := _operations(n, event):
                chunks.append(pack(verdict.name, operations))
                last = operations[-1].sequence
                # Only where there is a clear query (rule 14).
                clear = last if event.kind is Kind.CLEAR and QueryKind.CLEAR in self._integration.queries else clear
        return Buffer("", last, clear, chunks)

    def _batch(self, segment: str, batch: Batch, preview: Preview) -> Previewed:
        rendered = render(self._integration, segment, batch)
        for each in rendered.rejected:
            event = each.operation.n + 1
            preview.rejected.append(_rejection(event, each.operation.index, each.code, each.reason))
        queries = [trial.TriedQuery(each.event_type, each.profiles, each.statements) for each in rendered.queries]
        idle = rendered.idle and batch.event is not None
        return Previewed(queries, Kind(batch.event.kind).label if idle and batch.event is not None else "")


def _operations(n: int, event: Event) -> list[Operation]:
    """An event's operations as the router makes them, at the fixed time."""
    if not event.kind.is_profile:
        return [Operation(FIXED_TIME_MS, n, 0, event.kind, event.at_us, b"")]
    return [Operation(FIXED_TIME_MS, n, index, event.kind, event.at_us, raw) for index, _, raw in event.profiles]


def _batches(hand: Buffer, how: BatchPolicy) -> Iterator[Batch]:
    while (batch := hand.cut(how)) is not None:
        yield batch
        hand.settle(batch)


def _rejection(event: int, index: int, code: str, reason: str) -> str:
    return f"event {event}, profile {index}: {code}: {reason}"


def _parts(batch: Previewed) -> Iterator[str]:
    if batch.absent:
        yield f"-- {batch.absent}: {NO_QUERY}"
    for query in batch.queries:
        profiles = f", {query.profiles:,} profile{'s' * (query.profiles > 1)}" if query.profiles else ""
        yield f"-- {query.event_type}{profiles}\n" + "\n\n".join(_statements(query))


def _statements(query: trial.TriedQuery) -> Iterator[str]:
    """Each with its `;` and, where it was tried, what came of it."""
    for statement, came in zip_longest(query.statements, query.tried):
        yield "\n".join([terminated(statement), *(_came(came) if came is not None else ())])


def _came(came: trial.Ran | TargetError) -> list[str]:
    if isinstance(came, trial.Ran):
        return [f"-- tried: {came.rows:,} row{'s' * (came.rows != 1)} affected"]
    first, *others = _failure(came)
    return [f"-- failed: {plain(first)}", *(f"-- {plain(line)}" for line in others)]


def _failure(error: TargetError) -> list[str]:
    """Our sentence, and the vendor's own, which may quote the data: who reads it has the event at hand."""
    said = [line for line in error.detail.splitlines() if line.strip()]
    return [f"{error.code} ({error.error_class.value}): {error.reason}", *(f"    {line}" for line in said)]


# --- Trying ------------------------------------------------------------------------------------------------------


def _try(connector: ConnectorSettings, preview: Preview) -> trial.Outcome:
    """Runs a preview's statements and rolls back."""
    try:
        target = connector.resolve()
    except SettingsError as error:
        # As for a deliverer: what only the target needs is no mistake of the file's.
        reason = "; ".join(map(str, error.mistakes))
        missing = TargetError(ErrorClass.HOLD, "segsync settings", reason, level=HoldLevel.CONNECTOR)
        return trial.Outcome(unreachable=missing)
    if sum(map(bool, preview.queries)) > 1:
        preview.notes.append("each batch is tried by itself: what an earlier one did, a later one does not see")
    try:
        return trial.attempt(target, preview.queries)
    except trial.Untryable as error:
        raise WrongUsage(str(error)) from None


def _told(outcome: trial.Outcome, preview: Preview) -> Iterator[str]:
    if outcome.unreachable is not None:
        first, *others = _failure(outcome.unreachable)
        yield from (f"cannot try: {first}", *others)
    if outcome.interrupted:
        yield "interrupted; nothing more was run"
    if outcome.committed:
        yield "WARNING: COMMITTED. A statement ended the transaction by itself; does it call a procedure that commits?"
        yield "WARNING: what had run until then may be in the database for good. Nothing more was run; look at the rows"
    elif outcome.loose:
        yield "its session could not be ended: the server rolls back when the statement that was broken off is over"
    elif outcome.unsure:
        yield "rolled back, except for what a procedure that was called may have committed: look at the rows"
    elif outcome.unreachable is None:
        yield "tried, and rolled back" if any(preview.queries) else "there is nothing to try"


def _as_json(key: str, preview: Preview, outcome: trial.Outcome | None) -> dict[str, object]:
    absent = [f"{batch.absent}: {NO_QUERY}" for batch in preview.batches if batch.absent]
    tried: dict[str, object] = {}
    if outcome is not None:
        tried = {
            "rolled_back": not (outcome.committed or outcome.loose or outcome.unsure),
            "interrupted": outcome.interrupted,
            "unreachable": _came_json(outcome.unreachable) if outcome.unreachable else None,
        }
    return {
        "integration": key,
        "segment": preview.segment,
        "queries": [
            {
                "event_type": query.event_type,
                "profiles": query.profiles,
                "statements": query.statements,
                "tried": [_came_json(came) for came in query.tried],
            }
            for queries in preview.queries
            for query in queries
        ],
        "rejected": preview.rejected,
        "notes": [*preview.notes, *absent],
        **tried,
    }


def _came_json(came: trial.Ran | TargetError) -> dict[str, object]:
    if isinstance(came, trial.Ran):
        return {"rows": came.rows}
    return {"code": came.code, "class": came.error_class.value, "reason": came.reason, "detail": came.detail}


# --- Files -------------------------------------------------------------------------------------------------------


def _read(path: Path) -> list[Event]:
    try:
        text = read_text(path)
    except FileError as error:
        raise WrongUsage(f"{path}: {error}") from None
    if path.suffix != MANY_LINES:
        return [_parse(text, str(path))]
    lines = enumerate(text.split("\n"), 1)
    events = [_parse(line, f"{path}: line {number:,}") for number, line in lines if line.strip()]
    if not events:
        raise WrongUsage(f"{path}: holds no event; expected one on each line")
    return events


def _parse(text: str, place: str) -> Event:
    try:
        return parse(text.encode())
    except MalformedEvent as error:
        raise WrongUsage(f"{place}: {error}") from None


def _folder(previewer: Previewer, folder: Path, *, write: bool) -> int:
    """All files, whatever is wrong with some; what is wrong with an event counts for more than a difference."""
    status = FINE
    for target, source in _pairs(folder).items():
        try:
            same = _settle(target, previewer.file(source).text, write=write)
        except WrongUsage as error:
            typer.echo(plain(f"segsync: {error}"), err=True)
            status = WRONG
        else:
            status = max(status, FINE if same else NEEDS_SOMEONE)
    return status


def _pairs(folder: Path) -> dict[Path, Path]:
    """The .sql file that belongs to each file of events, by name."""
    found = defaultdict(list)
    try:
        names = sorted(folder.iterdir())
    except OSError as error:
        raise WrongUsage(f"{folder}: cannot be read: {error.strerror}") from None
    for path in names:
        if path.suffix in ENDINGS:
            found[path.with_suffix(".sql")].append(path)
    if not found:
        raise WrongUsage(f"{folder}: holds no *.json and no *.jsonl; expected events")
    for target, sources in found.items():
        if len(sources) > 1:
            raise WrongUsage(f"{target} would belong to {sources[0].name} and {sources[1].name}; rename one")
    return {target: sources[0] for target, sources in found.items()}


def _settle(target: Path, text: str, *, write: bool) -> bool:
    """Whether the .sql file holds this text in the end; else the difference is printed."""
    try:
        before = target.read_bytes() if target.exists() else None
        if before == text.encode():
            return True
        if not write:
            _say(_difference(target, before, text))
            return False
        target.write_bytes(text.encode())
    except OSError as error:
        raise WrongUsage(f"{target}: {error.strerror}") from None
    typer.echo(plain(f"{target} {'is written' if before is None else 'is updated'}"))
    return True


def _difference(target: Path, before: bytes | None, text: str) -> str:
    kept = [] if before is None else before.decode(errors="backslashreplace").split("\n")
    missing = " (missing)" if before is None else ""
    # Not splitlines: values may hold line ends of other kinds, and those are no lines of the file.
    lines = difflib.unified_diff(kept, text.split("\n"), f"{target}{missing}", f"{target} (now)", lineterm="")
    return "\n".join(lines) + "\n"


def _say(text: str) -> None:
    """As it is for a file or a program; a terminal gets nothing that it would obey."""
    typer.echo(plain(text) if sys.stdout.isatty() else text, nl=False)
