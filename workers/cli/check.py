"""`segsync check`: the whole configuration, and how it is understood."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from workers.cli.failing import FINE, WRONG
from workers.cli.printing import plain, print_json
from workers.errors import SettingsError
from workers.settings import load
from workers.settings.table import spell_duration

if TYPE_CHECKING:
    from workers.errors import Mistake
    from workers.integrations import Integration, Scope
    from workers.settings import Settings


@dataclass(frozen=True, slots=True)
class CheckedIntegration:
    """One integration as segsync understands it.

    mode     "batch" or "one at a time"
    size     operations per batch; 1 one at a time
    timeout  seconds; 0 one at a time
    key      the fields that identify the row
    scope    in words
    queries  the event types that have one
    """

    key: str
    connector: str
    dialect: str
    active: bool
    mode: str
    size: int
    timeout_s: float
    key_fields: list[str]
    scope: str
    queries: list[str]


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check` found; with mistakes there are no integrations."""

    ok: bool
    file: str
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[Mistake] = field(default_factory=list)
    integrations: list[CheckedIntegration] = field(default_factory=list)


def run(*, as_json: bool) -> int:
    """Prints all mistakes, or what the file means and what deserves a word."""
    try:
        settings = load()
    except SettingsError as error:
        if not as_json:
            raise
        print_json(Checked(ok=False, file=error.source, mistakes=error.mistakes))
        return WRONG
    checked = _checked(settings)
    if as_json:
        print_json(checked)
    else:
        _print(checked)
    return FINE


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
        size=integration.batch_size,
        timeout_s=integration.timeout_ms / 1000,
        key_fields=list(integration.key_fields),
        scope=_scope(integration.scope),
        queries=[kind.value for kind in integration.queries],
    )


def _scope(scope: Scope) -> str:
    values = ", ".join(sorted(scope.values))
    if scope.kind == "ids":
        return f"segments {values}"
    return f"{scope.database}: all segments" if scope.kind == "all" else f"{scope.database}: {scope.kind} {values}"


def _print(checked: Checked) -> None:
    for each in checked.integrations:
        facts = {
            "connector": f"{each.connector} ({each.dialect})",
            "mode": _mode(each),
            "row's key": ", ".join(each.key_fields),
            "scope": each.scope,
            "queries": ", ".join(each.queries),
        }
        typer.echo(each.key)
        for name, value in facts.items():
            typer.echo(plain(f"    {name:<10} {value}"))
    for warning in checked.warnings:
        typer.echo(f"\n! {plain(str(warning))}")
    count = len(checked.warnings)
    typer.echo(f"\n{checked.file}: fine" + (f", {count} warning{'s' * (count > 1)}" if count else ""))


def _mode(integration: CheckedIntegration) -> str:
    paused = "" if integration.active else ", paused"
    if integration.mode != "batch":
        return f"{integration.mode}{paused}"
    return f"batches of {integration.size:,} or {spell_duration(integration.timeout_s)}{paused}"
