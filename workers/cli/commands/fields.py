"""`segsync fields`: which data is transmitted to whom, from which fields of a profile, hashed how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import typer

from workers.cli.exit_status import FINE
from workers.cli.output import print_json, print_table
from workers.errors import WrongUsage
from workers.lanes.keys import Keys
from workers.preflight.transmission import Transmission, in_words, transmissions
from workers.settings import load, load_local, revision
from workers.settings.revision import NothingApplied
from workers.settings.spelling import in_line, nearest, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workers.settings import Settings

TITLE: Final = "Data transmitted during synchronization"


@dataclass(frozen=True, slots=True)
class FieldsReport:
    """What `fields --json` prints.

    of            the applied revision's number; None for the file
    integrations  by key
    """

    of: int | None
    integrations: list[Transmission]


def run(key: str | None, *, file: bool, markdown: bool, as_json: bool) -> int:
    """Prints the report of one integration, or of all.

    file  of the local file, and not of what is applied; so, too, where nothing is applied yet

    SettingsError, redis.RedisError; WrongUsage for an integration that there is not.
    """
    if markdown and as_json:
        raise WrongUsage("--markdown and --json exclude each other")
    number, settings, place = _settings(file=file)
    if key is not None and key not in settings.integrations:
        raise WrongUsage(f"no integration {key[:60]!r} in {place}{nearest(key, settings.integrations)}")
    found = [each for each in transmissions(settings) if key in (None, each.key)]
    if as_json:
        print_json(FieldsReport(number, found))
    elif markdown:
        typer.echo("\n".join(_markdown(found, place)))
    else:
        _text(found, place)
    return FINE


def _settings(*, file: bool) -> tuple[int | None, Settings, str]:
    """The configuration that is told of, and where it stands."""
    local = load_local()
    if not file:
        try:
            applied = revision.read(local.redis.client(), Keys(local.namespace), local)
        except NothingApplied:
            typer.echo("segsync: nothing is applied yet: this is the file", err=True)
        else:
            return applied.revision, applied.settings, f"revision {applied.revision}"
    return None, load(), str(local.path)


def _text(found: Iterable[Transmission], place: str) -> None:
    typer.echo(in_line(f"{TITLE}: {place}"))
    for each in found:
        typer.echo(f"\n{in_line(_heading(each))}")
        typer.echo(in_line(f"  scope          {each.scope}"))
        named = ", ".join(one.what for one in each.authorization) or "none: it is a file"
        typer.echo(in_line(f"  authorization  {named}") + "\n")
        print_table(("data", "how", "in"), (in_words(sent) for sent in each.transmitted))


def _markdown(found: Iterable[Transmission], place: str) -> Iterable[str]:
    yield f"# {TITLE}\n\nOf {_escaped(place)}, told by `segsync fields`."
    for each in found:
        yield f"\n## {_escaped(_heading(each))}\n\nScope: {_escaped(each.scope)}.\n\n### Authorization\n"
        if each.authorization:
            yield from _lines(("setting", "what"), [(one.name, one.what) for one in each.authorization])
        else:
            yield "None: it is a file."
        yield "\n### Transmitted data\n"
        yield from _lines(("data", "how", "in"), [in_words(sent) for sent in each.transmitted])


def _heading(each: Transmission) -> str:
    state = "" if each.active else ", paused in the file"
    title = each.key if each.name == each.key else f"{each.key} ({in_line(each.name)})"
    return f"{title}: {each.target}, connector {each.connector}{state}"


def _lines(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(map(_escaped, row))} |"


def _escaped(text: str) -> str:
    """Text that Markdown takes as it is, in one line of a table."""
    return "".join(f"\\{c}" if c in "\\|`*<>[]#" else " " if c == "\n" else c for c in plain(text))
