"""What only whoever writes the file may say, in what is published from elsewhere: secrets, and where they are sent.

Whoever publishes through the API or the console may be trusted with tables, and not with the secrets of the workers'
environment: a variable or a file that he may name freely, or an address that he may change under a password, sends
them to a server of his.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from workers.connectors.sql.vendors import VENDORS
from workers.errors import Mistake, SettingsError
from workers.settings import revisions
from workers.settings.feeds import is_written_secret
from workers.settings.published import published
from workers.settings.variables import VariableError, fill, references

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from redis import Redis

    from workers.lanes.keys import Keys

_URL: Final = re.compile(r"(?P<scheme>[^:/?#]*)://(?:[^/?#]*@)?(?P<place>[^/?#]*)[^?#]*(?P<options>.*)", re.DOTALL)
_VARIABLE: Final = re.compile(r"\$\{")
_TEXTS: Final = {"integrations": ("queries",), "sources": ("members", "segments", "fresh")}
"""Keys whose text is SQL, in which nothing is filled in, by the section they stand in; `segments` may be none."""
_TEXT: Final = 3
"""Names of the path to such a text, or to a table of them."""
_ADDRESS: Final = re.compile(r"https?://", re.IGNORECASE)
_NO_SECRETS: Final = frozenset({"store", "members", "segments", "fresh"})
"""Keys of a table that hold no secret to be bound: queries, and a store, which has its own address."""
_FILES: Final = frozenset(name for vendor in VENDORS.values() for name in vendor.files)
_IN_THE_FILE: Final = "expected it as it is applied: it is changed in segsync.toml, by `segsync apply`"


def leads_to(url: str) -> tuple[str, ...]:
    """Of an address what says whom a password is sent to, and how: all but its user and what stands behind the host.

    What a variable stands in is another with each change.
    """
    found = _URL.fullmatch(url)
    if found is None or _VARIABLE.search(url):
        return (url,)
    return found["scheme"], found["place"].lower(), found["options"]


@dataclass(frozen=True, slots=True)
class Bound:
    """Where secrets were sent.

    folder  what a file's name is relative to: the one of segsync.toml
    sent    by a secret's place, as `secrets_of` tells it: the addresses, as `leads_to` tells them
    """

    folder: Path
    sent: Mapping[str, set[tuple[str, ...]]]

    def of(self, table: Mapping[str, Any]) -> list[set[tuple[str, ...]]]:
        """Of each secret that a table names: where it was sent. Those that never were are left out."""
        return [self.sent[each] for each in secrets_of(table, self.folder) if each in self.sent]


def secrets_of(table: Mapping[str, Any], folder: Path) -> set[str]:
    """The places of the secrets in a connector's, a source's or the ledger's table: variables by name, files by path.

    A header without a variable is one, too, and its own place: what is written there may be a password.

    folder  what a file's name is relative to

    What its address names is among them, since a password may stand in it; what its queries name is not.
    """
    found: set[str] = set()
    listed = {"segments"} if _is_feed(table.get("segments")) else set()
    for path, value in _leaves({name: each for name, each in table.items() if name not in _NO_SECRETS - listed}):
        if path[-1].endswith("_file"):
            found.add(_file(str(value), folder))
        elif isinstance(value, str) and _VARIABLE.search(value):
            found |= _variables(value)
        elif path[0] == "headers":
            found.add(f"the header {value}")  # as neither a variable nor a path is written
    return found


def _file(name: str, folder: Path) -> str:
    """A file's path, however it is spelled: by way of other folders, of links, of variables that are set here."""
    try:
        return str((folder / fill(name, os.environ)).resolve())
    except (VariableError, OSError, ValueError):  # nobody can open it here, either
        return name


def _variables(text: str) -> set[str]:
    try:
        return {each.name for each in references(text)}
    except VariableError:
        return {text}


def bound_secrets(redis: Redis, keys: Keys, folder: Path) -> Bound:
    """Where each secret was sent by the last revision, of those that are kept, that had it. redis.RedisError."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for each in revisions.history(redis, keys):
        mine: dict[str, set[tuple[str, ...]]] = {}
        for table in _with_secrets(json.loads(each.text)):
            for secret in secrets_of(table, folder):
                mine.setdefault(secret, set()).add(leads_to(str(table.get("url", ""))))
        found = mine | found
    return Bound(folder, found)


def _with_secrets(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All tables that may have any: connectors and their stores, sources, the ledger."""
    yield document.get("ledger", {})
    yield from document.get("sources", {}).values()
    for table in document.get("connectors", {}).values():
        yield table
        yield table.get("store", {})


def files_named(url: str, before: str = "") -> list[str]:
    """The options of a database's address that name another file than they do `before`.

    Whoever names one is told whether it is there and can be read, wherever the address leads.
    """
    if _ADDRESS.match(url):
        return []
    applied = _options(before)
    return [name for name, path in _options(url) if name in _FILES and (name, path) not in applied and path != "system"]


def _options(url: str) -> list[tuple[str, str]]:
    return parse_qsl(url.partition("?")[2], keep_blank_values=True)


def refuse_not_entrusted(redis: Redis, keys: Keys, given: Mapping[str, Any], source: str) -> int:
    """SettingsError where it says what only the file may, and that is not what is applied.

    source  what is being published, for the message

    Returns the revision that is applied, 0 for none: what was compared with another says nothing of what may be
    published over it. redis.RedisError.
    """
    found = published(redis, keys)
    if mistakes := not_entrusted(given, json.loads(found.text) if found else {}):
        raise SettingsError(source, mistakes)
    return found.revision if found else 0


def not_entrusted(given: Mapping[str, Any], applied: Mapping[str, Any]) -> list[Mistake]:
    """What of a configuration that was given differs from the applied one in what only the file may say."""
    found = []
    if given.get("ledger", {}) != applied.get("ledger", {}):
        found.append(Mistake("ledger", f"is another one; {_IN_THE_FILE}"))
    before = dict(_leaves(applied))
    for path, value in _leaves(given):
        if path[0] != "ledger" and before.get(path) != value and (what := _why_not(path, value)):
            found.append(Mistake(".".join(path), f"{what}; {_IN_THE_FILE}"))
    found += _commands(_table(given, "sources"), _table(applied, "sources"))
    for section in ("connectors", "sources"):
        found += _led_away(section, _table(given, section), _table(applied, section))
    return found


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name, {})
    return found if isinstance(found, dict) else {}


def _leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Each value that is no table, with its key path; an entry of a list has its number."""
    if len(path) == _TEXT and path[2] in _TEXTS.get(path[0], ()) and not _is_feed(value):
        return
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, (*path, str(name)))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _leaves(each, (*path, str(index)))
    else:
        yield path, value


def _is_feed(value: object) -> bool:
    """Whether a source's `segments` are no SQL: an address, or a program, in which variables are filled in."""
    return isinstance(value, list) or (isinstance(value, str) and _ADDRESS.match(value) is not None)


def _why_not(path: tuple[str, ...], value: object) -> str:
    if isinstance(value, str) and _VARIABLE.search(value):
        return "holds a variable that is not applied there"
    if path[0] == "sources" and path[2:3] == ("headers",) and is_written_secret(path[-1], value):
        return "is a secret that stands in what is published"
    if any(name.endswith("_file") for name in path[2:]):
        return "names a file that is not applied there"
    return ""


def _commands(given: Mapping[str, Any], applied: Mapping[str, Any]) -> Iterator[Mistake]:
    """Programs of sources, with all their arguments: one that is left out says something else, too."""
    for key, table in given.items():
        was = applied.get(key, {})
        for name in ("command", "segments") if isinstance(table, dict) else ():
            value = table.get(name)
            if value is not None and value != was.get(name) and (name == "command" or isinstance(value, list)):
                yield Mistake(f"sources.{key}.{name}", f"is a command that is not applied; {_IN_THE_FILE}")


def _led_away(section: str, given: Mapping[str, Any], applied: Mapping[str, Any]) -> Iterator[Mistake]:
    """Tables with a secret, headers or a login of an ad account, that would lead to another address, or name a file.

    What a header says may be a secret, whoever wrote it there. Those of a new source are the ones of who gives it.
    """
    for key, table in given.items():
        was = applied.get(key, {})
        if not isinstance(table, dict):
            continue
        account = "platform" in table
        if account and table.get("store") != was.get("store"):
            yield Mistake(f"{section}.{key}.store", f"is another one; {_IN_THE_FILE}")
        url, before = str(table.get("url", "")), str(was.get("url", ""))
        if names := files_named(url, before):
            what = f"names a file that is not applied there ({', '.join(names)})"
            yield Mistake(f"{section}.{key}.url", f"{what}; {_IN_THE_FILE}")
        kept = bool(table.get("headers") and was.get("headers"))
        if (account or kept or _has_secret(table)) and leads_to(url) != leads_to(before):
            yield Mistake(f"{section}.{key}.url", f"leads its secret to another address; {_IN_THE_FILE}")


def _has_secret(table: Mapping[str, Any]) -> bool:
    return any(_VARIABLE.search(str(value)) or path[-1].endswith("_file") for path, value in _leaves(table))
