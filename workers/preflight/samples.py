"""Statements as they will be, from made-up profiles: what a target can be asked about before the first event.

The types of columns are unknown, so a value is tried in several kinds until renderer and target take it. Every value
differs from all others, so that a literal in a statement tells which field it came from.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from workers.templates import BadRows, Row, SegmentView
from workers.templates.scope import parse_path
from workers.templates.values import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from workers.templates import Query

SEGMENT: Final = "{segment_id}"
"""What stands for the segment's id among the fields."""
NAME: Final = "a made-up name"
TIME_US: Final = 1_767_225_600_000_000
SEQUENCE: Final = (TIME_US // 1000) << 20

KINDS: Final[tuple[Callable[[int], object], ...]] = (
    lambda n: f"field{n}x",
    lambda n: str(1000 + n),
    lambda n: f"2026-01-02T03:04:05.{n:06}Z",
    lambda n: f"00000000-0000-4000-8000-{n:012}",
    lambda n: f'{{"field{n}x": 1}}',
    lambda n: [f"field{n}x"],
    lambda n: f"{{{1000 + n}}}",
    lambda n: f"{n % 24:02}:{n % 60:02}:59",
    lambda n: f"127.0.{n // 256 % 256}.{n % 256}",
    lambda n: str(n % 10),
    lambda n: f"08:00:2b:01:{n // 256 % 256:02x}:{n % 256:02x}",
    lambda n: f"[{n},{1000 + n})",
    lambda _: "true",
    lambda _: True,
)
"""Kinds of values, the likeliest first; text alone, since what stands in quotes fits most columns."""
PLAIN: Final = 2
"""Kinds before it are plain text and digits, which may be too long for a column."""
DIGIT: Final = 9
"""The kind that is one digit: it fits whatever those fit, and columns that are short."""
SHORTEST: Final = 4
"""Characters by which a value is told within a longer text."""
SEGMENTS: Final = ("7007", "segment-7007", "00000000-0000-4000-9000-000000007007")


MOST_BARE: Final = 30
"""Fields that other types are tried for: each costs a few questions to the target."""
MOST_CONSTANTS: Final = 10
"""Values that a query compares a field with and that are tried: each costs a question to the target."""
A_NUMBER: Final = "a number"
OTHER_TYPES: Final[Mapping[str, object]] = {A_NUMBER: 8, "a text": "x", "a boolean": True, "missing": None}
CHANGES: Final[Mapping[str, Callable[[str], str]]] = {
    "case": str.upper,
    "leading blanks": lambda text: f" {text}",
    "trailing blanks": lambda text: f"{text} ",
    "leading zeros": lambda text: f"0{text}",
}
"""What keys may differ in."""


class NoSample(Exception):
    """No made-up profile can be rendered; the message is the renderer's."""


class Samples:
    """One query's samples, better and better: `bump` takes a field's next kind.

    fields    the profile's fields that the query uses, and the key's
    segments  ids of segments to be tried
    """

    def __init__(self, query: Query, key: Iterable[str], segments: tuple[str, ...] = SEGMENTS) -> None:
        self._query = query
        self._segments = segments
        self.key = tuple(key)
        self.fields = [name for name in dict.fromkeys((*self.key, *query.identifying)) if name]
        self._kinds = dict.fromkeys(self.fields, 0)
        self._segment = 0

    @property
    def values(self) -> dict[str, object]:
        """What each field has now, the segment's id among them."""
        found = {name: self._made(name, kind, n) for n, (name, kind) in enumerate(self._kinds.items(), 1)}
        return {**found, SEGMENT: self._segments[self._segment]}

    def _made(self, name: str, kind: int, n: int) -> object:
        """The n-th field's value; behind all kinds come what the query itself compares it with."""
        return KINDS[kind](n) if kind < len(KINDS) else self._query.choices[name][kind - len(KINDS)]

    def render(self) -> list[str]:
        """The statements of a profile that has all fields; NoSample."""
        while True:
            try:
                return self._statements(self.values)
            except BadRows as bad:
                if not self.bump(bad.errors[0].field):
                    raise NoSample(bad.errors[0].reason) from None

    def sparse(self) -> list[str]:
        """The statements of a profile that has its key and nothing else: other branches of conditions."""
        kept = {*self.key, SEGMENT}
        try:
            return self._statements({name: value for name, value in self.values.items() if name in kept})
        except BadRows:
            return []

    def branches(self) -> Iterator[tuple[str, list[list[str]]]]:
        """Profiles that take other branches of conditions: what there is about each, and its statements.

        A number is a text's, too, as conditions compare them: then there are two ways to have it.
        """
        yield "that has only its key", [self.sparse()]
        for name, constants in self._query.choices.items():
            for value in constants[:MOST_CONSTANTS] if name in self.fields else ():
                shown = repr(value) if isinstance(value, str) else text_of(value)
                yield f"whose {name!r} is {shown}", [*self._ways(name, value)]

    def _ways(self, name: str, value: object) -> Iterator[list[str]]:
        for way in (value,) if isinstance(value, str) else (value, text_of(value)):
            with suppress(BadRows):
                yield self._statements(self.values | {name: way})

    def mixed(self) -> dict[str, list[str]]:
        """Batches in which a poor profile stands between two that have everything, by what is poor about it."""
        full = self.values
        poor = {
            "that has only its key": {name: full[name] for name in (*self.key, SEGMENT)},
            "whose lists are empty": {name: [] if isinstance(value, list) else value for name, value in full.items()},
        }
        found = {}
        for what, values in poor.items():
            try:
                found[what] = self._statements(full, values, full)
            except BadRows:
                continue
        return found

    def bare(self) -> Iterator[tuple[str, str, list[str]]]:
        """Statements for a field of another type: the field, what it is, and the statements.

        In quotes such a value is a text like any other; bare, it changes the statement's meaning.
        """
        usual, values = self.render(), self.values
        for name in [each for each in self.fields if each not in self.key][:MOST_BARE]:
            for what, value in OTHER_TYPES.items():
                try:
                    statements = self._statements(values | {name: value})
                except BadRows:
                    continue
                if statements != usual:
                    yield name, what, statements

    def varied(self, name: str) -> list[str]:
        """The statements of a profile that differs in one field; [] where it cannot be rendered."""
        other = self._made(name, self._kinds[name], len(self.fields) + 1 + self.fields.index(name))
        try:
            return self._statements(self.values | {name: other})
        except BadRows:
            return []

    def alike(self) -> dict[str, list[str]]:
        """In what two keys may differ without a difference in the statements, by field of the key."""
        usual, values = self.render(), self.values
        found: dict[str, list[str]] = {}
        for name in self.key:
            value = values[name]
            if not isinstance(value, str) or self._same(usual, name, f"{value}q"):
                continue  # what does not tell keys apart at all is another finding
            found[name] = [what for what, change in CHANGES.items() if self._same(usual, name, change(value))]
        return {name: differences for name, differences in found.items() if differences}

    def _same(self, usual: list[str], name: str, value: str) -> bool:
        try:
            return value != self.values[name] and self._statements(self.values | {name: value}) == usual
        except BadRows:
            return False

    def bump(self, name: str) -> bool:
        """Another kind of value for a field; where none is named, a shorter one for the next. False: none is left."""
        before = self._segment
        if name == SEGMENT:
            self._segment += self._segment + 1 < len(self._segments)
            return self._segment > before
        if name not in self._kinds:
            return self._shorten()
        if self._kinds[name] + 1 == len(KINDS) + len(self._query.choices.get(name, ())):
            return False
        self._kinds[name] += 1
        return True

    def _shorten(self) -> bool:
        """What is too long for its column is said without its place: one after the other becomes a digit."""
        others = [name for name in reversed(self.fields) if name not in self.key]
        long = [name for name in (*others, *self.key) if self._kinds[name] < PLAIN]
        for name in long[:1]:
            self._kinds[name] = DIGIT
        return bool(long)

    def field_at(self, statement: str, position: int | None) -> str:
        """The field whose value stands in the literal at `position`; "" where none can be told."""
        literal = _LITERAL.match(statement, position - 1) if position else None
        found = fields_in(literal[0], self.values) if literal else []
        return found[0] if len(found) == 1 else ""

    @property
    def tries(self) -> int:
        """How many there can be."""
        return len(KINDS) * max(1, len(self.fields)) + len(self._segments)

    def _statements(self, *rows: Mapping[str, object]) -> list[str]:
        segment = SegmentView(str(rows[0][SEGMENT]), NAME, TIME_US, SEQUENCE)
        fields = ({name: value for name, value in values.items() if name != SEGMENT} for values in rows)
        return self._query.render([Row(profile(each), TIME_US, SEQUENCE) for each in fields], segment)


_LITERAL = re.compile(r"[EeNn]?'(?:[^'\\]|''|\\.)*'|\d+", re.DOTALL)


def fields_in(text: str, values: Mapping[str, object]) -> list[str]:
    """The fields whose values a literal holds: the whole of it, or a part of a longer text."""
    return [name for name, value in values.items() if _holds(text, _inner(value))]


def _holds(text: str, value: str) -> bool:
    # A number is all of its literal: four digits may stand in any larger one.
    return text.strip("'") == value or (len(value) >= SHORTEST and not text.isdigit() and value in text)


def _inner(value: object) -> str:
    return str(value[0]) if isinstance(value, list) else str(value)


def profile(values: Mapping[str, object]) -> dict[str, object]:
    """A profile with these values at these paths, as in "address.city" or "phones[0]"."""
    made: dict[str, object] = {}
    for name, value in values.items():
        steps = parse_path(name)
        _place(made, list(steps), value)
    return made


def _place(inside: dict[str, object], steps: list[str | int], value: object) -> None:
    first, *rest = steps
    if not rest:
        inside.setdefault(str(first), value)
        return
    numbers = [step for step in rest if isinstance(step, int)]
    names = [step for step in rest if isinstance(step, str)]
    built = value
    for step in reversed(rest):
        built = [built] * (step + 1) if isinstance(step, int) else {step: built}
    there = inside.get(str(first))
    if isinstance(there, dict) and names and not numbers:
        _place(there, rest, value)
    else:
        inside[str(first)] = built
