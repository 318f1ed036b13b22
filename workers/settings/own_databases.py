"""Databases of servers that are segsync's own: whoever may write queries for one could change there who did what.

A file that is the ledger is refused as a target (`own_files.py`). A server's database may be both, as where Compose
keeps everything in one: the server tells its users apart. So it is said where one user is both, and whoever may only
edit in the console or by the API leads nothing there that the file has not led there.

By its words an address is known under the names that this host has for itself; whatever else a server is called
(another name of it, a pooler before it), the server is asked, by `segsync check --connect`.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import product
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from workers.errors import SettingsError
from workers.settings.ad_connectors import AdConnectorSettings
from workers.settings.connectors import ConnectorSettings
from workers.settings.sources import SourceSettings
from workers.settings.urls import UrlError, part, plain, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from workers.settings.connectors import AnyConnector
    from workers.settings.database_url import DatabaseAddress
    from workers.settings.sources import AnySource

    Hosts = Callable[[str], frozenset[str]]

SCHEME: Final = "postgresql"
"""Of all servers, the one that may keep a ledger or a store. In it, a statement reaches its own database alone."""
PORT: Final = 5432
"""Where such a server listens, where an address names no port."""
THIS_HOST: Final = "this host"
_TELL: Final = (
    "leads to {own} as its user: whoever may edit queries can have them change anything there; expected a user of its "
    "own for {own}, and no right for others"
)


@dataclass(frozen=True, slots=True)
class Database:
    """A server's database, and who logs in to it.

    places  each name, or address, of its servers (`THIS_HOST` for this one), with the port there
    user    "" for the one that the process runs as
    """

    places: frozenset[tuple[str, int]]
    name: str
    user: str

    def is_same(self, other: Database) -> bool:
        """Whether both are one database, whoever logs in."""
        return bool(self.places & other.places) and self.name == other.name


@dataclass(frozen=True, slots=True)
class Shared:
    """A connector or source that leads to a database of segsync's own.

    where      key path of its table
    url        as it is written
    own        whose database it is: "the ledger's database"
    same_user  whether it logs in as segsync does itself
    """

    where: str
    url: str
    own: str
    same_user: bool

    @property
    def what(self) -> str:
        """What is said of one with the same user."""
        return _TELL.format(own=self.own)


def names_of(host: str) -> frozenset[str]:
    """A host by its words, an address in one spelling; nothing is asked."""
    name = host.strip("[] ").lower().rstrip(".")
    if not name or name.startswith(("/", "@")) or name == "localhost":
        return frozenset({THIS_HOST})
    address = _address(name)
    if address is None:
        return frozenset({name})
    # Whoever connects to "no address" (0.0.0.0, ::) reaches this host, as with its loopback.
    return frozenset({THIS_HOST if address.is_loopback or address.is_unspecified else str(address)})


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(name)
    except ValueError:
        try:
            return IPv4Address(socket.inet_aton(name))  # C's further spellings: 127.1, 0x7f000001, 0
        except (OSError, ValueError):
            return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def addresses_of(host: str) -> frozenset[str]:
    """The same, and where its name leads at this moment; an address of this host is `THIS_HOST`, too."""
    found = names_of(host)
    try:
        told = socket.getaddrinfo(host.strip("[] "), None, type=socket.SOCK_STREAM) if host else []
    except (OSError, ValueError):
        return found
    addresses = [(str(address[0]), 0, *address[2:]) for *_, address in told]
    here = frozenset({THIS_HOST} if any(map(_is_here, addresses)) else ())
    return found.union(here, *(names_of(address[0]) for address in addresses))


def _is_here(address: tuple[str | int, ...]) -> bool:
    """Whether an address, as sockets take it, is one of this host: nobody can bind to another's. Nothing is sent."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in str(address[0]) else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(address)
    except OSError:
        return False
    return True


def shared(
    ledger_url: str,
    connectors: Mapping[str, AnyConnector],
    sources: Mapping[str, AnySource],
    environ: Mapping[str, str] = os.environ,
    hosts: Hosts = names_of,
) -> Iterator[Shared]:
    """Each connector and source that leads to the ledger's database, or to that of an ad account's store.

    hosts  what a host is known by

    What leads nowhere in this environment is passed over: nothing connects to it here.
    """
    own = {"the ledger's database": _database(part(plain(ledger_url))[0], hosts)}
    for each in connectors.values():
        if isinstance(each, AdConnectorSettings) and each.store is not None:
            own[f"the database of {each.key}'s store"] = _database_at(each.store, environ, hosts)
    if not any(own.values()):
        return
    every = (*connectors.values(), *sources.values())
    for address in [each.address for each in every if isinstance(each, (ConnectorSettings, SourceSettings))]:
        found = _database_at(address, environ, hosts)
        for name, database in own.items():
            if found and database and found.is_same(database):
                yield Shared(address.where, address.url, name, found.user == database.user)


def _database_at(address: DatabaseAddress, environ: Mapping[str, str], hosts: Hosts) -> Database | None:
    try:
        return _database(address.place(environ), hosts)
    except SettingsError:
        return None


def _database(url: str, hosts: Hosts) -> Database | None:
    """What a URL without a password leads to; None for a file, or another server than those."""
    try:
        parts = split(url)
    except UrlError:
        return None
    if parts.scheme != SCHEME:
        return None
    options = dict(parts.options)
    # As libpq takes them: a parameter wins over what stands before the question mark, and may be a list.
    named, ports = options.get("host") or unquote(parts.host), options.get("port") or parts.port
    user, database = unquote(parts.user), unquote(parts.path.lstrip("/"))
    return Database(frozenset(_places(named.split(","), ports.split(","), hosts)), database, user)


def _places(named: list[str], ports: list[str], hosts: Hosts) -> Iterator[tuple[str, int]]:
    """Each host with its port, which may be one for all of them."""
    # libpq refuses lists of other lengths; should another version read them otherwise, each pair is among these.
    pairs = zip(named, ports, strict=True) if len(named) == len(ports) else product(named, ports)
    for host, port in pairs:
        if not port or (port.isascii() and port.isdigit()):
            yield from ((name, int(port or PORT)) for name in hosts(host))
