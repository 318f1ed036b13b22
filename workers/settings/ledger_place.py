"""Where the ledger is: [ledger] of a file, or of what is applied."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from workers.errors import SettingsError
from workers.settings.database_url import read_address
from workers.settings.source import SettingsSource
from workers.settings.table import TomlTable
from workers.settings.urls import split, with_password

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.settings.local import LocalSettings

DEFAULT_LEDGER = "${SEGSYNC_LEDGER_URL:-sqlite:///segsync.db}"
KEEP = (86_400.0, 100 * 365 * 86_400.0)
"""Seconds that the ledger may keep deliveries: a day at least, since what is written twice is known by what is kept."""


def read_ledger(source: SettingsSource, table: TomlTable) -> tuple[str, float | None]:
    """The ledger's URL, and how long it keeps; its variables must be there, since every worker writes outcomes."""
    address = read_address(table, source.folder, DEFAULT_LEDGER, fixed=False)
    keep = table.seconds("keep", 0, *KEEP) or None
    table.close()
    try:
        url, password = address.resolve(source.environ)
    except SettingsError as error:
        source.mistakes += error.mistakes
        return "", keep
    return (with_password(split(url), password) if password else url), keep


def published_ledger(text: str, local: LocalSettings, environ: Mapping[str, str] = os.environ) -> str:
    """The ledger's URL of what was published as `text`, as `Settings.ledger_url`; SettingsError."""
    source = SettingsSource(local.path, environ, name="the applied configuration")
    url, _ = read_ledger(source, TomlTable(json.loads(text), "", source.mistakes).table("ledger"))
    source.finish()
    return url
