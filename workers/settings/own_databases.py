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
PORT: Final = "5432"
THIS_HOST: Final = "this host"
_TELL: Final = (
    "leads to {own} as its user: whoever may edit queries can have them change anything there; expected a user of its "
    "own for {own}, and no right for others"
)


@dataclass(frozen=True, slots=True)
class Database:
    """A server's database, and who logs in to it.

    hosts  names, or addresses, of its servers; `THIS_HOST` for this one
    user   "" for the one that the process runs as
    """

    hosts: frozenset[str]
    port: str
    name: str
    user: str

    def is_same(self, other: Database) -> bool:
        """Whether both are one database, whoever logs in."""
        return bool(self.hosts & other.hosts) and (self.port, self.name) == (other.port, other.name)


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
    """A host by its words; nothing is asked."""
    name = host.strip("[]").lower().rstrip(".")
    if not name or name.startswith(("/", "@", "127.")) or name in ("localhost", "::1"):
        return frozenset({THIS_HOST})
    return frozenset({name})


def addresses_of(host: str) -> frozenset[str]:
    """The same, and where its name leads at this moment."""
    found = names_of(host)
    try:
        told = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM) if host else []
    except (OSError, UnicodeError):
        return found
    return found.union(*(names_of(str(address[0]).removeprefix("::ffff:")) for *_, address in told))


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
    named, ports = options.get("host") or unquote(parts.host), options.get("port") or parts.port or PORT
    found = frozenset[str]().union(*(hosts(each) for each in named.split(",")))
    user, database = unquote(parts.user), unquote(parts.path.lstrip("/"))
    return Database(found, ports.partition(",")[0] or PORT, database, user)
