"""`segsync resync` and `segsync verify`: asking for runs, watching them, and saying yes or no."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import typer

from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.cli.installation import open_runtime
from workers.cli.output import print_json, print_table
from workers.cli.people import caller
from workers.control import resync as control
from workers.control.acting import recorded
from workers.errors import WrongUsage
from workers.lanes.runs import ResyncRuns
from workers.ledger.errors import LedgerError
from workers.ledger.resyncs import last_resyncs
from workers.resync.run import ResyncRun
from workers.resync.told_runs import EndedRun, ToldRun
from workers.settings.spelling import counted, in_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from workers.outcomes import Resynced
    from workers.runtime import Runtime

LOOK_EVERY_SECONDS: Final = 0.3
SAY_EVERY_SECONDS: Final = 5.0
"""Where no terminal is."""
LISTED: Final = 20
"""Runs that have ended and are shown: what fits a screen."""
GOOD: Final = ("done", "equal")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which segments of which integration are meant, as they were typed."""

    integration: str | None
    named: Sequence[str]
    every: bool
    needed: bool

    def segments(self, runtime: Runtime, command: str = "resync") -> tuple[str, list[str]]:
        """The integration and its segments; WrongUsage, which shows how `command` is used."""
        if self.integration is None:
            raise WrongUsage(f"no integration is named; expected its key, as in `segsync {command} crm --segment 7`")
        if not (self.named or self.every or self.needed):
            raise WrongUsage("no segment is named; expected --segment ID (as often as needed), --needed or --all")
        found = control.segments_of(runtime, self.integration, self.named, every=self.every, needed=self.needed)
        for segment in self.named:
            control.check_followed(runtime, self.integration, segment)
        return self.integration, found


def check_act(acts: Mapping[str, object], chosen: Mapping[str, object], accept: str | None) -> None:
    """WrongUsage where options were given that do not go together: each would be passed over without a word.

    acts    options that do something with runs that there are, each with its value
    chosen  what says which segments are meant, in the same way
    """
    given = [name for name, value in acts.items() if value not in (None, False)]
    if accept is not None and "--confirm" not in given:
        raise WrongUsage(
            f"--accept {accept[:60]!r} says yes to no run; expected --confirm RUN beside it, as in "
            "`segsync resync --confirm 12 --accept removals=40,adds=900`: a run says when it needs that"
        )
    if len(given) > 1:
        raise WrongUsage(f"{' and '.join(given)} do not go together; expected one of them")
    if given and (more := [name for name, value in chosen.items() if value]):
        raise WrongUsage(f"{given[0]} stands without {', '.join(more)}; expected {_ALONE[given[0]]} and nothing else")


_ALONE: Final = {
    "--list": "--list, which shows all runs,",
    "--confirm": "--confirm RUN --accept removals=N,adds=M, which say the segment by themselves,",
    "--cancel": "--cancel RUN, which says the segment by itself,",
}


def resync(choice: Choice, *, watch: bool, as_json: bool) -> int:
    """Asks for a run of each segment."""
    runtime = open_runtime()
    asked = _ask(runtime, choice, "resync")
    if as_json:
        return _watch(runtime, [name for *_, name, _ in asked], to_end=watch, as_json=True)
    for integration, segment, name, fresh in asked:
        run = None if fresh else ResyncRun.read(ResyncRuns(runtime.lanes).read(name))
        typer.echo(in_line(f"run {name}: segment {segment} of {integration}{'' if fresh else _joined(run)}"))
    if not asked:
        typer.echo("there is nothing to do: no such segment")
    return _watch(runtime, [name for *_, name, _ in asked]) if watch else FINE


def _joined(run: ResyncRun | None) -> str:
    if run is not None and run.cancelled and run.again:
        return f", which {run.cancelled} has cancelled: once that is over, it begins anew"
    if run is not None and run.again:
        return ", which has begun: once it is through, it reads its source and tells all members once more"
    return ", which was asked for before"


def verify(choice: Choice, *, show: bool, as_json: bool) -> int:
    """Asks, waits for the answers, and prints them."""
    runtime = open_runtime()
    asked = _ask(runtime, choice, "verify")
    found = [_verified(runtime, run, quiet=as_json) for _, _, run, _ in asked]
    if as_json:
        print_json([ToldRun.of(run) for run in found])
    else:
        for run in found:
            typer.echo(in_line(_verdict(run)))
            if show:
                _show(run)
    if not asked:
        # Silence would be taken for all of them being equal, as after a Redis that was emptied.
        which = "that needs it " if choice.needed else ""
        typer.echo(f"nothing was compared: no segment {which}is known", err=True)
        return NEEDS_SOMEONE if choice.every else FINE
    return FINE if all(run.outcome == "equal" for run in found) else NEEDS_SOMEONE


def _ask(runtime: Runtime, choice: Choice, kind: str) -> list[tuple[str, str, str, bool]]:
    integration, segments = choice.segments(runtime, kind)
    who = caller()
    what = f"{integration}, {_segments(segments)}"
    with recorded(runtime.redis, runtime.keys, who, kind, what):
        return [(integration, *asked) for asked in control.ask(runtime, integration, segments, who.name, kind)]


def _segments(segments: Sequence[str]) -> str:
    return f"segment {segments[0]}" if len(segments) == 1 else counted(len(segments), "segment")


def show_runs(*, as_json: bool) -> int:
    """What is open, and what has ended lately, as far as the ledger can be read."""
    runtime = open_runtime()
    runs = ResyncRuns(runtime.lanes)
    found = [run for name in runs.open() if (run := ResyncRun.read(runs.read(name))) is not None]
    try:
        past = last_resyncs(runtime.ledger, LISTED)
    except LedgerError as error:
        past = []
        typer.echo(f"! what has ended cannot be told: {error}", err=True)
    if as_json:
        print_json({"open": [ToldRun.of(run) for run in found], "ended": [EndedRun.of(each) for each in past]})
        return FINE
    columns = (">run", "integration", "segment", "what", "by", "asked, UTC", "how far", "why")
    opened = [(r.id, r.integration, r.segment, _what(r), r.by, _time(r.asked), _progress(r), r.why) for r in found]
    ended = [(p.run, p.integration, p.segment, _what(p), p.by, _time(p.asked_ms), p.outcome, p.reason) for p in past]
    if opened or ended:
        print_table(columns, [*opened, *ended])
    else:
        typer.echo("no run is open, and none has ended")
    return FINE


def confirm(name: str, accept: str, *, watch: bool, as_json: bool) -> int:
    """Begins anew, with a person's word."""
    runtime = open_runtime()
    with recorded(runtime.redis, runtime.keys, who := caller(), "resync --confirm", name, reason=accept):
        run, before = control.confirm(runtime, name, accept, who.name)
    if as_json:
        return _watch(runtime, [run], to_end=watch, as_json=True)
    typer.echo(in_line(f"run {run}: segment {before.segment} of {before.integration}, in place of run {name}"))
    return _watch(runtime, [run]) if watch else FINE


def cancel(name: str, *, as_json: bool) -> int:
    """Its reader ends it, when what is on its way has been delivered."""
    runtime = open_runtime()
    with recorded(runtime.redis, runtime.keys, who := caller(), "resync --cancel", name):
        open_still = control.cancel(runtime, name, who.name)
    if as_json:
        print_json({"run": name, "was_open": open_still})
    elif open_still:
        typer.echo(f"run {name} ends; what it has changed stays, and its segment is flagged if that is half of it")
    else:
        typer.echo(f"run {name} was over")
    return FINE


def _watch(runtime: Runtime, names: Sequence[str], *, to_end: bool = True, as_json: bool = False) -> int:
    find = partial(_ended, quiet=as_json) if to_end else control.find
    found = [find(runtime, name) for name in names]
    if as_json:
        print_json([ToldRun.of(run) for run in found])
    else:
        for run in found:
            typer.echo(in_line(_verdict(run)))
    return FINE if not to_end or all(run.outcome in GOOD for run in found) else NEEDS_SOMEONE


def _ended(runtime: Runtime, name: str, *, quiet: bool) -> ResyncRun:
    """The run when it is over; says how far it is meanwhile, on stderr."""
    said, said_at = "", 0.0
    terminal = sys.stderr.isatty()
    for run in _looks(runtime, name):
        line = in_line(f"run {name}: {_progress(run)}{': ' + run.why if run.why and run.state != 'ended' else ''}")
        due = terminal or time.monotonic() - said_at > SAY_EVERY_SECONDS
        if line != said and due and not quiet and run.state != "ended":
            typer.echo(f"\r\x1b[K{line}" if terminal else line, err=True, nl=not terminal)
            said, said_at = line, time.monotonic()
    if terminal and said:
        typer.echo("\r\x1b[K", err=True, nl=False)
    return run


def _verified(runtime: Runtime, name: str, *, quiet: bool) -> ResyncRun:
    """A verification that is over. One that has joined an open resync looks at what that has left."""
    run = _ended(runtime, name, quiet=quiet)
    while run.kind != "verify":
        again, _ = ResyncRuns(runtime.lanes).ask(run.integration, run.segment, caller().name, "verify")
        run = _ended(runtime, again, quiet=quiet)
    return run


def _looks(runtime: Runtime, name: str) -> Iterator[ResyncRun]:
    while True:
        run = control.find(runtime, name)
        yield run
        if run.state == "ended":
            return
        time.sleep(LOOK_EVERY_SECONDS)


def _progress(run: ResyncRun) -> str:
    return f"{run.progress}{_bar(run)}"


def _bar(run: ResyncRun) -> str:
    if run.part is None or not sys.stderr.isatty():
        return ""
    full = int(20 * run.part)
    return f" [{'#' * full}{'.' * (20 - full)}]"


def _what(run: ResyncRun | Resynced) -> str:
    """What it does: looks only, or how it makes the target equal, once that is known."""
    return "verify" if run.kind == "verify" else run.mode or run.kind


def _verdict(run: ResyncRun) -> str:
    where = f"run {run.id}, segment {run.segment} of {run.integration}"
    mind = f"; {run.why}" if run.why else ""
    unusable = f"; {run.unusable:,} members have no usable key" if run.unusable else ""
    if run.outcome == "done":
        stays = f"; {run.spelled:,} rows are members' spelled otherwise, and stay" if run.spelled else ""
        refused = f"; {run.quarantined:,} went to the quarantine" if run.quarantined else ""
        strays = "; rows of no member stay: this run can neither find nor clear them" if run.mode == "resend" else ""
        told = f"{run.added:,} members told, {run.removed:,} rows removed"
        return f"{where}: done; {told}{_folded(run)}{stays}{refused}{unusable}{strays}{mind}"
    if run.outcome in ("equal", "differs"):
        repeated = f"; {run.repeated:,} rows beside another one of their very key" if run.repeated else ""
        return (
            f"{where}: {run.outcome}; {run.members:,} members, {run.rows:,} rows; {run.missing:,} members missing, "
            f"{run.strays:,} rows of no member, {run.spelled:,} spelled otherwise"
            f"{_folded(run)}{repeated}{unusable}{mind}"
        )
    if run.outcome == control.CONFIRMABLE:
        accept = f"removals={run.strays},adds={run.missing}"
        command = f"segsync resync --confirm {run.id} --accept {accept}"
        changed = "no more was changed" if run.told else "nothing was changed"
        return f"{where}: {changed}, since {run.why}. If that is right: {command}"
    return f"{where}: {run.outcome}: {run.why}"


def _folded(run: ResyncRun) -> str:
    if not run.folded:
        return ""
    members = counted(run.folded, "member")
    return f"; {members} folded: the target takes the key for that of a row which is spelled otherwise"


def _show(run: ResyncRun) -> None:
    names = {"missing": "missing", "strays": "of no member", "spelled": "spelled otherwise", "folded": "folded"}
    for what, keys in json.loads(run.shown or "{}").items():
        for key in keys:
            typer.echo(in_line(f"  {names[what]}: {key}"))


def _time(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%m-%d %H:%M:%S}"
