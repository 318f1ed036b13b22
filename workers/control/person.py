"""Whether some bytes are about a person who is to be erased. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from workers.templates import RowProblem, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_NUMBER = re.compile(r"\+?[\d\s().-]{7,}")
_DECIMAL = re.compile(r"-?\d+\.\d+")
_NO_DIGIT = re.compile(r"[^\d]")
_LONG_DISTANCE = re.compile(r"8(?=[3-9]\d{9}$)")
_FEWEST_DIGITS = 7
_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([/\"]))")
_UNREADABLE = object()


def fold(value: str) -> str:
    """A value as it is compared: without case and blanks around it; of a phone number its digits.

    Russia's 8, as it is dialled within the country, is its 7. A decimal number keeps its point: it is no phone.
    """
    text = value.strip().casefold()
    if not _NUMBER.fullmatch(text) or _DECIMAL.fullmatch(text):
        return text
    return _LONG_DISTANCE.sub("7", _NO_DIGIT.sub("", text), count=1)


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
    """

    profiles: frozenset[str]
    values: frozenset[str]
    keys: frozenset[tuple[str, ...]]

    def is_in(self, raw: bytes) -> bool:
        """Whether a profile, or an event, is theirs; of what is no JSON, whether a word of it is."""
        found = _read(raw)
        if found is _UNREADABLE:
            return self.is_named_in(raw.decode(errors="replace"))
        return self._has_value(found) or any(self._names(each) for each in _profiles(found))

    def is_named_in(self, text: str) -> bool:
        """Whether one of them is a word of a text that nobody can read as a profile, as it is or unescaped."""
        words = self._words
        return words is not None and any(words.search(each) for each in (text, _ESCAPED.sub(_unescaped, text)))

    @cached_property
    def names(self) -> frozenset[str]:
        """Of profiles, keys of several fields as stores have them."""
        return frozenset({*self.profiles, *map(key_name, self.profiles)})

    @cached_property
    def _folded(self) -> frozenset[str]:
        return frozenset(filter(None, map(fold, self.values)))

    @cached_property
    def _words(self) -> re.Pattern[str] | None:
        shown = (", ".join(_parts(each) or ()) for each in self.names)  # as runs of resyncs have it
        every = sorted({each.strip() for each in (*self.names, *self.values, *shown) if each.strip()})
        if not every:
            return None
        phones = [_phone(each) for each in sorted(self._folded) if each.isdecimal() and len(each) >= _FEWEST_DIGITS]
        words = "|".join([*map(re.escape, every), *phones])
        return re.compile(rf"(?<![\w.+-])(?:{words})(?![\w-]|\.\w)", re.IGNORECASE)

    def _has_value(self, found: Any) -> bool:  # noqa: ANN401 - whatever JSON may hold
        if not self._folded:
            return False
        open_ = [found]
        while open_:
            each = open_.pop()
            if isinstance(each, dict):
                open_ += each.values()
            elif isinstance(each, list):
                open_ += each
            elif _folded(each) in self._folded:
                return True
        return False

    def _names(self, profile: dict[str, Any]) -> bool:
        if not self.profiles:
            return False
        if str(profile.get("_id")) in self.profiles:
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


def _folded(found: object) -> str:
    """A value of a profile as `fold` has it; a whole number is one, however it is written."""
    if isinstance(found, str):
        return fold(found)
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if isinstance(found, int) and not isinstance(found, bool) and found >= 0:
        return fold(str(found))
    return str(found).casefold() if isinstance(found, int | float) and not isinstance(found, bool) else ""


def _phone(digits: str) -> str:
    """Finds a number by its digits, whatever stands between them, and no decimal number."""
    first = "[78]" if _LONG_DISTANCE.match("8" + digits[1:]) and digits[0] == "7" else digits[0]
    return r"(?!\d+\.\d+\b(?!\.))\+?\(?" + r"[\s().-]{0,3}".join([first, *digits[1:]])


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else found[2]


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
    """A profile by itself, or those of an event."""
    if isinstance(found, dict):
        yield found
        inner = found.get("profiles")
        yield from (each for each in (inner if isinstance(inner, list) else ()) if isinstance(each, dict))
