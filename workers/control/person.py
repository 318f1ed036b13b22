"""Whether some bytes are about a person who is to be erased. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from workers.templates import RowProblem, key_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_NUMBER = re.compile(r"\+?[\d\s().-]{7,}")
_PUNCTUATION = re.compile(r"[^\d]")


def fold(value: str) -> str:
    """A value as it is compared: without case and blanks around it; of a phone number its digits."""
    text = value.strip().casefold()
    return _PUNCTUATION.sub("", text) if _NUMBER.fullmatch(text) else text


@dataclass(frozen=True)
class Person:
    """Who is to be erased.

    profiles  `_id`s, and texts of key fields
    values    that stand anywhere in a profile
    keys      the key fields of each applied integration
    """

    profiles: frozenset[str]
    values: frozenset[str]
    keys: frozenset[tuple[str, ...]]

    def is_in(self, raw: bytes) -> bool:
        """Whether a profile, or an event, is theirs; of what is no JSON, whether a word of it is."""
        try:
            found = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self.is_named_in(raw.decode(errors="replace"))
        return self._has_value(found) or any(self._names(each) for each in _profiles(found))

    def is_named_in(self, text: str) -> bool:
        """Whether one of them is a word of a text that nobody can read as a profile."""
        return self._words is not None and self._words.search(text) is not None

    @cached_property
    def _folded(self) -> frozenset[str]:
        return frozenset(map(fold, self.values))

    @cached_property
    def _words(self) -> re.Pattern[str] | None:
        every = sorted({each.strip() for each in (*self.profiles, *self.values) if each.strip()})
        if not every:
            return None
        return re.compile(rf"(?<![\w.+-])(?:{'|'.join(map(re.escape, every))})(?![\w-]|\.\w)", re.IGNORECASE)

    def _has_value(self, found: Any) -> bool:  # noqa: ANN401 - whatever JSON may hold
        if not self._folded:
            return False
        if isinstance(found, dict):
            return any(map(self._has_value, found.values()))
        if isinstance(found, list):
            return any(map(self._has_value, found))
        return isinstance(found, str | int | float) and fold(str(found)) in self._folded

    def _names(self, profile: dict[str, Any]) -> bool:
        if not self.profiles:
            return False
        if str(profile.get("_id")) in self.profiles:
            return True
        return any(not self.profiles.isdisjoint(_key(profile, fields)) for fields in self.keys)


def _key(profile: dict[str, Any], fields: tuple[str, ...]) -> Collection[str]:
    try:
        return key_of(profile, fields)
    except RowProblem:
        return ()


def _profiles(found: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - as above
    """A profile by itself, or those of an event."""
    if isinstance(found, dict):
        yield found
        inner = found.get("profiles")
        yield from (each for each in (inner if isinstance(inner, list) else ()) if isinstance(each, dict))
