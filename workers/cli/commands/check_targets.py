"""`segsync check --connect`: every connector at once, and how that is printed."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import typer

from workers.cli.output import plain
from workers.connectors.sql.inspecting import open_examined
from workers.errors import SettingsError
from workers.preflight.ad_account import examine_account
from workers.preflight.examination import Examination, examine, skipped
from workers.settings import ConnectorSettings
from workers.targets import open_account
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.settings import Settings
    from workers.settings.connectors import AnyConnector

AT_ONCE: Final = 8
"""Connectors looked at side by side: one that does not answer takes its whole connect timeout."""

MASK: Final = "***"
SHORTEST: Final = 6
"""Characters of a password that is looked for in what targets say."""
MARKS: Final = {"fine": "+", "warning": "!", "mistake": "x", "skipped": "-"}


def examine_all(settings: Settings) -> list[Examination]:
    """Every connector with its integrations, by key; what is wrong with one hides no other."""
    sources = _sources(settings)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda each: _look(each, settings, sources), settings.connectors.values()))


def _look(connector: AnyConnector, settings: Settings, sources: Mapping[tuple[str, QueryKind], str]) -> Examination:
    if isinstance(connector, ConnectorSettings):
        return _examine(connector, settings, sources)
    try:
        account = open_account(settings, connector.key)
    except SettingsError as error:
        return skipped(connector.key, connector.dialect, error.mistakes, malformed=False)
    with closing(account.redis), closing(account.connector):
        return examine_account(account.connector)


def _examine(
    connector: ConnectorSettings, settings: Settings, sources: Mapping[tuple[str, QueryKind], str]
) -> Examination:
    key, dialect = connector.key, connector.dialect
    try:
        target = connector.resolve()
    except SettingsError as error:
        return skipped(key, dialect, error.mistakes, malformed=connector.address.is_malformed(os.environ))
    integrations = [each for each in settings.integrations.values() if each.connector == key]
    return _masked(examine(key, open_examined(target), dialect, integrations, sources), target.password)


def _masked(found: Examination, password: str | None) -> Examination:
    """Without the password, should a target ever repeat it; one that is too short would mask words and numbers."""
    if not password or len(password) < SHORTEST:
        return found
    return replace(
        found,
        steps=[replace(step, what=step.what.replace(password, MASK)) for step in found.steps],
        findings=[replace(finding, what=finding.what.replace(password, MASK)) for finding in found.findings],
    )


def _sources(settings: Settings) -> dict[tuple[str, QueryKind], str]:
    """The queries' texts with files and query sets written out: places in them are those of `check`."""
    declared = json.loads(settings.published()).get("integrations", {})
    return {
        (key, QueryKind(kind)): text
        for key, integration in declared.items()
        for kind, text in integration.get("queries", {}).items()
        if isinstance(text, str)
    }


def print_examination(examination: Examination) -> None:
    """A connector's steps, then what was found of its integrations."""
    typer.echo(plain(f"\nconnector {examination.connector} ({examination.dialect})"))
    for step in examination.steps:
        typer.echo(plain(f"  {MARKS[step.mark]} {step.name:<8} {step.what}"))
    for finding in examination.findings:
        typer.echo(plain(f"  {MARKS[finding.level]} {finding}"))
    for line in examination.notes:
        typer.echo(plain(f"  {MARKS['fine']} {line}"))
    for line in examination.unread:
        typer.echo(plain(f"  - {line}"))
    typer.echo(plain(f"  {_summary(examination)}"))


def _summary(examination: Examination) -> str:
    if not examination.looked:
        opened = any(step.name == "session" and step.mark == "fine" for step in examination.steps)
        return "no integration uses it" if opened else "its queries were not tried"
    return f"tried the queries of {', '.join(examination.looked)}"
