"""`segsync why`: where a profile is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from workers.cli.commands.runs import print_runs
from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.cli.installation import open_runtime, refuse_unknown
from workers.cli.output import print_json
from workers.monitoring import whereabouts
from workers.monitoring.needs import facts_of, spelled
from workers.settings.spelling import counted, in_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.monitoring.tracing import Head, Met, Sight
    from workers.monitoring.whereabouts import Whereabouts


def run(integration: str, segment: str, profile: str | None, *, as_json: bool) -> int:
    """Prints it; needs someone where it does not go on by itself."""
    refuse_unknown(integration)
    found = whereabouts.find(open_runtime(), integration, segment, profile)
    if as_json:
        print_json(found)
    else:
        _print(found)
    return NEEDS_SOMEONE if found.needs else FINE


def _print(found: Whereabouts) -> None:
    typer.echo(f"{in_line(found.verdict)}\n")
    for name, line in _facts(found):
        typer.echo(in_line(f"{name:<12}{line}"))
    if found.deliveries:
        typer.echo("\nThe segment's last deliveries:\n")
        print_runs(found.deliveries)
    for sentence in found.unread:
        typer.echo(f"\n! {in_line(sentence)}", err=True)


def _facts(found: Whereabouts) -> Iterator[tuple[str, str]]:
    yield "scope", _scope(found)
    state, lane = found.state, found.lane
    yield "state", state.state + (f"{facts_of(state)}: {state.reason}" if state.reason else "")
    intake = found.intake
    yield "intake", f"{counted(intake.total, 'event')} in it, {intake.segment:,} of the segment{_partly(intake)}"
    yield from (("", _met(met)) for met in intake.met)
    owes = counted(lane.owes, "operation")
    since = f", the oldest of {spelled(lane.oldest)}" if lane.owes else ""
    yield "lane", f"owes {owes}{since}{_partly(found.waiting)}"
    yield from (("", _met(met)) for met in found.waiting.met)
    yield from (("", f"{_met(met)} of the whole segment") for met in found.waiting.whole if found.profile)
    if lane.why or lane.hold:
        yield "", f"{counted(lane.attempts, 'failed try', 'failed tries')}: {lane.hold or lane.why}"
    if found.head is not None:
        yield "", f"stands at the {_head(found.head)}, which fails by itself"
    yield "quarantine", "nothing" if not found.entries else counted(len(found.entries), "entry", "entries")
    for entry in found.entries:
        yield "", f"{entry.id}, {entry.state}: {entry.event_type} of {spelled(entry.at)}: {entry.code}: {entry.reason}"


def _head(head: Head) -> str:
    whose = "" if head.profile is None else f" of profile {head.profile}"
    return f"{head.what} of {spelled(head.at)}{whose}"


def _scope(found: Whereabouts) -> str:
    scope = found.scope
    facts = [f"database {scope.database}", *(f"{name} {', '.join(values)}" for name, values in _sets(found) if values)]
    facts = [repr(scope.name), *facts] if scope.name else facts
    described = ", ".join(facts) if scope.known else "which nobody has described"
    remedy = f"`segsync resync {found.integration} --segment {found.segment}`, or push them again"
    more = f"; it was never told of all its members: {remedy}" if scope.needs_resync else ""
    more += f"; {counted(scope.unwanted, 'operation')} of it were wanted by nobody" if scope.unwanted else ""
    is_in = "in" if scope.wants else "not in"
    return f"segment {found.segment} ({described}) is {is_in} it: {scope.words or 'not applied any more'}{more}"


def _sets(found: Whereabouts) -> tuple[tuple[str, list[str]], ...]:
    return ("groups", found.scope.groups), ("tags", found.scope.tags)


def _partly(sight: Sight) -> str:
    return "" if sight.is_whole else f"; only the first {sight.looked:,} were looked at"


def _met(met: Met) -> str:
    return f"{met.place:,}. {met.what}, {spelled(met.at)}"
