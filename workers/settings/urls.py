"""URLs of databases and of Redis, taken apart just far enough to refuse what would go wrong later.

What is wrong with a URL is said without showing it: it may hold a password, whole or in parts
(`mysql://sync:p@ss@db` has the host "ss@db").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote

from workers.connectors.sql.vendors import VENDORS
from workers.settings.files import FileError, look_at
from workers.settings.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILT = tuple(VENDORS)
_ALIASES = {alias: scheme for scheme, vendor in VENDORS.items() for alias in vendor.aliases}
_FILES = tuple(scheme for scheme, vendor in VENDORS.items() if not vendor.has_server)
"""Schemes of databases that are files."""
_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
REDIS_OPTIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "redis": {},
    "rediss": {
        **dict.fromkeys(_TLS_FILES, ()),
        "ssl_cert_reqs": ("none", "optional", "required"),
        "ssl_check_hostname": ("true", "false"),
    },
    "unix": {"db": ()},
}
"""What may stand behind each scheme's `?`, and the values that it may have; () for any."""
REDIS_SCHEMES = tuple(REDIS_OPTIONS)

_SECRET_OPTIONS = frozenset({"password", "passwd", "pwd", "sslpassword", "ssl_password"})
_AUTHORITY = re.compile(r"(?:(?P<user>[^@]*)@)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:@\[\]]*)(?::(?P<port>[0-9]*))?")
_HIGHEST_PORT = 65_535


class UrlError(Exception):
    """What is wrong with a URL, in words that show nothing of it but its scheme."""


@dataclass(frozen=True, slots=True)
class Url:
    """A URL's parts, still percent-encoded.

    path     from the slash after the authority on, that slash included; "" where there is none
    options  the query's names and values, decoded
    """

    scheme: str
    user: str
    host: str
    port: str
    path: str
    options: tuple[tuple[str, str], ...]


_USER_INFO = re.compile(r"(?P<scheme>[^:/?#]*://)(?P<user>[^:/?#]*):(?P<password>[^/?#]*)@(?P<rest>.*)", re.DOTALL)


def part(text: str) -> tuple[str, str | None]:
    """The URL without the password inside it, and that one, decoded; None where there is none, or an empty one."""
    found = _USER_INFO.fullmatch(text)
    if found is None or not found["password"]:
        return text, None
    return f"{found['scheme']}{found['user']}@{found['rest']}", unquote(found["password"])


def plain(text: str) -> str:
    """The URL with its scheme as segsync writes it: `postgres://` and `postgresql+psycopg://` are what others write."""
    scheme, mark, rest = text.partition("://")
    base = scheme.lower().partition("+")[0]
    meant = _ALIASES.get(base, base)
    return f"{meant}{mark}{rest}" if mark and meant in BUILT else text


def split(text: str) -> Url:
    """The parts of `text`; UrlError for a password in it, blanks, or what is no URL."""
    if re.search(r"[\x00-\x20\x7f]", text):
        raise UrlError("there is a blank, a line end or a control character in the URL")
    scheme, mark, rest = text.partition("://")
    if not mark:
        raise UrlError("is no URL; expected scheme://user@host:port/database")
    place, _, query = rest.partition("?")
    options = tuple(parse_qsl(query, keep_blank_values=True))
    if scheme not in _FILES and place.rpartition("@")[0].partition(":")[2]:
        raise UrlError(_NOT_INSIDE)
    if any(name.lower() in _SECRET_OPTIONS for name, _ in options):
        raise UrlError(_NOT_INSIDE)
    authority, slash, path = place.partition("/")
    if scheme not in _FILES and scheme != "unix" and re.search("[@#]", path + query):
        raise UrlError(_NOT_ENCODED)
    user, host, port = _authority(authority)
    return Url(scheme, user, host, port, slash + path, options)


_NOT_ENCODED = "there is an @ or a # behind the host; in user and password write / as %2F, @ as %40, # as %23, ? as %3F"
_NOT_INSIDE = "there is a password inside the URL; expected it as password or password_file beside the URL"


def _authority(text: str) -> tuple[str, str, str]:
    found = _AUTHORITY.fullmatch(text)
    if not found:
        raise UrlError("the part between // and / cannot be read; expected user@host:port (a password stands apart)")
    port = found["port"]
    if port is not None and not _is_port(port):
        raise UrlError(f"the port is no number from 1 to {_HIGHEST_PORT}")
    return (found["user"] or "").removesuffix(":"), found["host"], port or ""


def dialect_of(scheme: str) -> str:
    """The dialect that a URL's scheme names; UrlError for one that is not built or not known."""
    if scheme in BUILT:
        return scheme
    base, plus, _ = scheme.lower().partition("+")
    meant = _ALIASES.get(base, base)
    if meant in BUILT:
        driver = " (segsync picks the driver)" if plus else ""
        raise UrlError(f"{scheme!r} is no scheme here; did you mean {meant}://?{driver}")
    raise UrlError(f"{scheme[:40]!r} is no scheme here{nearest(base, BUILT)}")


def check_database(url: Url, *, known: bool = True) -> None:
    """UrlError for a database URL whose scheme is right and whose rest cannot lead anywhere.

    known  as for `check_options`: a variable that stands in for a host may hold the database, too
    """
    if url.scheme in _FILES:
        _check_file(url)
        return
    if not url.host and not {"host", "unix_socket"} & {name for name, _ in url.options}:
        raise UrlError(f"no host; expected {url.scheme}://user@host:port/database")
    if known and not url.path.strip("/"):
        raise UrlError(f"no database; expected {url.scheme}://user@host:port/database")


def _check_file(url: Url) -> None:
    scheme = url.scheme
    if url.user or url.host or url.port:
        raise UrlError(f"{scheme} has no host; expected {scheme}:///relative.db or {scheme}:////absolute.db")
    if url.path in {"", "/", "/:memory:"}:
        raise UrlError(
            f"a database in memory is gone with its process, and no other sees it; expected {scheme}:///file.db"
        )
    if url.path.endswith("/"):
        raise UrlError(f"a folder is no database; expected {scheme}:///file.db")


def check_options(url: Url, *, known: bool = True) -> None:
    """UrlError for parameters that the connector would refuse, once it connects.

    known  whether the values are those that will be used; False while variables stand in for some of them
    """
    vendor = VENDORS.get(url.scheme)
    allowed = vendor.options if vendor else {}
    for name, value in url.options:
        if name not in allowed:
            what = nearest(name, allowed) if allowed else "; expected none"
            raise UrlError(f"parameter {name[:40]!r} is not known{what}")
        if known and not value:
            raise UrlError(f"parameter {name!r} is empty; expected a value, or the URL without it")
        if known and name == "port" and not all(map(_is_port, value.split(","))):
            raise UrlError(f"parameter 'port' is {value[:40]!r}; expected a number from 1 to 65535")
        if known and allowed[name] and value not in allowed[name]:
            raise UrlError(f"parameter {name!r} is {value[:40]!r}{nearest(value, allowed[name])}")
    names = [name for name, _ in url.options]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise UrlError(f"parameter {twice!r} stands in it {names.count(twice)} times")


def contradiction(url: Url) -> str:
    """Why data would go in plain text although the URL says how it is to be protected; "" where it would not."""
    vendor = VENDORS.get(url.scheme)
    return vendor.tls.contradiction(dict(url.options)) if vendor and vendor.tls else ""


def _is_port(text: str) -> bool:
    # By its length first: Python refuses to read a number of thousands of digits.
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(_HIGHEST_PORT))
    return is_number and 1 <= int(text) <= _HIGHEST_PORT


def anchored(text: str, folder: Path) -> str:
    """A database URL with the relative path of a file made absolute, from `folder`; others as they are."""
    scheme, slashes, place = text.partition(":///")
    if scheme not in _FILES or not slashes or place.startswith("/"):
        return text
    path, mark, query = place.partition("?")
    return f"{scheme}:///{(folder / path).resolve()}{mark}{query}"


def with_password(url: Url, password: str | None) -> str:
    """The URL as one text, with the password percent-encoded in it, for those who take nothing else."""
    secret = f":{quote(password, safe='')}" if password else ""
    at = "@" if url.user or secret else ""
    port = f":{url.port}" if url.port else ""
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in url.options)
    return f"{url.scheme}://{url.user}{secret}{at}{url.host}{port}{url.path}{'?' if query else ''}{query}"


def _check_tls_file(name: str, value: str) -> None:
    """Python says of a missing one only that something is missing, and a relative one is another in each folder."""
    if not value.startswith("/"):
        raise UrlError(f"option {name!r} is {value[:40]!r}; expected the whole path of a file, from / on")
    try:
        look_at(Path(value))
    except FileError as error:
        raise UrlError(f"option {name!r}: {value}: {error}") from None


def check_redis(url: Url) -> None:
    """UrlError for what redis-py would read otherwise than it is meant."""
    if url.scheme not in REDIS_SCHEMES:
        raise UrlError(f"{url.scheme[:40]!r} is no scheme here{nearest(url.scheme, REDIS_SCHEMES)}")
    allowed = REDIS_OPTIONS[url.scheme]
    for name, value in url.options:
        if name not in allowed:
            raise UrlError(f"unknown option {name[:40]!r}{nearest(name, allowed)}")
        if allowed[name] and value not in allowed[name]:
            raise UrlError(f"option {name!r} is {value[:40]!r}{nearest(value, allowed[name])}")
        if name in _TLS_FILES:
            _check_tls_file(name, value)
    names = [name for name, _ in url.options]
    if "ssl_keyfile" in names and "ssl_certfile" not in names:
        raise UrlError("option 'ssl_keyfile' is a key without its certificate; expected ssl_certfile, too")
    if url.scheme == "unix":
        if url.host or not url.path.strip("/"):
            raise UrlError("expected unix:///path/to/redis.sock")
    elif not re.fullmatch(r"(/[0-9]{0,5})?", url.path, re.ASCII):
        raise UrlError("the database after the host is no number; expected redis://host:6379/0")
