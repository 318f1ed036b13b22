"""[connectors.*] with a `platform`: ad accounts. Secrets stay as written until a process needs them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from workers.connectors.audiences.platforms import BUILT, PLATFORMS
from workers.connectors.audiences.target import AdTarget
from workers.errors import Mistake, SettingsError
from workers.settings import variables
from workers.settings.database_url import DatabaseAddress, check_secret, read_address
from workers.settings.files import FileError, read_secret
from workers.settings.spelling import nearest, show
from workers.settings.timeouts import LONGEST, SHORTEST
from workers.settings.urls import split, with_password

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workers.connectors.audiences.records import Platform, Setting
    from workers.settings.table import TomlTable

DEFAULT_SECRET: Final = "${SEGSYNC_SECRET}"  # noqa: S105 - a variable's name
"""What tokens and plain ids are sealed with, where the file says nothing."""
SHORTEST_SECRET: Final = 16
"""Characters: as random letters and digits they are 95 bits, which nobody tries through. docs/ads.md advises 32."""
CONSENTS: Final = ("granted", "denied")
AT_ONCE: Final = 4
"""Lanes of an ad account served at once where the file says nothing: what they do is write in the store."""
_OFF, _ON = frozenset({"false", "0", "no", "off"}), frozenset({"", "true", "1", "yes", "on"})
_OF_DATABASES: Final = dict.fromkeys(
    ("password", "password_file", "dialect", "timezone", "allow", "rate"), "is for databases, and this is an ad account"
)


@dataclass(frozen=True, slots=True)
class AdConnectorSettings:
    """One login with an ad platform as declared; equal to another if every word is.

    platform   its key; "" for an unknown one, which never gets out
    options    what is no secret, by name: the platform's settings, `url`, `hashing` ("true" or "false"), `consent`
    secrets    by name, as written; those that come from a file have a name that ends in "_file"
    where      the key path of its table
    folder     what files are relative to
    store      the store's database; None for the ledger's
    ledger_url with its password
    on_delete  what becomes of an audience whose segment was deleted, by integration
    """

    key: str
    platform: str
    options: Mapping[str, str] = field(hash=False)
    secrets: Mapping[str, str] = field(hash=False, repr=False)
    where: str
    folder: Path = field(repr=False)
    store: DatabaseAddress | None = None
    ledger_url: str = field(default="", repr=False)
    parallelism: int = AT_ONCE
    statement_timeout: float = 30.0
    connect_timeout: float = 10.0
    on_delete: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def dialect(self) -> str:
        """The platform's key: what kind of target it is."""
        return self.platform

    @property
    def pace_ms(self) -> None:
        """No rate of statements: the platforms' own budgets rule."""
        return

    @property
    def hashes(self) -> bool:
        """Whether values are hashed before they are sent."""
        return self.options["hashing"] == "true"

    def resolve(self, environ: Mapping[str, str] = os.environ) -> AdTarget:
        """Where to connect, secrets filled in; SettingsError with all that is missing, showing no value."""
        mistakes: list[Mistake] = []
        secrets = {name.removesuffix("_file"): self._secret(name, environ, mistakes) for name in self.secrets}
        store_url, url = self._store_url(environ, mistakes), self._url(environ, mistakes)
        if mistakes:
            raise SettingsError(self.where, mistakes)
        sealing = secrets.pop("secret")
        if len(sealing) < SHORTEST_SECRET:
            what = f"has {len(sealing)} characters; expected {SHORTEST_SECRET} or more, random: it seals tokens"
            raise SettingsError(self.where, [Mistake(f"{self.where}.secret", what)])
        return AdTarget(
            key=self.key,
            platform=self.platform,
            settings={**self.options, **secrets},
            store_url=store_url,
            secret=sealing,
            url=url.rstrip("/"),
            timeout=self.statement_timeout,
            connect_timeout=self.connect_timeout,
            consent=self.options.get("consent", ""),
            on_delete=self.on_delete,
        )

    def store_at(self, environ: Mapping[str, str] = os.environ) -> str:
        """Its store's database alone, with its password; SettingsError. For who needs no platform."""
        mistakes: list[Mistake] = []
        url = self._store_url(environ, mistakes)
        if mistakes:
            raise SettingsError(self.where, mistakes)
        return url

    def secret_files(self) -> list[Path]:
        """The files that hold secrets, as far as no variable names them."""
        found = [
            self.folder / text for name, text in self.secrets.items() if name.endswith("_file") and "$" not in text
        ]
        if self.store is not None and self.store.password_file and "$" not in self.store.password_file:
            found.append(self.folder / self.store.password_file)
        return found

    def _secret(self, name: str, environ: Mapping[str, str], mistakes: list[Mistake]) -> str:
        try:
            text = variables.fill(self.secrets[name], environ)
            found = read_secret(self.folder / text) if name.endswith("_file") else text
        except (variables.VariableError, FileError) as error:
            mistakes.append(Mistake(f"{self.where}.{name}", str(error)))
            return ""
        if not found:
            mistakes.append(Mistake(f"{self.where}.{name}", "is empty"))
        return found

    def _url(self, environ: Mapping[str, str], mistakes: list[Mistake]) -> str:
        try:
            return variables.fill(self.options.get("url", ""), environ)
        except variables.VariableError as error:
            mistakes.append(Mistake(f"{self.where}.url", str(error)))
            return ""

    def _store_url(self, environ: Mapping[str, str], mistakes: list[Mistake]) -> str:
        if self.store is None:
            return self.ledger_url
        try:
            url, password = self.store.resolve(environ)
        except SettingsError as error:
            mistakes += error.mistakes
            return ""
        return with_password(split(url), password) if password else url


def secret_names() -> frozenset[str]:
    """The keys of [connectors.*] that are published as written, since only a process fills them in."""
    names = {"secret"} | {each.name for platform in PLATFORMS.values() for each in platform.settings if each.secret}
    return frozenset(names | {f"{name}_file" for name in names})


def tell_hashing(connector: object, where: str, environ: Mapping[str, str], mistakes: list[Mistake]) -> None:
    """Writes `hashing = false` into a connector's table where the platform's variable says so.

    So it is published with the rest, and all processes send the same.
    """
    if not isinstance(connector, dict):
        return
    platform = PLATFORMS.get(str(connector.get("platform")))
    if platform is None or not platform.hashing_variable:
        return
    said = environ.get(platform.hashing_variable, "").strip().lower()
    if said in _OFF:
        connector["hashing"] = False
    elif said not in _ON:
        what = f"{platform.hashing_variable} is {show(said)} in the environment; expected true or false"
        mistakes.append(Mistake(f"{where}.hashing", what))


def read_ad_connector(key: str, table: TomlTable, folder: Path, ledger_url: str) -> AdConnectorSettings:
    """One ad account; where its platform is not known, that is all that is said of it."""
    platform = _platform(table)
    if platform is None:
        return AdConnectorSettings(key, "", {}, {}, table.where, folder)
    options, secrets = _settings(table, platform)
    connector = AdConnectorSettings(
        key=key,
        platform=platform.key,
        options=options,
        secrets=secrets,
        where=table.where,
        folder=folder,
        store=_store(table, folder),
        ledger_url=ledger_url,
        parallelism=table.whole("parallelism", AT_ONCE, 1, 256),
        statement_timeout=table.seconds("statement_timeout", 30.0, SHORTEST, LONGEST),
        connect_timeout=table.seconds("connect_timeout", 10.0, SHORTEST, LONGEST),
    )
    table.close(_OF_DATABASES)
    return connector


def _platform(table: TomlTable) -> Platform | None:
    name = table.text("platform", f"one of {', '.join(PLATFORMS)}")
    platform = PLATFORMS.get(name)
    if platform is None:
        if name:
            table.wrong("platform", f"{show(name)} is no platform that segsync knows{nearest(name, PLATFORMS)}")
        return None
    if platform.key not in BUILT:
        ready = f"; expected {' or '.join(sorted(BUILT))}" if BUILT else ""
        table.wrong("platform", f"there is no connector for {platform.name} yet{ready}")
    return platform


def _settings(table: TomlTable, platform: Platform) -> tuple[dict[str, str], dict[str, str]]:
    """What is no secret, and the secrets as written."""
    options: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for setting in platform.settings:
        if setting.secret:
            secrets |= _secret(table, setting.name, setting)
        elif value := _text(table, setting):
            options[setting.name] = value
    secrets |= _secret(table, "secret", None) or {"secret": DEFAULT_SECRET}
    if url := _url(table):
        options["url"] = url
    options["hashing"] = str(_hashing(table, platform)).lower()
    if platform.consent and (consent := _consent(table)):
        options["consent"] = consent
    return options, secrets


def _text(table: TomlTable, setting: Setting) -> str:
    read = table.text if setting.required else table.optional_text
    value = read(setting.name, setting.what) or ""
    if value and setting.digits and not (value.isascii() and value.isdigit()):
        table.wrong(setting.name, f"{show(value)} is no number; expected {setting.what}")
    return value


def _secret(table: TomlTable, name: str, setting: Setting | None) -> dict[str, str]:
    """A secret, or the file that it is in, by the name of the key."""
    expected = f'a variable, as in "${{{name.upper()}}}"'
    text = table.optional_text(name, expected, hidden=True)
    file = table.optional_text(f"{name}_file", "a file's path")
    if text is not None and file is not None:
        table.wrong(f"{name}_file", f"expected either {name} or {name}_file, not both")
    elif text is not None:
        check_secret(table, name, text, expected)
    if text is None and file is None and setting is not None and setting.required and f"{name}_file" not in table:
        table.missing(name, f"{setting.what}: {expected}, or {name}_file")
    return {name: text} if text is not None else {f"{name}_file": file} if file is not None else {}


def _url(table: TomlTable) -> str:
    """The API's address: only where it is not the platform's own."""
    url = table.optional_text("url", "the address of the platform's API, as in https://api.example.com") or ""
    if url and not variables.references(url) and not url.startswith(("https://", "http://")):
        table.wrong("url", "is no address of an API; expected https://… (left out, it is the platform's own)")
    return url


def _hashing(table: TomlTable, platform: Platform) -> bool:
    hashing = table.flag("hashing", default=True)
    if not hashing and not platform.hashing_off:
        table.wrong("hashing", f"is false, and {platform.name} takes hashes alone; expected true")
    return hashing


def _consent(table: TomlTable) -> str:
    expected = " or ".join(map(repr, CONSENTS))
    consent = table.optional_text("consent", expected) or ""
    if consent and consent not in CONSENTS:
        table.wrong(
            "consent", f"{show(consent)} is none of {', '.join(map(repr, CONSENTS))}{nearest(consent, CONSENTS)}"
        )
    return consent


def _store(table: TomlTable, folder: Path) -> DatabaseAddress | None:
    """`store`: the database of what was sent, where it is not the ledger's."""
    if "store" not in table:
        table.take("store")
        return None
    store = table.table("store")
    address = read_address(store, folder, fixed=False)
    store.close()
    return address
