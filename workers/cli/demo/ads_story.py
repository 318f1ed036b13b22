"""What became of the profiles on the ad platforms: read back from the stand-ins, compared, and told."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import typer

from workers.cli.demo import ads_events
from workers.cli.demo.ads_events import ANN, LEAVERS, MOVERS, NAME, NOBODY, PEOPLE, READERS, SPELLINGS, STAYED
from workers.cli.demo.stand_ins import members_of
from workers.preflight.transmission import HOW, NAMES, transmissions
from workers.quarantine.entries import list_entries
from workers.settings.spelling import plain
from workers.templates import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workers.cli.demo.stand_ins import Members, StandIn
    from workers.connectors.audiences.store.work import Standing
    from workers.connectors.identifiers import Identifier
    from workers.integrations import Integration
    from workers.ledger.database import Ledger
    from workers.preflight.transmission import Transmission
    from workers.quarantine.entries import QuarantineEntry
    from workers.settings import Settings
    from workers.targets import OpenAccount

WIDTH: Final = 80
"""Columns that are printed at most."""


@dataclass(frozen=True, slots=True)
class FoundAtPlatforms:
    """All that was read back, by connector.

    expected   whom the stand-ins must have
    members    whom they have
    standings  what segsync knows of its audiences
    entries    of the quarantine
    """

    expected: dict[str, Members]
    members: dict[str, Members]
    standings: dict[str, list[Standing]]
    entries: list[QuarantineEntry]

    def differences(self) -> list[str]:
        """What is not as it must be, in words; [] once everything is."""
        return list(self._differences())

    def _differences(self) -> Iterator[str]:
        for key, wanted in self.expected.items():
            missing, strange = wanted - self.members[key], self.members[key] - wanted
            if missing:
                yield f"{key}: {len(missing):,} identifiers are missing, such as {min(missing)}"
            if strange:
                yield f"{key}: {len(strange):,} identifiers should not be there, such as {min(strange)}"
        for key, audiences in self.standings.items():
            for each in audiences:
                if each.owed or each.pending:
                    yield f"{key}: {each.owed:,} identifiers are owed, {each.pending:,} are on their way"
        set_aside = sorted((entry.integration or "", entry.profile or "") for entry in self.entries)
        if set_aside != sorted((f"to-{key}", NOBODY.id) for key in self.expected):
            yield f"quarantine: {set_aside}; expected {NOBODY.id} once for each platform"


def read_platforms(
    expected: dict[str, Members],
    stand_ins: Mapping[str, StandIn],
    accounts: Mapping[str, OpenAccount],
    ledger: Ledger,
) -> FoundAtPlatforms:
    """Reads stand-ins, store and ledger as they are now. LedgerError, TargetError."""
    return FoundAtPlatforms(
        expected=expected,
        members=members_of(stand_ins, NAME),
        standings={key: account.connector.standings() for key, account in accounts.items()},
        entries=list_entries(ledger),
    )


def tell_first() -> None:
    """What is pushed first."""
    typer.echo(f"""
Pushed: segment {ads_events.SEGMENT} "{NAME}", and {len(PEOPLE) + 1 + len(READERS):,} profiles that enter it, such as
""")
    for each in (*PEOPLE, NOBODY, READERS[0]):
        email, phone = f'"{each.email}"', f'"{each.phone}"' if each.phone else ""
        typer.echo(f"    {each.id:<8}{each.name:<10}{email:<24}{phone}".rstrip())


def tell_second(hours: int) -> None:
    """What is pushed once all have the first."""
    typer.echo(f"""
All four platforms have them, {hours} hours later by their clocks. Pushed then:

    remove  {len(LEAVERS)} readers
    add     {len(MOVERS)} readers, who have another e-mail address now""")


def tell_platforms(found: FoundAtPlatforms, settings: Settings, stand_ins: Mapping[str, StandIn]) -> None:
    """For each platform what left the house, whom it has, who was left out, and one record."""
    for transmission in transmissions(settings):
        key, integration = transmission.connector, settings.integrations[transmission.key]
        typer.echo(f"\n{transmission.target}\n{'─' * WIDTH}")
        _tell_fields(transmission)
        _tell_members(key, found, len(stand_ins[key].writes()))
        _tell_left_out(integration, found)
        _tell_record(integration, found.members[key])


def _tell_fields(transmission: Transmission) -> None:
    typer.echo(f"What left the house (`segsync fields {transmission.key}`)\n")
    for each in transmission.transmitted:
        name = each.name if each.of == "profile" else NAMES[each.name]
        typer.echo(f"    {name:<20}{HOW[each.manner]:<18}as {', '.join(each.by)}")


def _tell_members(key: str, found: FoundAtPlatforms, writes: int) -> None:
    words, members = SPELLINGS[key], found.members[key]
    mails, phones = (sum(kind == word for kind, _ in members) for word in (words.email, words.phone))
    verdict = "as it must be" if members == found.expected[key] else f"expected {len(found.expected[key]):,} in all"
    typer.echo(f"""
Whom the platform has, after {writes} calls (logins among them)

    {mails:,} e-mail addresses, {phones:,} phone numbers: {verdict}""")


def _tell_left_out(integration: Integration, found: FoundAtPlatforms) -> None:
    typer.echo("\nWho was left out, and why\n")
    assert integration.fields is not None  # noqa: S101 - an ad integration has them
    for person in PEOPLE:
        for each in integration.fields.record(Row(person.profile, 0, 0)).left_out:
            _tell_wrapped(f"{person.name}'s {each.field}: {each.reason}; the rest of the profile went")
    for entry in found.entries:
        if entry.integration == integration.key:
            _tell_wrapped(f"{NOBODY.name}, who is in quarantine: {entry.reason}")


def _tell_wrapped(text: str) -> None:
    typer.echo(textwrap.fill(plain(text), WIDTH, initial_indent="    ", subsequent_indent="      "))


def _tell_record(integration: Integration, members: Members) -> None:
    assert integration.fields is not None  # noqa: S101 - an ad integration has them
    record = integration.fields.record(Row(ANN.profile, 0, 0))
    typer.echo(f"\n{ANN.name} as sent\n")
    for each in record.identifiers:
        there = "the platform has it" if (each.kind, each.value) in members else "THE PLATFORM DOES NOT HAVE IT"
        typer.echo(f"    {each.kind} = {_origin(each)}; {there}\n      {each.value}")
    for each in record.companions:
        typer.echo(f"    {each.kind} = {_origin(each)}, only along with the others\n      {each.value}")


def _origin(identifier: Identifier) -> str:
    """Of which text it is the hash, by trying Ann's normal forms."""
    for how in ("sha256", "md5"):
        for text in (ANN.to_email, ANN.to_phone, f"+{ANN.to_phone}", ANN.name.lower(), ANN.id):
            if ads_events.digest(how, text) == identifier.value:
                return f'{how} of "{text}"'
    return "as it is"


def expected_first() -> dict[str, Members]:
    """Whom each platform must have before anybody leaves."""
    return {key: ads_events.expected(key, (*PEOPLE, *READERS)) for key in SPELLINGS}


def expected_last() -> dict[str, Members]:
    """Whom each platform must have in the end."""
    return {key: ads_events.expected(key, STAYED) for key in SPELLINGS}
