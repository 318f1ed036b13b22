"""Reading a parsed file key by key: what is wrong is noted, a stand-in is returned, and reading goes on.

So all mistakes are found in one pass. A stand-in never gets out: whoever reads raises at the end if any
mistake was noted. Every key that is asked for becomes a known one, and `close` refuses the others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar, cast

from workers.errors import Mistake
from workers.settings.spelling import kind_of, nearest, parse_duration, show, spell_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Name = TypeVar("Name", bound=str)

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
NAME_RULE = "1 to 63 of a-z, 0-9, _ and -, beginning with a letter or a digit"

UNKNOWN: Final = object()
"""Stands where a value could not be found out and its mistake is noted already: read in silence as absent."""


class TomlTable:
    """One table of the file.

    values    as parsed; anything but a table is noted as a mistake and read as an empty one
    where     its key path, "" for the whole file
    unknown   whether it is not a table at all: then nothing is said to be missing in it
    mistakes  what is wrong is appended here
    """

    def __init__(self, values: object, where: str, mistakes: list[Mistake]) -> None:
        self.where = where
        self.mistakes = mistakes
        self.unknown = not isinstance(values, dict)
        self.values: Mapping[str, object] = values if isinstance(values, dict) else {}
        self._known: set[str] = set()
        if self.unknown and values is not UNKNOWN:
            self._note(where, f"is {kind_of(values)}; expected a table")

    def at(self, key: str) -> str:
        """The key path of `key`."""
        return f"{self.where}.{key}" if self.where else key

    def wrong(self, key: str, what: str) -> None:
        """Notes a mistake at `key`."""
        self._note(self.at(key), what)

    def _note(self, where: str, what: str) -> None:
        self.mistakes.append(Mistake(where, what))

    def note(self, what: str) -> None:
        """Notes a mistake of the table as a whole."""
        self._note(self.where, what)

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def take(self, key: str) -> object | None:
        """The value as parsed, or None; TOML has no null."""
        self._known.add(key)
        value = self.values.get(key)
        return None if value is UNKNOWN else value

    def _typed(self, key: str, kind: type, expected: str, *, hidden: bool = False) -> object | None:
        """The value if it is a `kind`; True is no integer here. `hidden`: messages do not show it."""
        value = self.take(key)
        if value is None or type(value) is kind:
            return value
        self.wrong(key, f"{'' if hidden else show(value) + ' '}is {kind_of(value)}; expected {expected}")
        return None

    def missing(self, key: str, expected: str) -> None:
        """Notes that `key` is not there, unless it is there and wrong already."""
        if key not in self.values and not self.unknown:
            self.wrong(key, f"is missing; expected {expected}")

    def optional_text(self, key: str, expected: str = "text", *, hidden: bool = False) -> str | None:
        """Text that is not blank, or None where the key is absent (or wrong); `hidden` for secrets and URLs."""
        value = cast("str | None", self._typed(key, str, expected, hidden=hidden))
        if value is not None and not value.strip():
            self.wrong(key, f"is empty; expected {expected}")
            return None
        return value

    def text(self, key: str, expected: str = "text", *, hidden: bool = False) -> str:
        """Text that must be there and not blank; "" when it is wrong."""
        value = self.optional_text(key, expected, hidden=hidden)
        if value is None:
            self.missing(key, expected)
        return value or ""

    def name(self, key: str, default: str) -> str:
        """A name that Redis keys and queues are made of."""
        value = self.optional_text(key, NAME_RULE)
        if value is not None and not NAME.fullmatch(value):
            self.wrong(key, f"{show(value)} cannot be a name; expected {NAME_RULE}")
        return value or default

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = cast("bool | None", self._typed(key, bool, "true or false"))
        return default if value is None else value

    def whole(self, key: str, default: int | None, low: int, high: int) -> int:
        """An integer from `low` to `high`; must be there where `default` is None."""
        expected = f"an integer from {low} to {high}"
        value = cast("int | None", self._typed(key, int, expected))
        if value is None and default is None:
            self.missing(key, expected)
        if value is not None and not low <= value <= high:
            self.wrong(key, f"{show(value)} is out of range; expected {expected}")
            return low
        return value if value is not None else default if default is not None else low

    def seconds(self, key: str, default: float, low: float, high: float) -> float:
        """A duration in seconds, from `low` to `high`."""
        value = self.take(key)
        if value is None:
            return default
        span = f"{spell_duration(low)} to {spell_duration(high)}"
        seconds = parse_duration(value)
        if seconds is None:
            self.wrong(key, f'{show(value)} is no duration; expected one such as "500ms", "30s", "2m" or "1h", {span}')
        elif not low <= seconds <= high:
            self.wrong(key, f"{show(value)} is out of range; expected a duration from {span}")
        else:
            return seconds
        return default

    def choice(self, key: str, names: tuple[Name, ...]) -> Name:
        """One of `names`; the first one where the key is absent."""
        value = self.optional_text(key, " or ".join(map(repr, names)))
        if value is None:
            return names[0]
        if value not in names:
            self.wrong(key, f"{show(value)} is none of {', '.join(map(repr, names))}{nearest(value, names)}")
        return cast("Name", value)

    def list_of(self, key: str, expected: str, *, numbers: bool = False) -> list[str]:
        """A list of texts, none of them blank, none twice; [] where absent.

        numbers  integers may stand in it, too, and become text: 7 and "7" are one id (rule 6)
        """
        values = cast("list[object] | None", self._typed(key, list, expected))
        kept: dict[str, None] = {}
        for index, value in enumerate(values or []):
            if value is UNKNOWN:
                continue
            text = str(value) if numbers and type(value) is int else value
            if not isinstance(text, str):
                self.wrong(f"{key}[{index}]", f"{show(value)} is {kind_of(value)}; expected {expected}")
            elif not text.strip():
                self.wrong(f"{key}[{index}]", f"is empty; expected {expected}")
            elif text in kept:
                self.wrong(f"{key}[{index}]", f"{show(value)} is there twice")
            else:
                kept[text] = None
        return list(kept)

    def table(self, key: str) -> TomlTable:
        """The table at `key`; an empty one where it is absent."""
        self._known.add(key)
        return TomlTable(self.values.get(key, {}), self.at(key), self.mistakes)

    def tables(self, key: str) -> Iterator[tuple[str, TomlTable]]:
        """The named tables in the table at `key`, by name; a bad name is noted and its table read all the same."""
        outer = self.table(key)
        for name in sorted(outer.values):
            if not NAME.fullmatch(name):
                outer.wrong(
                    name if name.isprintable() and name else repr(name), f"cannot be a name; expected {NAME_RULE}"
                )
            yield name, outer.table(name)

    def close(self, reserved: Mapping[str, str] | None = None) -> None:
        """Refuses every key that was not asked for. `reserved` maps keys to what is said of them instead."""
        for key in sorted(self.values.keys() - self._known):
            if reserved and key in reserved:
                self.wrong(key, reserved[key])
            else:
                self.wrong(key, f"unknown key{nearest(key, self._known)}")
