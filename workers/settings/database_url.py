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
from workers.settings.urls import UrlError, anchored, check_database, check_options, dialect_of, split

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workers.settings.table import TomlTable

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
        """The URL (an SQLite file's path made absolute) and the password; SettingsError with all that is missing."""
        mistakes: list[Mistake] = []
        url = self._url(environ, mistakes)
        password = self._password(environ, mistakes)
        if mistakes:
            raise SettingsError(self.where, mistakes)
        return anchored(url, self.folder), password

    def _url(self, environ: Mapping[str, str], mistakes: list[Mistake]) -> str:
        try:
            url = variables.fill(self.url, environ)
            _check_parts(url, self.dialect)
            if self.dialect:
                check_options(split(url))
        except (variables.VariableError, UrlError) as error:
            mistakes.append(Mistake(f"{self.where}.url", str(error)))
            return ""
        return url

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
    dialect = _check_url(table, url, fixed=fixed) if url else ""
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
        _check_password(table, password)
    return DatabaseAddress(table.where, folder, url, password, file, dialect if fixed else "")


_EXPECTED = "the address of a database, as in mysql://user@host:3306/database"
_VARIABLE = 'a variable, as in "${CRM_PASSWORD}"'


def _check_url(table: TomlTable, text: str, *, fixed: bool) -> str:
    """The dialect, as the words of the file have it; "" with a mistake, or where only the environment knows."""
    try:
        shape = variables.sketch(text, _STAND_IN)
        if text.startswith("$") and "://" not in shape:
            if fixed:
                table.wrong("url", _SCHEME_IN_FILE)
            return ""
        # What differs between two stand-ins is a variable's, and known where it is set.
        other = split(variables.sketch(text, _OTHER_STAND_IN))
        dialect = _check_parts(shape, known=other == split(shape))
        if fixed:
            check_options(split(shape), known=other.options == split(shape).options)
    except (variables.VariableError, UrlError) as error:
        table.wrong("url", str(error))
        return ""
    return dialect


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


_SCHEME_IN_FILE = (
    "the scheme must stand in the file, because queries are compiled for it; expected "
    '"mysql://${CRM_HOST}/crm", or a default as in "${CRM_URL:-mysql://localhost/crm}"'
)


def _check_password(table: TomlTable, text: str) -> None:
    try:
        written = variables.literal(text)
    except variables.VariableError as error:
        table.wrong("password", str(error))
        return
    if written:
        table.wrong(
            "password", f"stands in the file, which is published in Redis; expected {_VARIABLE}, or password_file"
        )
