"""A database's URL and password: as written in the file, and with their variables filled in.

What is published are the words of the file, so a password may only be a variable or a file's name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workers.connectors.sql.vendors import VENDORS
from workers.errors import Mistake, SettingsError
from workers.settings import variables
from workers.settings.files import FileError, read_secret
from workers.settings.spelling import nearest, show
from workers.settings.urls import (
    UrlError,
    anchored,
    check_database,
    check_options,
    contradiction,
    dialect_of,
    part,
    plain,
    split,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workers.settings.table import TomlTable
    from workers.settings.urls import Url

_STAND_IN, _OTHER_STAND_IN = "1", "2"
"""Each takes the place of a variable while a URL's shape is looked at: right as a user, a host, a port and a name."""


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """A database's URL and password as written, variables not filled in.

    where    the key path of the table they stand in
    folder   what a relative SQLite file and password_file are relative to
    dialect  what the URL must lead to; "" for any
    """

    where: str
    folder: Path = field(repr=False)
    url: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    password_file: str | None = field(default=None, repr=False)
    dialect: str = ""

    def resolve(self, environ: Mapping[str, str]) -> tuple[str, str | None]:
        """The URL (an SQLite file's path made absolute) and the password, wherever it stood; SettingsError.

        The URL has no password inside, and its scheme is segsync's own. SettingsError has all that is missing.
        """
        mistakes: list[Mistake] = []
        url, inside = self._url(environ, mistakes)
        password = self._password(environ, mistakes)
        if inside and (self.password or self.password_file):
            mistakes.append(Mistake(f"{self.where}.url", _TWICE))
        if mistakes:
            raise SettingsError(self.where, mistakes)
        return anchored(url, self.folder), password or inside

    def place(self, environ: Mapping[str, str]) -> str:
        """The URL alone, as `resolve` has it; SettingsError. No secret is read."""
        mistakes: list[Mistake] = []
        url, _ = self._url(environ, mistakes)
        if mistakes:
            raise SettingsError(self.where, mistakes)
        return anchored(url, self.folder)

    def is_malformed(self, environ: Mapping[str, str]) -> bool:
        """Whether the URL has all its variables, and still leads nowhere."""
        try:
            variables.fill(self.url, environ)
        except variables.VariableError:
            return False
        mistakes: list[Mistake] = []
        self._url(environ, mistakes)
        return bool(mistakes)

    def _url(self, environ: Mapping[str, str], mistakes: list[Mistake]) -> tuple[str, str | None]:
        try:
            url, password = part(plain(variables.fill(self.url, environ)))
            _check_parts(url, self.dialect)
            if self.dialect:
                _check_used(split(url))
        except (variables.VariableError, UrlError) as error:
            mistakes.append(Mistake(f"{self.where}.url", str(error)))
            return "", None
        return url, password

    def _password(self, environ: Mapping[str, str], mistakes: list[Mistake]) -> str | None:
        key = "password" if self.password_file is None else "password_file"
        try:
            if self.password_file is not None:
                return read_secret(self.folder / variables.fill(self.password_file, environ))
            return variables.fill(self.password, environ) if self.password is not None else None
        except variables.VariableError as error:
            mistakes.append(Mistake(f"{self.where}.{key}", str(error)))
        except FileError as error:
            mistakes.append(Mistake(f"{self.where}.{key}", f"{self.password_file}: {error}"))
        return None


def read_address(table: TomlTable, folder: Path, default_url: str = "", *, fixed: bool) -> DatabaseAddress:
    """`url`, `password` and `password_file` of a table, checked as far as that needs no variable.

    fixed  the dialect must stand in the file, because queries are compiled for it
    """
    url = (
        table.optional_text("url", _EXPECTED, hidden=True) if default_url else table.text("url", _EXPECTED, hidden=True)
    ) or default_url
    named = _dialect(table) if fixed else ""
    dialect = _check_url(table, url, named, fixed=fixed) if url and named is not None else ""
    password, file = (
        table.optional_text("password", _VARIABLE, hidden=True),
        table.optional_text("password_file", "a file's path"),
    )
    if password is not None and file is not None:
        table.wrong("password_file", "expected either password or password_file, not both")
    vendor = VENDORS.get(dialect) if fixed else None
    if vendor is not None and not vendor.has_server and (password or file):
        table.wrong("password" if password else "password_file", f"an {vendor.name} file has no password")
    elif password is not None:
        check_secret(table, "password", password, _VARIABLE)
    return DatabaseAddress(table.where, folder, url, password, file, dialect if fixed else "")


_EXPECTED = "the address of a database, as in mysql://user@host:3306/database"
_VARIABLE = 'a variable, as in "${CRM_PASSWORD}"'


def tell_dialect(connector: object, environ: Mapping[str, str]) -> None:
    """Writes `dialect` into a connector's table where only a variable says which database it is.

    So it is published with the rest, and whoever follows compiles the queries for the same database.
    """
    url = connector.get("url") if isinstance(connector, dict) else None
    if not isinstance(connector, dict) or not isinstance(url, str) or "dialect" in connector:
        return
    try:
        if "://" in variables.sketch(url, _STAND_IN):
            return
        connector["dialect"] = dialect_of(plain(variables.fill(url, environ)).partition("://")[0])
    except (variables.VariableError, UrlError):
        return  # `_check_url` says what was expected


def _dialect(table: TomlTable) -> str | None:
    """`dialect`: which database it is, where the URL does not tell; "" if it is left out, None if it is wrong."""
    named = table.optional_text("dialect", _NAMES)
    if named and named not in VENDORS:
        table.wrong("dialect", f"{show(named)} is no database that segsync knows{nearest(named, VENDORS)}")
        return None
    return named or ""


def _check_url(table: TomlTable, text: str, named: str, *, fixed: bool) -> str:
    """The dialect, as the words of the file have it; "" with a mistake, or where only the environment knows.

    named  the dialect as `dialect` says it, or ""
    """
    try:
        shape = variables.sketch(text, _STAND_IN)
        if text.startswith("$") and "://" not in shape:
            if fixed and not named:
                table.wrong("url", _SCHEME_UNKNOWN)
            return named
        shape = _without_password(text)
        # What differs between two stand-ins is a variable's, and known where it is set.
        other = split(part(variables.sketch(text, _OTHER_STAND_IN))[0])
        dialect = _check_parts(shape, named, known=other == split(shape))
        if fixed:
            check_options(split(shape), known=other.options == split(shape).options)
    except (variables.VariableError, UrlError) as error:
        table.wrong("url", str(error))
        return ""
    return dialect


def contradiction_in(text: str) -> str:
    """As `contradiction`, of a URL as it is written; "" where something else is wrong with it."""
    try:
        return contradiction(split(_without_password(text)))
    except (variables.VariableError, UrlError):
        return ""


def _without_password(text: str) -> str:
    """The URL's shape without a password that comes from a variable alone; UrlError for one that is written."""
    shape, password = part(variables.sketch(text, _STAND_IN))
    _, other = part(variables.sketch(text, _OTHER_STAND_IN))
    if password is not None and (password, other) != (_STAND_IN, _OTHER_STAND_IN):
        raise UrlError(_WRITTEN)
    return shape


def _check_parts(url: str, expected: str = "", *, known: bool = True) -> str:
    """The dialect of a URL that can lead somewhere, and to what is expected; UrlError for others.

    known  False while variables stand in for parts of it
    """
    parts = split(url)
    dialect = dialect_of(parts.scheme)
    if dialect != (expected or dialect):
        raise UrlError(f"leads to {dialect} in this environment, but its queries are written for {expected}")
    check_database(parts, known=known)
    return dialect


def _check_used(url: Url) -> None:
    """UrlError for parameters that the connector would refuse, or by which data would go in plain text."""
    check_options(url)
    if wrong := contradiction(url):
        raise UrlError(wrong)


_NAMES = f"one of {', '.join(VENDORS)}"
_SCHEME_UNKNOWN = (
    "only a variable says which database it is, and queries are compiled for it; here it is not set, or is no URL of "
    f'{", ".join(VENDORS)}: expected it to be set where `check` and `apply` run, or dialect = "…" beside it'
)
_WRITTEN = (
    "there is a password inside the URL, which is published in Redis; expected a variable in its place, or password or "
    "password_file beside the URL"
)
_TWICE = "a password stands in the URL, and beside it, too; expected one of them"


def check_secret(table: TomlTable, key: str, text: str, expected: str) -> None:
    """Notes a mistake where a secret is written in the file, or its variable's reference cannot be read.

    expected  what should stand there, in words
    """
    try:
        written = variables.literal(text)
    except variables.VariableError as error:
        table.wrong(key, str(error))
        return
    if written:
        what = f"stands in the file, which is published in Redis; expected {expected}, or {key}_file"
        table.wrong(key, what)
