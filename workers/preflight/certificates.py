"""Certificates that end soon: of the servers that the configuration leads to, and in the files that its URLs name."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workers.connectors.certificates import end_of_server, ends_in
from workers.connectors.inspection import Step
from workers.connectors.sql.vendors import VENDORS
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from socket import socket

    from workers.settings.urls import Url

SOON_DAYS: Final = 21
"""Whoever renews by itself does so 30 days before the end; what has less left was not renewed."""
SECONDS: Final = 5.0
"""For a server's answer."""
NAME: Final = "certificates"
"""The step's."""

AUTHORITIES: Final = ("ssl_ca_certs", "ssl_ca", "sslrootcert", "ca_cert", "ca_file")
"""Options whose file says who may vouch."""
OWN: Final = {
    "ssl_certfile": "ssl_keyfile",
    "ssl_cert": "ssl_key",
    "sslcert": "sslkey",
    "client_cert": "client_cert_key",
}
"""Options whose file has a certificate of our own, and where its key is."""
KEYS: Final = ("ssl_keyfile", "ssl_key", "sslkey", "client_cert_key", "key_file")
"""Options whose file is a private key."""
REDIS_PORT: Final = 6379
"""Redis's own default."""


@dataclass(frozen=True, slots=True)
class _Seen:
    what: str
    ends: datetime


def of_urls(urls: Iterable[tuple[str, Url]]) -> Iterator[Step]:
    """What ends soon or has ended, what could not be looked at, and one step for all that is fine.

    urls  each with what it is: "redis", "connector crm"
    """
    seen, now = list[_Seen](), datetime.now(UTC)
    for where, url in urls:
        for look in (_of_files, _of_server):
            try:
                seen += look(where, url)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else error
                yield Step(NAME, "skipped", f"{where}: its certificate cannot be looked at: {reason}")
    late = [each for each in seen if (each.ends - now).days < SOON_DAYS]
    for each in late:
        yield _of_late(each, now)
    if not seen:
        yield Step(NAME, "fine", "none is used")
    elif not late:
        first = min(seen, key=lambda each: each.ends)
        what = f"{counted(len(seen), 'certificate')}; the first to end is {first.what}, on {first.ends:%Y-%m-%d}"
        yield Step(NAME, "fine", what)


def key_files(urls: Iterable[tuple[str, Url]]) -> Iterator[Path]:
    """The files that these URLs name and that hold a private key: one of its own, or one beside its certificate."""
    for _, url in urls:
        for name, path in url.options:
            if path.startswith("/") and (name in KEYS or (name in (*OWN, "cert_file") and _holds_a_key(Path(path)))):
                yield Path(path)


def _holds_a_key(path: Path) -> bool:
    try:
        return b"PRIVATE KEY-----" in path.read_bytes()
    except OSError:  # what cannot be read is said where its end is looked for
        return False


def _of_late(seen: _Seen, now: datetime) -> Step:
    if seen.ends <= now:
        return Step(NAME, "mistake", f"{seen.what} has ended on {seen.ends:%Y-%m-%d}; renew it")
    days = counted((seen.ends - now).days, "day")
    return Step(NAME, "warning", f"{seen.what} ends on {seen.ends:%Y-%m-%d}, in {days}; renew it before")


def _of_files(where: str, url: Url) -> Iterator[_Seen]:
    for name, path in url.options:
        if name in AUTHORITIES and path.startswith("/"):
            # An old one may stand beside the new one; nobody is believed any more when the last has ended.
            yield _Seen(f"{where}: the authority in {path} ({name})", max(ends_in(Path(path))))
        if name in OWN and path.startswith("/"):
            yield _Seen(f"{where}: our certificate in {path} ({name})", ends_in(Path(path))[0])


def _of_server(where: str, url: Url) -> Iterator[_Seen]:
    options = dict(url.options)
    vendor = VENDORS.get(url.scheme)
    begin = vendor.before_tls if vendor else _at_once
    if begin is None or not url.host or url.scheme not in {*VENDORS, "rediss"}:
        return
    usual = vendor.port if vendor else REDIS_PORT
    if vendor and vendor.secure_port and options.get("secure") == "true":
        usual = vendor.secure_port
    own = next(((options[name], options.get(key)) for name, key in OWN.items() if name in options), None)
    try:
        ends = end_of_server(
            url.host.strip("[]"), int(url.port or usual or 0), lambda link: begin(link, options), own, SECONDS
        )
    except ssl.SSLError as error:
        raise ValueError(error.reason or "TLS fails") from None
    if ends is not None:
        yield _Seen(f"{where}: the server's certificate", ends)


def _at_once(_link: socket, _options: object) -> bool:
    return True
