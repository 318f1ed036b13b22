"""`segsync erase`: a person's data, out of all places where segsync has it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.cli.installation import open_runtime
from workers.cli.output import print_json, print_table
from workers.cli.people import caller
from workers.control.acting import recorded
from workers.control.erasing import Erasure
from workers.control.wanted import FEWEST_CHARACTERS, MOST, is_surrogate, told_of, wrong_name, wrong_with
from workers.errors import WrongUsage
from workers.settings.spelling import counted, in_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.control.erasing import PlaceFound


@dataclass(frozen=True, slots=True)
class EraseManner:
    """How it is done, and why."""

    reason: str
    dry_run: bool
    yes: bool
    as_json: bool


def run(profiles: Sequence[str], values: str | None, how: EraseManner) -> int:
    """Looks, shows, asks, erases; 1 where something is found that is not gone yet.

    values  a file with one in each line, or "-"
    """
    wanted = frozenset(profiles), frozenset(_lines(values) if values is not None else ())
    if any(map(is_surrogate, "".join(profiles))):
        raise WrongUsage("--profile: bytes that are no text; expected UTF-8")
    if wrong := next(filter(None, map(wrong_name, profiles)), ""):
        raise WrongUsage(f"--profile: {wrong}")
    _refuse(*wanted)
    runtime = open_runtime()
    erasure = Erasure(runtime, *wanted)
    found = erasure.find()
    places = found.places()
    if not how.as_json:
        _print(places)
    told = told_of(*wanted)
    if _is_meant(places, how):
        with recorded(runtime.redis, runtime.keys, who := caller(), "erase", told, reason=how.reason):
            places = erasure.erase(found, who.name)
        if not how.as_json:
            _tell(places, erased=found.has_anything)
    elif places and not how.as_json:
        typer.echo("\nNothing is erased.")
    if how.as_json:
        print_json(places)
    return NEEDS_SOMEONE if any(each.left for each in places) else FINE


def _is_meant(places: Sequence[PlaceFound], how: EraseManner) -> bool:
    """Nothing brings it back: so a pipe at our input is no yes."""
    if how.dry_run:
        return False
    if how.yes:
        return True
    asks = sys.stdin is not None and sys.stdin.isatty()
    return asks and bool(places) and typer.confirm("Erase it?", default=False)


def _lines(values: str) -> list[str]:
    try:
        raw = sys.stdin.buffer.read() if values == "-" else Path(values).read_bytes()
    except OSError as error:
        raise WrongUsage(f"--values {values}: {error.strerror or type(error).__name__}") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise WrongUsage(f"--values {values}, line {line}: expected UTF-8") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if wrong := wrong_with(line.strip()):
            raise WrongUsage(f"--values {values}, line {number}: {wrong}")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _refuse(profiles: frozenset[str], values: frozenset[str]) -> None:
    if not profiles and not values:
        raise WrongUsage("nobody is named; expected --profile ID, or --values FILE with one value in each line")
    if any(not each.strip() for each in profiles):
        raise WrongUsage("--profile '': nobody has an empty id; expected an `_id` or a key")
    if len(profiles) + len(values) > MOST:
        raise WrongUsage(f"{len(profiles) + len(values):,} ids and values; expected {MOST:,} at most")
    if short := [each for each in values if len(each) < FEWEST_CHARACTERS]:
        what = f"{counted(len(short), 'value')} of fewer than {FEWEST_CHARACTERS} characters"
        raise WrongUsage(f"--values: {what}, which would find others, too; expected whole e-mails, numbers, ids")


def _print(places: Sequence[PlaceFound]) -> None:
    if not places:
        typer.echo("nothing is left of it")
        return
    print_table(("where", ">found", "what becomes of it"), ((each.where, each.found, each.becomes) for each in places))


def _tell(places: Sequence[PlaceFound], *, erased: bool) -> None:
    lines = ["Erased."] if erased else []
    lines += [in_line(f"! {each.where}: {each.becomes}") for each in places if each.left]
    if lines:
        typer.echo("\n" + "\n".join(lines))
