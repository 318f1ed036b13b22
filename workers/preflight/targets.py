"""Every connector at once, examined with its integrations: what `check --connect` and `doctor` ask targets."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

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
