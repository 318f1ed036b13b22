"""`[console]`: where the console listens, who may use it, and which programs may use its API.

Read by the process that serves it (`segsync console`), from its own file, and never published. What is known of a
password is an argon2 hash, and of a token a SHA-256: `segsync console password` and `segsync console token` print them.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Final

from workers.settings.source import open_source
from workers.settings.spelling import nearest, show
from workers.settings.table import TomlTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from workers.settings.source import SettingsSource

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_LISTEN: Final = "127.0.0.1:8080"
DEFAULT_HOURS, LONGEST_HOURS = 12, 720
HIGHEST_PORT: Final = 65_535
TOKEN_HASH: Final = "sha256:"  # noqa: S105 - how a hash begins
_LISTEN: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):(?P<port>[0-9]{1,5})", re.ASCII)
_ARGON2: Final = re.compile(r"\$argon2id\$v=\d+\$m=\d{2,7},t=\d{1,3},p=\d{1,3}\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}")
_SHA256: Final = re.compile(r"sha256:[0-9a-f]{64}")
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_USER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
USER_RULE: Final = "1 to 100 of letters, digits and . _ @ + -, beginning with a letter or a digit"


class Role(IntEnum):
    """What somebody may do; each may do all that those before it may."""

    VIEWER = 1
    """Looks, and sees no profile's data."""
    OPERATOR = 2
    """Pauses, resumes, retries, resyncs, decides about the quarantine, and may reveal what an entry holds."""
    EDITOR = 3
    """Changes the configuration, too."""

    @property
    def word(self) -> str:
        """As the file writes it."""
        return self.name.lower()


class May(str, Enum):
    """What a token may do; each alone, none includes another."""

    READ = "read"
    OPERATE = "operate"
    EDIT = "edit"
    PUSH = "push"


@dataclass(frozen=True, slots=True)
class ConsoleUser:
    """Somebody who may use the console.

    password_hash  argon2id; None for who comes through the proxy alone
    """

    name: str
    role: Role
    password_hash: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ConsoleToken:
    """A program that may use the API; `token_hash` is "sha256:" and the token's, in hexadecimal."""

    name: str
    may: frozenset[May]
    token_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ConsoleProxy:
    """A proxy that says who somebody is.

    header     which names the user; believed only from `addresses`, which are networks
    role       of whom [console.users] does not name; None: nobody else comes in
    """

    header: str
    addresses: tuple[Network, ...]
    role: Role | None = None

    def is_one(self, address: str) -> bool:
        """Whether the proxy connects from there."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self.addresses)


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """`[console]`.

    host, port  where it listens
    edit        whether anything may be changed; without, all of it is for looking
    hours       how long a session lasts
    hosts       names that a request may call this host by; empty: any, where users are named
    """

    host: str = "127.0.0.1"
    port: int = 8080
    edit: bool = True
    hours: int = DEFAULT_HOURS
    hosts: tuple[str, ...] = ()
    users: Mapping[str, ConsoleUser] = field(default_factory=dict)
    tokens: Mapping[str, ConsoleToken] = field(default_factory=dict)
    proxy: ConsoleProxy | None = None

    @property
    def is_open(self) -> bool:
        """Whether whoever reaches it may use it: only ever on this host's loopback address."""
        return not self.users and self.proxy is None

    def token(self, text: str) -> ConsoleToken | None:
        """The token that this is; None where it is none."""
        found = hash_of_token(text)
        return next((each for each in self.tokens.values() if each.token_hash == found), None)


def hash_of_token(text: str) -> str:
    """What the file holds of a token: 256 random bits need no slow hash."""
    return TOKEN_HASH + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_user_name(name: str) -> bool:
    """Whether a user or a token may be called so."""
    return _USER.fullmatch(name) is not None


def is_loopback(host: str) -> bool:
    """Whether only programs of this host reach what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_listen(text: str) -> tuple[str, int] | None:
    """Host and port of HOST:PORT; None for anything else. Without a host it is 127.0.0.1."""
    found = _LISTEN.fullmatch(text)
    if not found or int(found["port"]) > HIGHEST_PORT:
        return None
    return found["host"].strip("[]") or "127.0.0.1", int(found["port"])


def load_console(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> ConsoleSettings:
    """`[console]` of this process's file, variables filled in, or its defaults; SettingsError."""
    source = open_source(path, environ)
    filled = source.fill(source.main.get("console", {}), ("console",))
    found = read_console(TomlTable(filled, "console", source.mistakes))
    source.finish()
    return found


def check_console(source: SettingsSource) -> None:
    """Notes what is wrong in `[console]` as it is written; its variables may be missing where it is not served."""
    if "console" in source.main:
        read_console(TomlTable(source.main["console"], "console", source.mistakes))


def read_console(table: TomlTable) -> ConsoleSettings:
    """The table's values; what is wrong is noted in it."""
    host, port = _listen(table)
    found = ConsoleSettings(
        host=host,
        port=port,
        edit=table.flag("edit", default=True),
        hours=table.whole("hours", DEFAULT_HOURS, 1, LONGEST_HOURS),
        hosts=tuple(table.list_of("hosts", "a list of host names")),
        users={user.name: user for user in _users(table)},
        tokens={token.name: token for token in _tokens(table)},
        proxy=_proxy(table) if "proxy" in table else None,
    )
    table.close()
    if found.is_open and not is_loopback(host) and not {"users", "proxy"} & table.values.keys():
        table.wrong("listen", f"{show(host)} can be reached from other hosts; expected [console.users] beside it")
    return found


def _listen(table: TomlTable) -> tuple[str, int]:
    text = table.optional_text("listen", "HOST:PORT") or DEFAULT_LISTEN
    found = parse_listen(text)
    if found is None and "$" not in text:
        table.wrong("listen", f"{show(text)} is no address; expected HOST:PORT, as in {DEFAULT_LISTEN}")
    return found or ("127.0.0.1", 8080)


def _named(table: TomlTable, key: str) -> Iterator[tuple[str, TomlTable]]:
    """The tables below `key`; a bad name is noted, its table read all the same."""
    outer = table.table(key)
    for name in sorted(outer.values):
        if not is_user_name(name):
            outer.wrong(name if name.isprintable() and name else repr(name), f"cannot be a name; expected {USER_RULE}")
        yield name, outer.table(name)


def _users(table: TomlTable) -> Iterator[ConsoleUser]:
    for name, user in _named(table, "users"):
        role = _role(user, Role.VIEWER)
        password = _hash(user, "password", _ARGON2, "segsync console password")
        if not password and "proxy" not in table:
            user.missing("password", "what `segsync console password` prints")
        user.close()
        yield ConsoleUser(name, role or Role.VIEWER, password)


def _tokens(table: TomlTable) -> Iterator[ConsoleToken]:
    words = [str(each.value) for each in May]
    for name, token in _named(table, "tokens"):
        found = _hash(token, "hash", _SHA256, "segsync console token")
        token.missing("hash", "what `segsync console token` prints")
        may = token.list_of("may", f"a list of {', '.join(words)}")
        if not may and token.values.get("may") in (None, []):
            token.wrong("may", f"is missing; expected some of {', '.join(words)}")
        for index, word in enumerate(may):
            if word not in words:
                token.wrong(f"may[{index}]", f"{show(word)} is nothing that a token may{nearest(word, words)}")
        token.close()
        yield ConsoleToken(name, frozenset(May(word) for word in may if word in words), found or "")


def _proxy(table: TomlTable) -> ConsoleProxy:
    proxy = table.table("proxy")
    header = proxy.text("header", "the name of a header, as in X-Forwarded-User")
    if header and not _HEADER.fullmatch(header):
        proxy.wrong("header", f"{show(header)} is no name of a header; expected one such as X-Forwarded-User")
    expected = 'a list of addresses, as in ["127.0.0.1"]'
    networks = [*_networks(proxy, proxy.list_of("addresses", expected))]
    if "addresses" not in proxy or proxy.values["addresses"] == []:
        # Whoever may say who he is is whoever he likes to be.
        proxy.wrong("addresses", f"is missing: the header of anybody would be believed; expected {expected}")
    role = _role(proxy, None)
    proxy.close()
    return ConsoleProxy(header, tuple(networks), role)


def _networks(table: TomlTable, texts: Iterable[str]) -> Iterator[Network]:
    for index, text in enumerate(texts):
        try:
            yield ipaddress.ip_network(text)
        except ValueError:
            if "$" not in text:
                table.wrong(f"addresses[{index}]", f"{show(text)} is no address; expected one such as 10.0.0.0/8")


def _role(table: TomlTable, default: Role | None) -> Role | None:
    words = {role.word: role for role in Role}
    word = table.optional_text("role", ", ".join(words))
    if word is not None and word not in words:
        table.wrong("role", f"{show(word)} is no role{nearest(word, words)}")
    return words.get(word or "", default)


def _hash(table: TomlTable, key: str, shape: re.Pattern[str], command: str) -> str | None:
    """A hash; what does not look like one is not shown: it may be the password itself."""
    text = table.optional_text(key, f"what `{command}` prints", hidden=True)
    if text is not None and not shape.fullmatch(text) and "${" not in text:
        table.wrong(key, f"is none that segsync makes; expected what `{command}` prints, never the secret itself")
    return text
