"""Whether a server's address leads anywhere: its name, then its port. Nothing is sent."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

from workers.connectors.inspection import Step

if TYPE_CHECKING:
    from workers.connectors.sql.url import Address


def reach(place: Address, default_port: int | None, seconds: float) -> Step:
    """The step "reach": DNS and TCP told apart, or whether the Unix socket or the file is there.

    default_port  None for a database that is a file
    """
    if default_port is None:
        return _file(Path(place.database or "").absolute(), "a database that was made before")
    path = place.options.get("unix_socket") or _folder(place)
    if path:
        return _file(Path(path), "the server's Unix socket, or a host in the URL")
    host, port = _host(place), place.options.get("port") or place.port or default_port
    if not host or "," in host or not str(port).isdigit():
        return Step("reach", "fine", "left to the driver, which chooses among addresses")
    return _tcp(host, int(port), seconds)


def _host(place: Address) -> str:
    return place.options.get("host") or place.host or ""


def _folder(place: Address) -> str:
    host = _host(place)
    return host if host.startswith("/") else ""


def _file(path: Path, expected: str) -> Step:
    if path.exists():
        return Step("reach", "fine", f"{path} is there")
    return Step("reach", "mistake", f"{path} does not exist; expected {expected}")


def _tcp(host: str, port: int, seconds: float) -> Step:
    try:
        found = {str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is no host name"
        return Step("reach", "mistake", f"host {host!r} cannot be resolved: {what}; look at the URL and at DNS")
    try:
        socket.create_connection((host, port), seconds).close()
    except OSError as error:
        what = f"no answer within {seconds:g} s" if isinstance(error, TimeoutError) else (error.strerror or str(error))
        addresses = "" if found == {host} else f" ({', '.join(sorted(found))})"
        remedy = "is the server up, and is a firewall between?"
        return Step("reach", "mistake", f"{host}{addresses} does not answer at port {port}: {what}; {remedy}")
    return Step("reach", "fine", f"{host} answers at port {port}")
