"""[sources.*] that are no database: an address that answers with members over HTTP, or a program that prints them.

[sources.main]
url = "https://platform.example/segments/{segment_id}/members?after={after}&limit={limit}"
headers = { Authorization = "Bearer ${PLATFORM_TOKEN}" }
first = 0

[sources.main]
command = ["/usr/local/bin/members", "--segment={segment_id}"]

Either may list its segments, too: `segments` is an address at the same place, or a program and its arguments.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from workers.errors import Mistake, SettingsError
from workers.settings import variables
from workers.settings.spelling import kind_of, show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.settings.table import TomlTable

TIMEOUT: Final = 60.0
"""Seconds of silence after which an answer is given up, where the file says nothing."""
LONGEST_TIMEOUT: Final = 3_600.0
"""Seconds: what is silent for longer than an hour is dead."""
COMMANDS: Final = "SEGSYNC_SOURCE_COMMANDS"
"""Variable of a worker's own environment: the programs that a source may run there, with a colon between. Whoever can
write to Redis could publish a configuration, and with it a command; but not this."""
PLACES: Final = ("segment_id", "after", "limit")
_PLACE = re.compile(r"\{\s*(\w*)\s*\}")
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", re.ASCII)
_SECRET_HEADER = re.compile(r"auth|token|key|secret|passw|cookie|session|credential|signature", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"\s*(bearer|basic|digest|token|apikey)\s", re.IGNORECASE)
_NEAR = re.compile(r"http://(localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?(?:/|$)", re.IGNORECASE)
_HTTP = re.compile(r"https?://", re.IGNORECASE)
_ORIGIN = re.compile(r"https?://(?:\$\{[^}]*\}|[^/?#$])*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """One profile database that answers by itself.

    key      its name, as in a scope's `database`
    url      with {segment_id}, {after} and {limit}; "" where there is a command
    headers  name -> value, for the URL; variables are filled in by `resolve`
    command  a program and its arguments, with the same places; () where there is a URL
    first, rows, delay  as in SourceSettings
    timeout  seconds of silence after which an answer is given up
    readers  as in SourceSettings
    segments where all segments are listed: an address alone, or a program and its arguments; () where nothing does
    lists    whether this is that list, and no segment's members
    """

    key: str
    url: str
    headers: Mapping[str, str] = field(repr=False, hash=False)
    command: tuple[str, ...]
    first: int | str | None
    rows: int
    delay: float
    timeout: float
    fresh: str = ""
    segments: tuple[str, ...] = ()
    lists: bool = False
    readers: int = 1

    @property
    def listing(self) -> FeedSettings:
        """The list of all segments, where there is one: whole in one answer, or in pages that name the next one."""
        url, command = ("", self.segments) if self.command else (self.segments[0], ())
        return replace(self, url=url, command=command, first=None, segments=(), lists=True)

    @property
    def digest(self) -> str:
        """Of all that decides what is read, but secrets."""
        facts = (self.url, sorted(self.headers), self.command, self.first)
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def resolve(self, environ: Mapping[str, str] = os.environ) -> FeedSettings:
        """The same with all variables filled in; SettingsError with all that is missing, or not allowed here."""
        mistakes: list[Mistake] = []
        where = f"sources.{self.key}"

        def filled(text: str, name: str) -> str:
            try:
                return variables.fill(text, environ)
            except variables.VariableError as error:
                mistakes.append(Mistake(f"{where}.{name}", str(error)))
                return ""

        url_at, command_at = ("segments", "segments") if self.lists else ("url", "command")
        url = filled(self.url, url_at)
        headers = {name: filled(value, f"headers.{name}") for name, value in self.headers.items()}
        mistakes += [
            Mistake(f"{where}.headers.{name}", "its value has a line end; expected one line of ASCII")
            for name, value in headers.items()
            if not value.isascii() or not value.isprintable()
        ]
        command = tuple(filled(part, f"{command_at}[{n}]") for n, part in enumerate(self.command))
        if command and command[0] not in environ.get(COMMANDS, "").split(":"):
            mistakes.append(
                Mistake(
                    f"{where}.{command_at}",
                    f"{show(command[0])} may not be run here; expected it in the variable {COMMANDS} of this process",
                )
            )
        if mistakes:
            raise SettingsError(where, mistakes)
        return replace(self, url=url, headers=headers, command=command)


def is_feed(table: TomlTable) -> bool:
    """Whether a source is none of a database's."""
    url = table.values.get("url")
    return "command" in table or (isinstance(url, str) and _HTTP.match(url) is not None)


def read_feed(key: str, table: TomlTable, rows: int, delay: float) -> FeedSettings | None:
    """The source; None where it cannot be used, its mistakes noted. `rows` and `delay` have been read already."""
    before = len(table.mistakes)
    url = table.optional_text("url", "an address", hidden=True) or ""
    command = _program(table, "command")
    if url and command:
        table.wrong("command", "expected either url or command, not both")
    headers = _headers(table)
    for name, text in [("url", url), *((f"command[{n}]", part) for n, part in enumerate(command))]:
        _check_places(table, name, text)
    whole = " ".join((url, *command))
    if "{segment_id}" not in whole:
        table.wrong(
            "url" if url else "command", "does not name {segment_id}; expected it, since each segment is asked for"
        )
    if ("{after}" in whole) != ("{limit}" in whole):
        table.wrong("url" if url else "command", "has only one of {after} and {limit}; expected both, or none of them")
    if url.lower().startswith("http:") and headers and not _NEAR.match(url):
        table.wrong("headers", "would go in clear text; expected an address that begins with https://")
    first = read_first(table, paged="{after}" in whole)
    timeout = table.seconds("timeout", TIMEOUT, 1.0, LONGEST_TIMEOUT)
    segments = _listing(table, url)
    table.close()
    if len(table.mistakes) > before:
        return None
    return FeedSettings(key, url, headers, command, first, rows, delay, timeout, segments=segments)


def _program(table: TomlTable, name: str) -> tuple[str, ...]:
    value = table.take(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not value or not all(isinstance(part, str) for part in value):
        table.wrong(name, 'expected a list of texts: a program and its arguments, as in ["/usr/local/bin/members"]')
        return ()
    if not value[0].startswith("/"):
        table.wrong(f"{name}[0]", f"{show(value[0])} is no absolute path; expected one, as in /usr/local/bin/members")
    return tuple(value)


def _listing(table: TomlTable, url: str) -> tuple[str, ...]:
    """Where segments are listed; headers go to the place of `url` alone, so that must be the same."""
    if not url:
        parts = _program(table, "segments")
    else:
        address = table.optional_text("segments", "an address", hidden=True) or ""
        parts = (address,) if address else ()
        origins = [found[0].lower() if (found := _ORIGIN.match(each)) else "" for each in (url, address)]
        if address and origins[0] != origins[1]:
            table.wrong(
                "segments", "is at another scheme, host or port than url; expected the same, as headers go there"
            )
    for each in parts:
        if found := _PLACE.search(_VARIABLE.sub("", each)):
            table.wrong("segments", f"names {show(found[0])}; expected no place, since it lists all segments at once")
    return parts


def _headers(table: TomlTable) -> dict[str, str]:
    found = table.table("headers")
    headers = {}
    for name in list(found.values):
        headers[name] = found.text(name, "text", hidden=True)
        if not _HEADER.fullmatch(name):
            found.wrong(name, "is no header's name; expected letters, digits and -")
    found.close()
    return headers


def is_written_secret(name: str, value: object) -> bool:
    """Whether a header is one of those that let somebody in, by its name or its value, and stands there in clear text.

    That is one without a variable, or with a variable's default. What a header is called otherwise tells nothing of it.
    """
    if not isinstance(value, str) or not (_SECRET_HEADER.search(name) or _SECRET_VALUE.match(value)):
        return False
    try:
        found = variables.references(value)
    except variables.VariableError:
        return False  # `resolve` says what is wrong with it
    return not found or any(each.default for each in found)


def written_secrets(sources: object) -> list[Mistake]:
    """Headers of [sources.*] that are secrets in clear text: for a file, before it is published.

    What is applied is read with them, since a version that did not know of this may have published it.
    """
    found = []
    for key, table in sources.items() if isinstance(sources, dict) else ():
        headers = table.get("headers") if isinstance(table, dict) else None
        found += [
            Mistake(f"sources.{key}.headers.{name}", _WRITTEN)
            for name, value in (headers.items() if isinstance(headers, dict) else ())
            if is_written_secret(name, value)
        ]
    return found


_WRITTEN: Final = (
    "stands in the file, which is published in Redis; expected its secret in a variable without a default, as in "
    '"Bearer ${PLATFORM_TOKEN}"'
)


def _check_places(table: TomlTable, name: str, text: str) -> None:
    # `${NAME}` is a variable and no place.
    for found in _PLACE.finditer(_VARIABLE.sub("", text)):
        if found[0][1:-1] not in PLACES:
            table.wrong(name, f"names {show(found[0])}; expected " + ", ".join(f"{{{each}}}" for each in PLACES))


def read_first(table: TomlTable, *, paged: bool) -> int | str | None:
    """What `{after}` is on the first page; None where there are no pages."""
    value = table.take("first")
    expected = 'what `{after}` is before the first `_id`: 0 where they are positive numbers, "" where they are texts'
    if value is None:
        if paged:
            table.missing("first", expected)
        return None
    if not paged:
        table.wrong("first", "means nothing without `{after}`; leave it out, or page by it")
    if isinstance(value, str) or type(value) is int:
        return value
    table.wrong("first", f"{show(value)} is {kind_of(value)}; expected {expected}")
    return None
