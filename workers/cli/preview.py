"""`segsync preview`: the statements that events would run, without Redis and without a database.

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
from typing import TYPE_CHECKING, Final

import typer

from workers.batches import Batch, Cut, Hand
from workers.cli.arguments import WrongUsage
from workers.cli.failing import FINE, NEEDS_SOMEONE, WRONG
from workers.cli.printing import plain
from workers.errors import MalformedEvent
from workers.events import Event, Kind, parse
from workers.lanes.chunks import Operation, pack
from workers.rendering import RenderedQuery, render
from workers.routing import Known, Routes
from workers.settings import load
from workers.settings.files import FileError, read_text
from workers.settings.table import nearest
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workers.integrations import Integration

FIXED_TIME_MS: Final = 1_767_225_600_000
"""The stream's time in previews, 2026-01-01T00:00:00Z: `{event_time}` where an event has no `at`, and the beginning of
`{sequence}`, which counts the events of a file from 0."""
MANY_LINES: Final = ".jsonl"
ENDINGS: Final = (".json", MANY_LINES)


@dataclass(slots=True)
class Preview:
    """What a file's events would run.

    text      statements with headings, as the .sql file keeps them
    rejected  what would go to quarantine, each with its place and reason; never a value
    notes     what deserves a word
    """

    text: str
    rejected: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def run(key: str, path: Path, *, write: bool) -> int:
    """Prints a file's statements, or compares (or writes) a folder's; status 1 for rejections and for differences.

    SettingsError; WrongUsage for an integration, a file or an event that cannot be used.
    """
    settings = load()
    if key not in settings.integrations:
        hint = nearest(key, settings.integrations)
        raise WrongUsage(f"no integration {key[:60]!r} in {settings.local.path}{hint}")
    previewer = Previewer(settings.integrations[key], settings.default_database)
    if path.is_dir():
        return _folder(previewer, path, write=write)
    if write:
        raise WrongUsage("--write makes the .sql files of a folder; for one event: segsync preview K E.json > E.sql")
    preview = previewer.file(path)
    _say(preview.text)
    for line in (*preview.notes, *preview.rejected):
        typer.echo(plain(f"segsync: {line}"), err=True)
    return NEEDS_SOMEONE if preview.rejected else FINE


class Previewer:
    """Renders events for one integration."""

    def __init__(self, integration: Integration, default_database: str) -> None:
        self._integration = integration
        self._routes = Routes({integration.key: integration}, default_database)
        self._how = Cut(integration.batch_size, integration.key_fields, integration.batched)

    def file(self, path: Path) -> Preview:
        """A .json file's event, or a .jsonl file's; WrongUsage where one cannot be used."""
        return self.events(_read(path), str(path))

    def events(self, events: list[Event], name: str) -> Preview:
        """Events of one segment, in order; WrongUsage where there are several. `name` is where they come from."""
        segments = {event.segment.id for event in events}
        if len(segments) != 1:
            raise WrongUsage(f"{name}: has events of {len(segments)} segments; expected one lane, which is one segment")
        segment = segments.pop()
        preview = Preview("")
        for number, event in enumerate(events, 1):
            preview.rejected += [_rejection(number, each.index, each.code, each.reason) for each in event.bad]
        hand = self._hand(events, preview)
        queries = [text for batch in _batches(hand, self._how) for text in self._batch(segment, batch, preview)]
        queries += [f"-- rejected: {line}" for line in preview.rejected]
        preview.text = "\n\n".join(queries or ["-- nothing runs"]) + "\n"
        return preview

    def _hand(self, events: list[Event], preview: Preview) -> Hand:
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
                # Only where there is a clear query (RULES.md 14).
                clear = last if event.kind is Kind.CLEAR and QueryKind.CLEAR in self._integration.queries else clear
        return Hand("", last, clear, chunks)

    def _batch(self, segment: str, batch: Batch, preview: Preview) -> Iterator[str]:
        rendered = render(self._integration, segment, batch)
        for each in rendered.rejected:
            event = each.operation.n + 1
            preview.rejected.append(_rejection(event, each.operation.index, each.code, each.reason))
        if rendered.idle and batch.event is not None:
            yield f"-- {Kind(batch.event.kind).label}: there is no such query, so nothing runs"
        yield from (_query(query) for query in rendered.queries)


def _operations(n: int, event: Event) -> list[Operation]:
    """An event's operations as the router makes them, at the fixed time."""
    if event.kind > Kind.REMOVE:
        return [Operation(FIXED_TIME_MS, n, 0, event.kind, event.at_us, b"")]
    return [Operation(FIXED_TIME_MS, n, index, event.kind, event.at_us, raw) for index, _, raw in event.profiles]


def _batches(hand: Hand, how: Cut) -> Iterator[Batch]:
    while (batch := hand.cut(how)) is not None:
        yield batch
        hand.settle(batch)


def _rejection(event: int, index: int, code: str, reason: str) -> str:
    return f"event {event}, profile {index}: {code}: {reason}"


def _query(query: RenderedQuery) -> str:
    profiles = f", {query.profiles:,} profile{'s' * (query.profiles > 1)}" if query.profiles else ""
    return f"-- {query.event_type}{profiles}\n" + "\n\n".join(map(_ended, query.statements))


def _ended(statement: str) -> str:
    """With a `;`, on a line of its own where a comment could hide it."""
    line = statement.rpartition("\n")[2]
    if "--" in line or "#" in line:
        return f"{statement}\n;"
    return statement if statement.endswith(";") else f"{statement};"


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
