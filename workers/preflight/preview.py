"""The statements that events would run, without Redis and without a database.

It goes the way of a delivery: the event is parsed as the router parses it, the segment's name is what the lane would
know, batches are cut and rendered by the deliverer's own code. Events come in order, as if the lane held nothing
before them and nothing came after. What differs from run to run is fixed, so that a rendering can be kept and compared:
see FIXED_TIME_MS.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from workers.connectors.contract import Group, Unfit
from workers.connectors.sql.rendering import is_idle, render
from workers.delivery.batch import Batch, BatchPolicy
from workers.delivery.batching import Buffer
from workers.delivery.shipping import shipment
from workers.errors import MalformedEvent, WrongUsage
from workers.events.event import Event, Kind
from workers.events.parsing import parse
from workers.events.sequence import Sequence
from workers.lanes.chunks import Operation, pack
from workers.preflight import trial
from workers.routing.routes import Known, Routes
from workers.settings.files import FileError, read_text
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workers.connectors.contract import Shipment
    from workers.integrations import Integration

FIXED_TIME_MS: Final = 1_767_225_600_000
"""The stream's time in previews, 2026-01-01T00:00:00Z: `{event_time}` where an event has no `at`, and the beginning of
`{sequence}`, which counts the events of a file from 0."""
MANY_LINES: Final = ".jsonl"
"""The ending of a file with one event on each line."""


_Ids = dict[tuple[int, int], str]


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
    rejected  what would go to quarantine, each with its place, `_id` and reason; never a field's value
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


class Previewer:
    """Renders events for one integration; WrongUsage for an ad account's, which has no statements."""

    def __init__(self, integration: Integration, default_database: str) -> None:
        if integration.fields is not None:
            key, to = integration.key, integration.connector
            raise WrongUsage(f"{key!r} has no queries, since {to!r} is an ad account; see `segsync fields {key}`")
        self._integration = integration
        self._routes = Routes({integration.key: integration}, default_database)
        self._how = BatchPolicy(integration.batch_size, integration.key_fields, integration.ordering)

    def file(self, path: Path) -> Preview:
        """A .json file's event, or a .jsonl file's; WrongUsage where one cannot be used."""
        return self.events(read_events(path), str(path))

    def text(self, text: str, name: str) -> Preview:
        """One event, or one on each line; WrongUsage where one cannot be used."""
        return self.events(events_of(text, name), name)

    def events(self, events: list[Event], name: str) -> Preview:
        """Events of one segment, in order; WrongUsage where there are several. `name` is where they come from."""
        segments = {event.segment.id for event in events}
        if len(segments) != 1:
            raise WrongUsage(f"{name}: has events of {len(segments)} segments; expected one lane, which is one segment")
        segment = segments.pop()
        preview, ids = Preview(segment), _ids(events)
        for n, event in enumerate(events):
            preview.rejected += [_rejection(n, each.index, ids, each.code, each.reason) for each in event.bad]
        hand = self._hand(events, preview)
        preview.batches = [self._batch(segment, batch, preview, ids) for batch in _batches(hand, self._how)]
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
                clear = last if event.kind is Kind.CLEAR and self._integration.answers(QueryKind.CLEAR) else clear
        return Buffer("", last, clear, chunks)

    def _batch(self, segment: str, batch: Batch, preview: Preview, ids: _Ids) -> Previewed:
        for each in batch.rejected:
            operation = each.operation
            preview.rejected.append(_rejection(operation.n, operation.index, ids, each.code, each.reason))
        shipped = shipment(self._integration, segment, batch)
        try:
            rendered = render(shipped)
        except Unfit as unfit:
            for one in unfit.rejected:
                place = Sequence.from_text(one.sequence)
                preview.rejected.append(_rejection(place.n, place.index, ids, one.code, one.reason))
            rendered = render(shipped.without({one.sequence for one in unfit.rejected}))
        preview.notes += _unsent(shipped, ids)
        queries = [
            trial.TriedQuery(each.event_type, each.profiles, each.statements) for each in rendered if each.statements
        ]
        return Previewed(queries, shipped.event.kind.value if shipped.event and is_idle(shipped) else "")


def _unsent(shipped: Shipment, ids: _Ids) -> Iterator[str]:
    """Profiles for which nothing is sent: the list of their query came out empty, or a condition leaves it all out."""
    for group in shipped.groups:
        for member in group.members:
            place = Sequence.from_text(member.sequence)
            alone = replace(shipped, groups=(Group(group.kind, (member,)),))
            try:
                is_sent = any(query.statements for query in render(alone))
            except Unfit:
                continue  # it stands among the rejected
            if not is_sent:
                where = _place(place.n, place.index, ids)
                yield f"{where}: its {group.kind} query comes out empty: nothing is sent, and it counts as delivered"


def _operations(n: int, event: Event) -> list[Operation]:
    """An event's operations as the router makes them, at the fixed time."""
    if not event.kind.is_profile:
        return [Operation(FIXED_TIME_MS, n, 0, event.kind, event.at_us, b"")]
    return [Operation(FIXED_TIME_MS, n, index, event.kind, event.at_us, raw) for index, _, raw in event.profiles]


def _batches(hand: Buffer, how: BatchPolicy) -> Iterator[Batch]:
    while (batch := hand.cut(how)) is not None:
        yield batch
        hand.settle(batch)


def _ids(events: list[Event]) -> _Ids:
    """The `_id` of each profile that has one, by the event's and the profile's place."""
    found: _Ids = {}
    for n, event in enumerate(events):
        found |= {(n, index): profile_id for index, profile_id, _ in event.profiles}
        found |= {(n, bad.index): bad.profile_id for bad in event.bad if bad.profile_id is not None}
    return found


def _rejection(n: int, index: int, ids: _Ids, code: str, reason: str) -> str:
    """Both places counted from 1."""
    return f"{_place(n, index, ids)}: {code}: {reason}"


def _place(n: int, index: int, ids: _Ids) -> str:
    profile_id = ids.get((n, index))
    named = "" if profile_id is None else f" (_id {profile_id})"
    return f"event {n + 1}, profile {index + 1}{named}"


def read_events(path: Path) -> list[Event]:
    """A .json file's event, or a .jsonl file's; WrongUsage where one cannot be used."""
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


def events_of(text: str, name: str) -> list[Event]:
    """One event, or one on each line; WrongUsage where one cannot be used. `name` is where the text comes from."""
    try:
        return [_parse(text, name)]
    except WrongUsage:
        if "\n" not in text.strip():
            raise
    return [_parse(line, f"{name}, line {n:,}") for n, line in enumerate(text.split("\n"), 1) if line.strip()]


def _parse(text: str, place: str) -> Event:
    try:
        return parse(text.encode())
    except MalformedEvent as error:
        raise WrongUsage(f"{place}: {error}") from None
