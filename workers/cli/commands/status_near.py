"""How `segsync status K` is printed: one integration and its lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from workers.cli.output import print_table
from workers.monitoring.needs import facts_of
from workers.settings.spelling import age, counted, in_line

if TYPE_CHECKING:
    from workers.monitoring.lane_list import ListedLane, NearStatus


def print_near(found: NearStatus) -> None:
    """For people."""
    state = found.integration
    more = f"{facts_of(state)}: {state.reason}" if state.reason else ""
    oldest = "" if state.oldest_age_s is None else f", the oldest for {age(state.oldest_age_s)}"
    facts = {
        "name": found.name if found.name != state.key else "",
        "description": found.description,
        "state": f"{state.state}{more}",
        "connector": found.connector,
        "scope": found.scope,
        "backlog": f"{counted(state.backlog, 'operation')} for {counted(state.lanes, 'segment')}{oldest}",
        "quarantine": counted(state.quarantine or 0, "open entry", "open entries"),
    }
    typer.echo(in_line(state.key))
    for name, value in facts.items():
        if value:
            typer.echo(in_line(f"    {name:<12}{value}"))
    if found.lanes:
        typer.echo()
        columns = ("segment", "?name", ">owes", ">due in", "?>failed", "?what it waits for")
        print_table(columns, map(_cells, found.lanes))
        if state.lanes > len(found.lanes):
            typer.echo(f"\n{len(found.lanes):,} of {counted(state.lanes, 'lane')}: those that come first, and last")
    for sentence in found.needs:
        typer.echo(f"\n! {in_line(sentence)}")


def _cells(each: ListedLane) -> tuple[object, ...]:
    lane = each.lane
    due = "now" if each.due_in_s is not None and each.due_in_s < 1 else age(each.due_in_s)
    waits = f"served by {lane.owner}" if lane.owner else lane.hold or lane.why or None
    return each.segment, each.name, lane.owes, due, lane.attempts, waits
