"""`segsync preview`: the statements that events would run, without Redis and (but for --try) without a database.

The local file counts, not the applied revision: it is for trying before applying. What is rendered, and how, stands in
`workers/preflight/preview.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.cli.output import print_json
from workers.cli.preview_folder import compare, say
from workers.errors import WrongUsage
from workers.preflight.preview import Previewer
from workers.preflight.preview_text import as_json as described
from workers.preflight.preview_text import sql, told
from workers.preflight.record_preview import preview_records, record_text
from workers.preflight.trying import try_out
from workers.settings import load
from workers.settings.spelling import in_line, nearest

if TYPE_CHECKING:
    from pathlib import Path

    from workers.preflight.record_preview import RecordPreview


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
    if integration.fields is not None:
        _check_records(key, write=write, tried=tried)
        return _records(preview_records(integration, settings.connectors[integration.connector], path), as_json=as_json)
    previewer = Previewer(integration, settings.default_database)
    _check_options(path, write=write, tried=tried, as_json=as_json)
    if path.is_dir():
        return compare(previewer, path, write=write)
    preview = previewer.file(path)
    outcome = try_out(settings.connectors[integration.connector], preview) if tried else None
    if as_json:
        print_json(described(key, preview, outcome))
        said = list(told(outcome, preview)) if outcome and not outcome.fine else []
    else:
        say(sql(preview))
        said = [*preview.notes, *(told(outcome, preview) if outcome else ())]
    for line in said:
        typer.echo(in_line(f"segsync: {line}"), err=True)
    return FINE if not preview.rejected and (outcome is None or outcome.fine) else NEEDS_SOMEONE


def _check_records(key: str, *, write: bool, tried: bool) -> None:
    if write or tried:
        option = "--write" if write else "--try"
        raise WrongUsage(f"{option} is for statements, and {key!r} sends records to an ad account")


def _records(found: RecordPreview, *, as_json: bool) -> int:
    if as_json:
        print_json(found)
    else:
        say(record_text(found))
    return NEEDS_SOMEONE if found.rejected or any(each.refused for each in found.records) else FINE


def _check_options(path: Path, *, write: bool, tried: bool, as_json: bool) -> None:
    if write and tried:
        raise WrongUsage("--write and --try do not go together: what was tried differs from run to run")
    if path.is_dir() and (tried or as_json):
        option = "--try" if tried else "--json"
        raise WrongUsage(f"{option} is for one file of events, and {path} is a folder; name a file in it")
    if write and not path.is_dir():
        raise WrongUsage("--write makes the .sql files of a folder; for one event: segsync preview K E.json > E.sql")
