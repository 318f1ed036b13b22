"""A target's URL, taken apart and checked."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import URL

    from workers.connectors.contract import Target


@dataclass(frozen=True, slots=True)
class Address:
    """Where a target is; what the URL leaves out is None.

    database  its name; for SQLite a path
    options   the URL's parameters
    """

    host: str | None
    port: int | None
    user: str | None
    database: str | None
    options: Mapping[str, str]


def address(target: Target, allowed: Mapping[str, tuple[str, ...]]) -> Address:
    """The parts of `target.url`, its parameters among those of `Vendor.options`.

    Raises TargetError (HOLD, CONNECTOR) for what cannot be a URL of the target's dialect. The URL itself is never
    quoted: a password may stand in it by mistake.
    """
    url = _parsed(target)
    if url.drivername != target.dialect:
        raise _wrong(target, f"its scheme is {url.drivername!r}; expected {target.dialect!r}")
    if url.password:
        raise _wrong(target, "a password stands in it; expected it under `password` or `password_file`")
    if url.port is not None and not 0 < url.port < 65536:  # noqa: PLR2004 - TCP's ports
        raise _wrong(target, f"its port is {url.port}; expected 1 to 65535")
    return Address(url.host, url.port, url.username, url.database, _options(target, url, allowed))


def _parsed(target: Target) -> URL:
    try:
        return make_url(target.url)
    except (ArgumentError, ValueError):
        raise _wrong(target, f"it cannot be read; expected {target.dialect}://user@host:port/database") from None


def _options(target: Target, url: URL, allowed: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    options = {}
    for name, value in url.query.items():
        if name not in allowed:
            raise _wrong(target, f"parameter {name!r} is not known; {expected_one_of(allowed)}")
        if not isinstance(value, str):
            raise _wrong(target, f"parameter {name!r} stands in it {len(value)} times")
        if allowed[name] and value not in allowed[name]:
            raise _wrong(target, f"parameter {name!r} is {value!r}; {expected_one_of(allowed[name])}")
        options[name] = value
    return options


class UnreadableFile(OSError):
    """A file that an option of the URL names cannot be used.

    place  the option, the path and why, for people
    """

    def __init__(self, option: str, path: str, reason: str) -> None:
        self.place = f"{option} {path!r}: {reason}"
        super().__init__(self.place)


def file_of(place: Address, option: str) -> str | None:
    """The file that an option names, if it does; UnreadableFile."""
    path = place.options.get(option)
    if path:
        try:
            Path(path).open("rb").close()
        except OSError as error:
            raise UnreadableFile(option, path, error.strerror or type(error).__name__) from None
    return path


def trusting(place: Address, option: str) -> ssl.SSLContext:
    """What judges a server's certificate and name, by the authorities in the file that an option names.

    Where it names none, by the system's. UnreadableFile.
    """
    path = file_of(place, option)
    try:
        return ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise UnreadableFile(option, path or "", "expected certificates in PEM") from None


def show_certificate(context: ssl.SSLContext, place: Address, option: str, key_option: str) -> None:
    """Has the client show the certificate that an option names, if it does, to a server that asks for one.

    option      names the certificate, in PEM, with those between it and the authority behind it
    key_option  names its key; left out, that stands in the same file

    Raises UnreadableFile, also for a key with a password: nobody is there to be asked for it.
    """
    certificate, key = file_of(place, option), file_of(place, key_option)
    if certificate is None:
        if key is not None:
            raise UnreadableFile(key_option, key, f"expected {option} beside it, the certificate that it belongs to")
        return
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError:
        what = "expected a certificate and the key that belongs to it, in PEM, the key without a password"
        raise UnreadableFile(option, certificate, what) from None


def expected_one_of(names: Collection[str]) -> str:
    """What to write instead; for a database without parameters, too."""
    return f"expected one of {', '.join(sorted(names))}" if names else "expected none"


def _wrong(target: Target, what: str) -> TargetError:
    reason = f"the URL of connector {target.key!r} is wrong: {what}"
    return TargetError(ErrorClass.HOLD, f"{target.dialect} url", reason, level=HoldLevel.CONNECTOR)
