"""What an ad account would be sent for events: each profile's record, as normalised and hashed; nobody is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workers.errors import WrongUsage
from workers.events.profiles import profile
from workers.preflight.preview import read_events
from workers.settings.ad_connectors import AdConnectorSettings
from workers.settings.spelling import plain
from workers.templates import Row, RowProblem, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from workers.connectors.identifiers import Identifier
    from workers.events.event import Event
    from workers.integrations import Integration
    from workers.settings.connectors import AnyConnector

MD5_DIGITS = 32
"""Hexadecimal digits of an MD5 hash; SHA-256 has 64."""
_BECOMES = {
    "empty": "everybody leaves its audiences, which stay",
    "keep": "its audiences stay as they are",
    "delete": "its audiences are deleted",
}


@dataclass(frozen=True, slots=True)
class SentValue:
    """One value as the platform gets it.

    kind   the platform's own word for it
    how    "sha256", "md5" or "as it is"
    alone  finds the person by itself; else it only goes along
    """

    kind: str
    value: str
    how: str
    alone: bool


@dataclass(frozen=True, slots=True)
class PreviewedRecord:
    """One profile.

    left_out  fields without a normal form, and why
    why_not   why nothing is sent of it; "" where something is
    refused   whether it goes to the quarantine for that
    """

    event_type: str
    profile: str
    key: str
    sent: list[SentValue]
    left_out: dict[str, str]
    why_not: str = ""
    refused: bool = False


@dataclass(slots=True)
class RecordPreview:
    """What a file's events come to.

    events    segment events, and what follows from each
    rejected  what would go to the quarantine
    """

    segment: str
    records: list[PreviewedRecord] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)


def preview_records(integration: Integration, connector: AnyConnector, path: Path) -> RecordPreview:
    """Of one file of events, in their order; WrongUsage where it cannot be used."""
    if path.is_dir():
        raise WrongUsage(f"{path} is a folder, and {integration.connector!r} an ad account; expected a file of events")
    return preview_events(integration, connector, read_events(path))


def preview_events(integration: Integration, connector: AnyConnector, events: Sequence[Event]) -> RecordPreview:
    """Of some events, at least one, in their order."""
    policies = connector.on_delete if isinstance(connector, AdConnectorSettings) else {}
    on_delete = policies.get(integration.key, "empty")
    found = RecordPreview(events[0].segment.id)
    for number, event in enumerate(events, 1):
        if event.kind.is_profile:
            _add_profiles(found, integration, event, number)
        else:
            found.events.append(f"{event.kind.label} of segment {event.segment.id}: {_follows(event, on_delete)}")
    return found


def _add_profiles(found: RecordPreview, integration: Integration, event: Event, number: int) -> None:
    found.rejected += [f"event {number}, profile {bad.index + 1}: {bad.code}: {bad.reason}" for bad in event.bad]
    for index, profile_id, raw in event.profiles:
        try:
            record = _record(integration, event, str(profile_id), raw)
        except RowProblem as problem:
            found.rejected.append(f"event {number}, profile {index + 1} (_id {profile_id}): {problem.reason}")
        else:
            found.records.append(record)


def _record(integration: Integration, event: Event, profile_id: str, raw: bytes) -> PreviewedRecord:
    decoded = profile(raw)
    key = ", ".join(key_of(decoded, integration.key_fields))
    assert integration.fields is not None  # noqa: S101 - an ad integration has them
    record = integration.fields.record(Row(decoded, 0, 0))
    sent = [_sent(each, alone=True) for each in record.identifiers]
    along = [_sent(each, alone=False) for each in record.companions] if sent else []
    why_not = "its own consent is no yes" if record.withheld else "" if sent else "none of its fields can be sent"
    refused = not sent and not record.withheld and event.kind.label == "add"
    left_out = {each.field: each.reason for each in record.left_out}
    return PreviewedRecord(event.kind.label, profile_id, key, [*sent, *along], left_out, why_not, refused)


def _sent(identifier: Identifier, *, alone: bool) -> SentValue:
    kind, value, is_plain = identifier
    how = "as it is" if is_plain else "md5" if len(value) == MD5_DIGITS else "sha256"
    return SentValue(kind, value, how, alone)


def _follows(event: Event, on_delete: str) -> str:
    match event.kind.label:
        case "clear":
            return "everybody leaves its audiences"
        case "segment_delete":
            return _BECOMES[on_delete]
        case _:
            return f"its audiences are called {event.segment.name!r}" if event.segment.name else "nothing"


def record_text(found: RecordPreview) -> str:
    """For people."""
    parts = [f"-- {line}" for line in found.events]
    parts += ["\n".join(_lines(each)) for each in found.records]
    parts += [f"-- rejected: {line}" for line in found.rejected]
    return "\n\n".join(parts or ["-- nothing is sent"]) + "\n"


def _lines(record: PreviewedRecord) -> Iterator[str]:
    what = "taken out, as it was sent" if record.event_type == "remove" else "sent"
    yield plain(f"-- {record.event_type} of profile {record.profile} (key {record.key}): {record.why_not or what}")
    for each in record.sent:
        yield plain(f"{each.kind:<16} {each.how:<8} {each.value}{'' if each.alone else '  (only along)'}")
    for name, reason in record.left_out.items():
        yield plain(f"{name:<16} left out: {reason}")
