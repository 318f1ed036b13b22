"""A target's URL, taken apart and checked."""

from __future__ import annotations

from dataclasses import dataclass
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


def expected_one_of(names: Collection[str]) -> str:
    """What to write instead; for a database without parameters, too."""
    return f"expected one of {', '.join(sorted(names))}" if names else "expected none"


def _wrong(target: Target, what: str) -> TargetError:
    reason = f"the URL of connector {target.key!r} is wrong: {what}"
    return TargetError(ErrorClass.HOLD, f"{target.dialect} url", reason, level=HoldLevel.CONNECTOR)
