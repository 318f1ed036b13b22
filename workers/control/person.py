"""Whether some bytes are about a person who is to be erased. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec

from workers.control.sought import SoughtValues, unwrapped
from workers.templates import RowProblem, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([/\"\\bfnrt]))")
_PLAIN = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"?', re.DOTALL)
_UNREADABLE = object()
_DEEPEST: Final = 4
"""How often JSON may stand in a text of JSON and is still read."""


def key_name(name: str) -> str:
    """A key of several fields as stores have it, however the list is written: `["A", 17]` is `["A","17"]`."""
    parts = _parts(name)
    return name if parts is None else _whole(parts)


def _parts(name: str) -> list[str] | None:
    try:
        parts = json.loads(name) if name.startswith("[") else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(parts, list) or not all(isinstance(each, str | int) for each in parts):
        return None
    return [str(each) for each in parts]


@dataclass(frozen=True)
class Person:
    """Who is to be erased.

    profiles  `_id`s, and keys; of several fields the list of them
    values    that stand anywhere in a profile
    keys      the key fields of each applied integration
    regions   of phone numbers that name no country, of the same integrations
    """

    profiles: frozenset[str]
    values: frozenset[str]
    keys: frozenset[tuple[str, ...]]
    regions: frozenset[str] = frozenset()

    def is_in(self, raw: bytes) -> bool:
        """Whether a profile, or an event, is theirs; of what is no JSON, whether a word of it is."""
        found = _read(raw)
        if found is _UNREADABLE:
            return any(map(self.is_named_in, _texts_of(raw)))
        return self._has_value(found) or any(self._names(each) for each in _profiles(found))

    def is_named_in(self, text: str) -> bool:
        """Whether one of them is a word of a text that nobody can read as a profile, as it is or unescaped."""
        words = self._words
        if words is None:
            return False
        spelled = [text]
        while "\\" in spelled[-1] and len(spelled) <= _DEEPEST:
            spelled.append(_ESCAPED.sub(_unescaped, spelled[-1]))
        if any(words.search(each) or self._sought.has(each) for each in spelled):
            return True
        return bool(self.values) and any(map(self._has_text, _QUOTED.findall(spelled[-1])))

    def has_value(self, text: str) -> bool:
        """Whether a text is one of the values, or holds one, however it is written."""
        return bool(self.values) and self._has_value(text)

    @cached_property
    def names(self) -> frozenset[str]:
        """Of profiles, keys of several fields as stores have them."""
        return frozenset({*self.profiles, *map(key_name, self.profiles)})

    @cached_property
    def plain_values(self) -> frozenset[str]:
        """The values as they are, and out of what somebody has written around them."""
        return frozenset({*self.values, *filter(None, map(unwrapped, self.values))})

    @cached_property
    def _sought(self) -> SoughtValues:
        return SoughtValues(self.values, self.regions)

    @cached_property
    def _words(self) -> re.Pattern[str] | None:
        shown = (", ".join(_parts(each) or ()) for each in self.names)  # as runs of resyncs have it
        every = sorted({each.strip() for each in (*self.names, *self.plain_values, *shown) if each.strip()})
        if not every:
            return None
        return re.compile(rf"(?<![\w.+-])(?:{'|'.join(map(re.escape, every))})(?![\w-]|\.\w)", re.IGNORECASE)

    def _has_value(self, found: Any) -> bool:  # noqa: ANN401 - whatever JSON may hold
        return bool(self.values) and any(map(self._has_text, _texts(found)))

    def _has_text(self, text: str) -> bool:
        return self._sought.has(text) or ("\\" in text and self._sought.has(_ESCAPED.sub(_unescaped, text)))

    def _names(self, profile: dict[str, Any]) -> bool:
        if not self.profiles:
            return False
        if any(each.strip() in self.profiles for each in _texts(profile.get("_id"))):
            return True
        return any(_key(profile, fields) in self.names for fields in self.keys)


@dataclass(frozen=True, slots=True)
class AccountKeys:
    """By which keys ad accounts have them, whatever they were found by.

    names   by integration; of several fields as stores have them
    fields  the key fields of each integration
    """

    names: Mapping[str, frozenset[str]]
    fields: Mapping[str, tuple[str, ...]]

    def has(self, integration: str | None, name: str | None) -> bool:
        """Whether a key is theirs in that integration."""
        return name is not None and name in self._of(integration)

    def is_in(self, integration: str | None, raw: bytes) -> bool:
        """Whether a profile has a key of theirs; nothing is made of what is no JSON."""
        names, fields = self._of(integration), self.fields.get(integration or "")
        if not names or fields is None:
            return False
        return any(_key(each, fields) in names for each in _profiles(_read(raw)))

    def is_named_in(self, integration: str | None, text: str) -> bool:
        """As `Person.is_named_in`, of a text that shows keys of that integration."""
        return Person(self._of(integration), frozenset(), frozenset()).is_named_in(text)

    def _of(self, integration: str | None) -> frozenset[str]:
        return self.names.get(integration or "", frozenset())


def _read(raw: bytes) -> Any:  # noqa: ANN401 - whatever JSON may hold
    """What JSON says, and what Python's takes for JSON: NaN, single surrogates."""
    for read in (msgspec.json.decode, json.loads):
        try:
            return read(raw)
        except (msgspec.DecodeError, ValueError, RecursionError):
            continue
    return _UNREADABLE


def _texts_of(raw: bytes) -> list[str]:
    """What bytes may say that are no JSON; two bytes for each sign are UTF-16."""
    wide = ("utf-16-le", "utf-16-be") if b"\0" in raw else ()
    return [raw.decode(each, errors="replace") for each in ("utf-8", *wide)]


def _texts(found: Any) -> Iterator[str]:  # noqa: ANN401 - whatever JSON may hold
    """All texts and numbers of it, keys of objects and JSON within texts among them."""
    open_ = [(found, 0)]
    while open_:
        each, depth = open_.pop()
        if isinstance(each, dict):
            open_ += [(one, depth) for pair in each.items() for one in pair]
        elif isinstance(each, list):
            open_ += [(one, depth) for one in each]
        elif isinstance(each, str):
            yield each
            if depth < _DEEPEST and (inner := _inner(each)) is not _UNREADABLE:
                open_.append((inner, depth + 1))
        elif text := _number(each):
            yield text


def _inner(text: str) -> Any:  # noqa: ANN401 - as above
    """What a text says that is JSON itself: an object, a list or a text."""
    if not text.lstrip().startswith(("{", "[", '"')):
        return _UNREADABLE
    return _read(text.encode(errors="surrogatepass"))


def _number(found: object) -> str:
    """A number as text, a whole one always without a point; "" for what is none."""
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    return str(found) if isinstance(found, int | float) and not isinstance(found, bool) else ""


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else _PLAIN.get(found[2], found[2])


def _whole(parts: Sequence[str]) -> str:
    """As the stores of ad accounts have a key of several fields."""
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


def _key(profile: dict[str, Any], fields: tuple[str, ...]) -> str | None:
    try:
        found = key_of(profile, fields)
    except RowProblem:
        return None
    return found[0] if len(found) == 1 else _whole(found)


def _profiles(found: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - as above
    """A profile by itself, those of an event, or of a list of them; JSON in a text in place of any is read as well."""
    open_ = [(found, 0)]
    while open_:
        each, depth = open_.pop()
        if isinstance(each, list):
            open_ += [(one, depth) for one in each]
        elif isinstance(each, str) and depth < _DEEPEST:
            open_.append((_inner(each), depth + 1))
        elif isinstance(each, dict):
            yield each
            open_.append((each.get("profiles"), depth))
