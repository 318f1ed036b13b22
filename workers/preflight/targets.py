"""Every connector with its integrations, and every source, at once: what `check --connect` and `doctor` ask."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from workers.connectors import open_lister
from workers.connectors.contract import Target
from workers.connectors.sql.inspecting import open_examined
from workers.errors import SettingsError
from workers.preflight.ad_account import examine_account
from workers.preflight.examination import Examination, examine, skipped
from workers.preflight.ledger_reached import reached
from workers.preflight.sources import examine_listing, examine_segments, examine_source, segment_for
from workers.resync.doors import doors_of
from workers.settings import ConnectorSettings
from workers.targets import open_account
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.settings import Settings
    from workers.settings.connectors import AnyConnector
    from workers.settings.sources import AnySource

AT_ONCE: Final = 8
"""Connectors looked at side by side: one that does not answer takes its whole connect timeout."""
MASK: Final = "***"
SHORTEST: Final = 6
"""Characters of a password that is looked for in what targets say."""


def examine_all(settings: Settings) -> list[Examination]:
    """Every connector with its integrations, by key; what is wrong with one hides no other."""
    queries = _sources(settings)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda each: _look(each, settings, queries), settings.connectors.values()))
        return found + list(pool.map(lambda each: _examine_source(each, settings), settings.sources.values()))


def examine_one(settings: Settings, key: str) -> Examination:
    """One connector with its integrations; KeyError where there is none."""
    return _look(settings.connectors[key], settings, _sources(settings))


def _look(connector: AnyConnector, settings: Settings, queries: Mapping[tuple[str, QueryKind], str]) -> Examination:
    if isinstance(connector, ConnectorSettings):
        return _examine(connector, settings, queries)
    try:
        account = open_account(settings, connector.key)
    except SettingsError as error:
        return skipped(connector.key, connector.dialect, error.mistakes, malformed=False)
    with closing(account.redis), closing(account.connector):
        return examine_account(account.connector)


def _examine_source(source: AnySource, settings: Settings) -> Examination:
    every = settings.integrations.values()
    readers = [each for each in every if each.scope.kind == "ids" or each.scope.database == source.key]
    try:
        resolved = source.resolve()
    except SettingsError as error:
        return skipped(f"sources.{source.key}", "source", error.mistakes, malformed=False)
    segment = segment_for(readers)
    doors = doors_of(settings, os.environ)
    examined = examine_source(
        source, doors.members_of(source, segment), readers, {"segment": f"{segment} is asked for"}
    )
    if source.segments:
        examined.steps += examine_segments(lambda: doors.segments_of(source), settings)
    return _masked(examined, resolved.password if isinstance(resolved, Target) else None)


def _examine(
    connector: ConnectorSettings, settings: Settings, sources: Mapping[tuple[str, QueryKind], str]
) -> Examination:
    key, dialect = connector.key, connector.dialect
    try:
        target = connector.resolve()
    except SettingsError as error:
        return skipped(key, dialect, error.mistakes, malformed=connector.address.is_malformed(os.environ))
    integrations = [each for each in settings.integrations.values() if each.connector == key]
    found = examine(key, open_examined(target), dialect, integrations, sources)
    if found.looked:
        listed = [each for each in integrations if each.members is not None]
        found.findings += [wrong for each in listed for wrong in examine_listing(each, lambda: open_lister(target))]
    found.findings += reached(settings.ledger_url, key, target)
    return _masked(found, target.password)


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
        if isinstance(text, str) and kind in set(QueryKind)
    }
