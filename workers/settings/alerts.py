"""`[alerts]`: who is told when something needs someone, and how.

Read by the process that sends (`segsync alerts`), from its own file, and never published: no other process needs its
secrets. `check` looks at it as it is written, with no variable filled in.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from workers.settings.local import read_password
from workers.settings.source import open_source
from workers.settings.table import TomlTable
from workers.settings.urls import UrlError, split

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workers.settings.source import SettingsSource

SHORTEST, LONGEST = 1.0, 3600.0
"""Seconds: the range of `every`."""
EVERY_SECONDS: Final = 15.0
MANY_ENTRIES, MOST_ENTRIES = 10_000, 10**9
"""Open entries of one integration: from how many on somebody is told, as in `status`, and the most that can be said."""
WEBHOOKS: Final = ("https", "http")
SMTP: Final = {"smtp": 587, "smtps": 465}
"""Schemes and their ports: STARTTLS is demanded of the first, TLS from the beginning of the second."""
_WHOM: Final = {
    "webhook": ("webhook_secret", "webhook_secret_file"),
    "command": (),
    "smtp": ("smtp_password", "smtp_password_file", "from", "to"),
}
"""Keys that name somebody, and those that mean nothing without them."""


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Where messages go; what is empty is not used.

    webhook         a URL that gets each message as JSON, by POST
    webhook_secret  signs it; None for no signature
    command         a program with its arguments, which gets it on its standard input
    smtp            smtp://user@host:587 or smtps://…; smtp_password beside it
    every           seconds between two looks
    quarantine      open entries of one integration from which on somebody is told
    """

    webhook: str = field(default="", repr=False)
    webhook_secret: str | None = field(default=None, repr=False)
    command: tuple[str, ...] = ()
    smtp: str = ""
    smtp_password: str | None = field(default=None, repr=False)
    sender: str = ""
    to: tuple[str, ...] = ()
    every: float = EVERY_SECONDS
    quarantine: int = MANY_ENTRIES

    @property
    def is_empty(self) -> bool:
        """Whether nobody would be told."""
        return not (self.webhook or self.command or self.smtp)


def load_alerts(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> AlertSettings:
    """`[alerts]` of this process's file, variables filled in; SettingsError, also where nobody would be told."""
    source = open_source(path, environ)
    table = TomlTable(_filled(source), "alerts", source.mistakes)
    found = read_alerts(table, source.folder)
    if found.is_empty and not source.mistakes:
        source.wrong("alerts", "names nobody to tell; expected webhook, command or smtp")
    source.finish()
    return found


def too_many_entries(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """`quarantine` of `[alerts]` alone, whoever is to be told and whatever secrets that takes; SettingsError."""
    source = open_source(path, environ)
    table = TomlTable(source.main.get("alerts", {}), "alerts", source.mistakes)
    found = table.whole("quarantine", MANY_ENTRIES, 1, MOST_ENTRIES)
    source.finish()
    return found


def tells_somebody(path: Path) -> bool:
    """Whether its `[alerts]` names anybody, and not only what `status` goes by; SettingsError for no file.

    Where a variable is not set, that is for whoever would tell to say.
    """
    alerts = _filled(open_source(path, os.environ))
    return isinstance(alerts, dict) and any(alerts.get(key) for key in _WHOM)


def _filled(source: SettingsSource) -> object:
    """`[alerts]` with its variables; whom one of them leaves empty, as a default of `${NAME:-}` does, is left out."""
    written = source.main.get("alerts", {})
    filled = source.fill(written, ("alerts",))
    if not isinstance(written, dict) or not isinstance(filled, dict):
        return filled
    empty = [key for key in _WHOM if filled.get(key) in ("", [""]) and filled[key] != written[key]]
    left_out = {*empty, *(each for key in empty for each in _WHOM[key])}
    return {key: value for key, value in filled.items() if key not in left_out}


def check_alerts(source: SettingsSource) -> None:
    """Notes what is wrong in `[alerts]` as it is written; secrets may be missing where it is not sent from."""
    if "alerts" in source.main:
        mistakes = len(source.mistakes)
        read_alerts(TomlTable(source.main["alerts"], "alerts", source.mistakes), source.folder)
        source.mistakes[mistakes:] = [each for each in source.mistakes[mistakes:] if "_file" not in each.where]


def read_alerts(table: TomlTable, folder: Path) -> AlertSettings:
    """The table's values; what is wrong is noted in it."""
    secret, _ = read_password(table, "webhook_secret", folder)
    password, _ = read_password(table, "smtp_password", folder)
    found = AlertSettings(
        webhook=_url(table, "webhook", WEBHOOKS),
        webhook_secret=secret,
        command=tuple(table.list_of("command", 'a program and its arguments, as in ["/usr/local/bin/page"]')),
        smtp=_url(table, "smtp", tuple(SMTP)),
        smtp_password=password,
        sender=table.optional_text("from", "an address") or "",
        to=tuple(table.list_of("to", "a list of addresses")),
        every=table.seconds("every", EVERY_SECONDS, SHORTEST, LONGEST),
        quarantine=table.whole("quarantine", MANY_ENTRIES, 1, MOST_ENTRIES),
    )
    if found.smtp:
        for key, value in (("from", found.sender), ("to", found.to)):
            if not value and not table.values.get(key):
                table.missing(key, "an address" if key == "from" else "a list of addresses")
        if table.values.get("to") == []:
            table.wrong("to", "is empty: no mail would be sent; expected a list of addresses")
    table.close()
    return found


def _url(table: TomlTable, key: str, schemes: tuple[str, ...]) -> str:
    """A URL of one of these schemes; one that is a variable is looked at when it is filled in."""
    expected = f"a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"
    text = table.optional_text(key, expected, hidden=True)
    if text is None or "$" in text:
        return text or ""
    try:
        if split(text).scheme not in schemes:
            table.wrong(key, f"is none that is known; expected {expected}")
    except UrlError as error:
        table.wrong(key, str(error))
    return text
