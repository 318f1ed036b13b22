"""`segsync check`: the whole configuration, and how it is understood; with --connect, tried on the targets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from workers.cli.behind import why_behind
from workers.cli.exit_status import FINE, NEEDS_SOMEONE, WRONG
from workers.cli.output import print_json
from workers.connectors.audiences.fields import CompiledFields
from workers.errors import Mistake, SettingsError
from workers.integrations import Ordering
from workers.settings import load
from workers.settings.spelling import counted, in_line, spell_duration

if TYPE_CHECKING:
    from workers.integrations import Integration
    from workers.preflight.examination import Examination
    from workers.settings import Settings


IN_WORDS = {
    Ordering.EXACT: "removes before adds: different keys are different rows",
    Ordering.STRICT: "adds and removes by turns, as they come",
    Ordering.FOLDED: "removes before adds, of keys that no table equates",
    Ordering.CATALOG: "removes before adds, if the table's unique keys allow it",
}


@dataclass(frozen=True, slots=True)
class CheckedIntegration:
    """One integration as segsync understands it.

    mode     "batch" or "one at a time"
    ordering what may pass what within a batch
    size     operations per batch; 1 one at a time
    timeout  seconds; 0 one at a time
    key      the fields that identify the row
    scope    in words
    queries  the event types that have one; none of an ad account's
    fields   the platform's fields that an ad account is sent
    name, description  for people; the key where the file gives no name
    """

    key: str
    connector: str
    dialect: str
    active: bool
    mode: str
    ordering: Ordering
    size: int
    timeout_s: float
    key_fields: list[str]
    scope: str
    queries: list[str]
    name: str = ""
    description: str = ""
    fields: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check` found; with mistakes there are no integrations."""

    ok: bool
    file: str
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[Mistake] = field(default_factory=list)
    integrations: list[CheckedIntegration] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Tried(Checked):
    """What `check --connect` found besides; `ok` is False where a target needs someone."""

    connectors: list[Examination] = field(default_factory=list)


def run(*, as_json: bool, connect: bool = False) -> int:
    """Prints all mistakes, or what the file means and what deserves a word; with `connect` what targets say, too."""
    try:
        settings = load()
    except SettingsError as error:
        if not as_json:
            raise
        print_json(Checked(ok=False, file=error.source, mistakes=error.mistakes))
        return WRONG
    checked = _tried(settings) if connect else _checked(settings)
    if late := why_behind(settings):
        checked.warnings.append(Mistake(settings.local.path.name, late))
    if as_json:
        print_json(checked)
    else:
        _print(checked)
    return FINE if checked.ok else NEEDS_SOMEONE


def _tried(settings: Settings) -> Tried:
    # sqlglot and SQLAlchemy take 0.3 s to load, and a plain check needs neither.
    from workers.preflight.targets import examine_all  # noqa: PLC0415

    plain_check, connectors = _checked(settings), examine_all(settings)
    return Tried(
        ok=not any(each.wrong for each in connectors),
        file=plain_check.file,
        warnings=[*settings.warnings],  # a secret that is missing is said at the connector that is skipped for it
        integrations=plain_check.integrations,
        connectors=connectors,
    )


def _checked(settings: Settings) -> Checked:
    return Checked(
        ok=True,
        file=str(settings.local.path),
        warnings=[*settings.warnings, *settings.check_secrets()],
        integrations=[
            _integration(each, settings.connectors[each.connector].dialect) for each in settings.integrations.values()
        ],
    )


def _integration(integration: Integration, dialect: str) -> CheckedIntegration:
    return CheckedIntegration(
        key=integration.key,
        connector=integration.connector,
        dialect=dialect,
        active=integration.active,
        mode="batch" if integration.batched else "one at a time",
        ordering=integration.ordering,
        size=integration.batch_size,
        timeout_s=integration.timeout_ms / 1000,
        key_fields=list(integration.key_fields),
        scope=integration.scope.words,
        queries=[kind.value for kind in integration.queries],
        name=integration.name,
        description=integration.description,
        fields=_fields(integration),
    )


def _fields(integration: Integration) -> list[str]:
    sources = integration.fields.sources if isinstance(integration.fields, CompiledFields) else ()
    return [source.field.name for source in sources]


def _print(checked: Checked) -> None:
    for each in checked.integrations:
        facts = {
            **({"name": each.name} if each.name != each.key else {}),
            **({"what for": each.description} if each.description else {}),
            "connector": f"{each.connector} ({each.dialect})",
            "mode": _mode(each),
            **({"order": IN_WORDS[each.ordering]} if each.mode == "batch" and not each.fields else {}),
            "key" if each.fields else "row's key": ", ".join(each.key_fields),
            "scope": each.scope,
            **({"fields": ", ".join(each.fields)} if each.fields else {"queries": ", ".join(each.queries)}),
        }
        typer.echo(each.key)
        for name, value in facts.items():
            typer.echo(in_line(f"    {name:<10} {value}"))
    for warning in checked.warnings:
        typer.echo(f"\n! {in_line(str(warning))}")
    if isinstance(checked, Tried):
        _print_tried(checked)
    else:
        typer.echo(f"\n{checked.file}: fine{_counted(len(checked.warnings), 'warning')}")


def _print_tried(tried: Tried) -> None:
    from workers.cli.commands.check_targets import print_examination  # noqa: PLC0415 - as in `_tried`

    for each in tried.connectors:
        print_examination(each)
    marks = [step.mark for each in tried.connectors for step in each.steps]
    marks += [finding.level for each in tried.connectors for finding in each.findings]
    skipped = _counted(marks.count("skipped"), "connector") + " not looked at" if "skipped" in marks else ""
    mistakes, warnings = marks.count("mistake"), marks.count("warning") + len(tried.warnings)
    good = "fine as far as looked at" if skipped else "fine"
    verdict = good if tried.ok else "someone is needed"
    typer.echo(f"\n{tried.file}: {verdict}{_counted(mistakes, 'mistake')}{_counted(warnings, 'warning')}{skipped}")


def _counted(count: int, what: str) -> str:
    return f", {counted(count, what)}" if count else ""


def _mode(integration: CheckedIntegration) -> str:
    paused = "" if integration.active else ", paused"
    if integration.mode != "batch":
        return f"{integration.mode}{paused}"
    return f"batches of {integration.size:,} or {spell_duration(integration.timeout_s)}{paused}"
