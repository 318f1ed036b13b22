"""[connectors.*]: the targets. Secrets and addresses stay as written until a process needs them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from workers.connectors.contract import Target
from workers.settings.ad_connectors import AdConnectorSettings, read_ad_connector
from workers.settings.database_url import DatabaseAddress, read_address
from workers.settings.spelling import nearest, show
from workers.settings.timeouts import LONGEST, SHORTEST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workers.settings.table import TomlTable

MOST_PARALLEL = 256
"""Lanes of one connector served at once: each needs a session, and servers allow some hundreds."""
ALLOWED = ("call",)


@dataclass(frozen=True, slots=True)
class ConnectorSettings:
    """One connector as declared; equal to another if every word is.

    parallelism        lanes served at once, over all workers
    statement_timeout  seconds
    connect_timeout    seconds
    timezone           IANA name: in which {event_time} is written, and the session's zone
    allow              what its queries may do beyond the usual: "call"
    """

    key: str
    address: DatabaseAddress
    parallelism: int = 4
    statement_timeout: float = 30.0
    connect_timeout: float = 10.0
    timezone: str = "UTC"
    allow: frozenset[str] = frozenset()

    @property
    def dialect(self) -> str:
        """The vendor's, as in "mysql"; the same in every environment."""
        return self.address.dialect

    def secret_files(self) -> list[Path]:
        """The files that hold secrets, as far as no variable names them."""
        name = self.address.password_file
        return [self.address.folder / name] if name and "$" not in name else []

    def resolve(self, environ: Mapping[str, str] = os.environ) -> Target:
        """Where to connect, secrets filled in; SettingsError with all that is missing, showing no value."""
        url, password = self.address.resolve(environ)
        return Target(
            key=self.key,
            dialect=self.dialect,
            url=url,
            password=password,
            statement_timeout=self.statement_timeout,
            connect_timeout=self.connect_timeout,
            session_name=f"segsync:{self.key}",
            timezone=self.timezone,
        )


AnyConnector = ConnectorSettings | AdConnectorSettings
"""A database, or an ad account."""


def read_connectors(document: TomlTable, folder: Path, ledger_url: str) -> dict[str, AnyConnector]:
    """Every connector, by key."""
    return {
        key: read_ad_connector(key, table, folder, ledger_url) if "platform" in table else _read(key, table, folder)
        for key, table in document.tables("connectors")
    }


def _read(key: str, table: TomlTable, folder: Path) -> ConnectorSettings:
    connector = ConnectorSettings(
        key=key,
        address=read_address(table, folder, fixed=True),
        parallelism=table.whole("parallelism", 4, 1, MOST_PARALLEL),
        statement_timeout=table.seconds("statement_timeout", 30.0, SHORTEST, LONGEST),
        connect_timeout=table.seconds("connect_timeout", 10.0, SHORTEST, LONGEST),
        timezone=_timezone(table),
        allow=_allow(table),
    )
    table.close()
    return connector


def _timezone(table: TomlTable) -> str:
    name = table.optional_text("timezone", 'a time zone, as in "UTC" or "Europe/Berlin"') or "UTC"
    if name == "UTC":
        return name  # known even where the system has no time zones
    try:
        ZoneInfo(name)
    except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        known = False
    except KeyError:
        known = False
    else:
        known = True
    if not known:
        table.wrong("timezone", f"{show(name)} is no time zone{_like(name)}")
    return name


def _like(name: str) -> str:
    """A suggestion; all 600 names would be no help."""
    hint = nearest(name, available_timezones())
    return hint if "did you mean" in hint else '; expected one such as "UTC" or "Europe/Berlin"'


def _allow(table: TomlTable) -> frozenset[str]:
    names = table.list_of("allow", 'a list, as in ["call"]')
    for index, name in enumerate(names):
        if name not in ALLOWED:
            table.wrong(f"allow[{index}]", f"{show(name)} cannot be allowed{nearest(name, ALLOWED)}")
    return frozenset(names)
